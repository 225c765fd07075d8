# SPDX-License-Identifier: MIT
"""Says where a run's TensorBoard log lies; imports no TensorFlow."""

import re
from collections.abc import Iterable, Mapping

from preprocessing.contract.files import storage

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


def next_name(names: Iterable[str], now: float, suffix: str) -> str:
    """Returns the name of an event file that is read after all that are there.

    >>> next_name(["events.out.tfevents.0000000900.a"], 200.0, ".b")
    'events.out.tfevents.0000000901.b'

    Args:
        names: of the files in the folder.
        now: seconds since 1970, by a clock that may have been set back.
        suffix: what follows the time.
    """
    found = (re.search(r"tfevents\.(\d+)", name) for name in names)
    newest = max((int(one.group(1)) for one in found if one), default=-1)
    return f"events.out.tfevents.{max(int(now), newest + 1):010d}{suffix}"
