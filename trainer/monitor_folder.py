# SPDX-License-Identifier: MIT
"""Says where a run's TensorBoard log lies; imports no TensorFlow."""

from collections.abc import Mapping

from preprocessing.contract import storage

FOLDER = "tensorboard"
VARIABLE = "AIP_TENSORBOARD_LOG_DIR"


def folder_of(output: str, environ: Mapping[str, str]) -> str:
    """Returns the folder for events and profiles.

    Vertex AI shows a job's log while it grows if it lies where `AIP_TENSORBOARD_LOG_DIR` says.

    >>> folder_of("gs://bucket/run", {})
    'gs://bucket/run/tensorboard'
    >>> folder_of("gs://bucket/run", {"AIP_TENSORBOARD_LOG_DIR": "gs://bucket/job/logs/"})
    'gs://bucket/job/logs'

    Args:
        output: folder of the run.
        environ: the process's environment.
    """
    return environ.get(VARIABLE, "").rstrip("/") or storage.join(output, FOLDER)
