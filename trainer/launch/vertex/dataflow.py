# SPDX-License-Identifier: MIT
"""Renders the preprocessing of a job as the command that sends it to Dataflow.

Beam itself talks to Dataflow: the command reads the label files, submits the work on the pictures,
waits for it, and writes the manifest last. Started again with the same job it goes on.
"""

import re
from collections.abc import Mapping

from preprocessing.contract.errors import ConfigError, JobError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation import flags as invocation
from trainer.launch.description.arguments import spelled
from trainer.launch.description.job import Job
from trainer.launch.description.preprocess import Preprocess
from trainer.launch.description.vertex import Vertex

PROGRAM = "cxr14-preprocess"


def command(job: Job, vertex: Vertex, labels: Mapping[str, str]) -> list[str]:
    """Returns the command line, program name first.

    Args:
        job: the job.
        vertex: its section for Google Cloud.
        labels: of the Dataflow job.

    Raises:
        ConfigError: the job has no section `preprocess`, or it sets what follows from others.
    """
    preprocess = job.preprocess
    if preprocess is None:
        raise ConfigError("preprocess is missing: the section names the images and labels")
    if preprocess.image is None:
        raise ConfigError(
            "preprocess.image is missing: Dataflow takes no image but the one that is built with "
            "FLAVOR=preprocess"
        )
    for argument in job.preprocess_arguments():
        name, _, path = argument.partition("=")
        if storage.scheme_of(path) not in ("", "gs"):
            key = "args" if name != "--output" else "output"
            raise ConfigError(f"preprocess.{key} names {path}, but Dataflow reads gs:// only")
    flags = _flags(job, vertex, preprocess)
    taken = [name for name in preprocess.beam if name in flags or name in _FIXED]
    if taken:
        raise ConfigError(f"preprocess.beam holds {taken[0]}, which follows from other keys")
    for name in preprocess.beam:
        if not _is_beams(name):
            raise ConfigError(
                f"preprocess.beam holds {name!r}, which is not a flag of Beam's own: those of "
                "cxr14-preprocess belong in preprocess.args, and the folder in preprocess.output"
            )
    switches = ["--no_use_public_ips"] if not preprocess.public_ips else []
    return [
        PROGRAM,
        *job.preprocess_arguments(),
        *spelled(flags),
        *switches,
        # Not --labels, which to cxr14-preprocess is the label file.
        *(f"--label={key}={value}" for key, value in labels.items()),
        *spelled(preprocess.beam),
    ]


_NAME = re.compile("[a-zA-Z][a-zA-Z0-9_]*")
# What is not a flag with one value.
_FIXED = (
    "label",
    "labels",
    "use_public_ips",
    "no_use_public_ips",
    "setup_file",
    "save_main_session",
)


def _is_beams(name: str) -> bool:
    """Tells whether cxr14-preprocess would leave a flag to Beam."""
    given, needed = f"--{name}=", ("--images=/a", "--labels=/a", "--output=/a")
    try:
        return bool(_NAME.fullmatch(name)) and invocation.parse([PROGRAM, *needed, given])[2] == [
            given
        ]
    except JobError:
        return False


def _flags(job: Job, vertex: Vertex, preprocess: Preprocess) -> dict[str, str | int | float | bool]:
    bucket = "/".join(job.data_set.split("/")[:3])
    work = f"{bucket}/dataflow/{job.name}"
    given = {
        "runner": "DataflowRunner",
        "project": vertex.project,
        "region": vertex.region,
        "job_name": job.name,
        "temp_location": f"{work}/temp",
        "staging_location": f"{work}/staging",
        # The image holds the program, so that no worker installs anything.
        "sdk_container_image": job.preprocess_image,
        "sdk_location": "container",
        "experiments": "use_runner_v2",
        "worker_machine_type": preprocess.machine_type,
        "max_num_workers": preprocess.max_workers,
        "disk_size_gb": preprocess.disk_gb,
        "service_account_email": vertex.service_account,
        "subnetwork": preprocess.subnetwork,
        "dataflow_kms_key": vertex.kms_key,
    }
    return {name: value for name, value in given.items() if value is not None}
