# SPDX-License-Identifier: MIT
"""Tells what this machine can see of what a job reads from what only the job can."""

from collections.abc import Callable

from preprocessing.contract.errors import ConfigError, DataError, JobError
from preprocessing.contract.files import faults, storage
from trainer.launch.description import volumes
from trainer.launch.description.job import Job
from trainer.launch.platform import Finding

LOGIN = "gcloud auth application-default login"


def guarded(what: str, look: Callable[[], Finding], fix: str = LOGIN) -> Finding:
    """Looks at something; bad data and settings are wrong, all else could not be seen.

    Args:
        what: is looked at.
        look: finds, or raises a JobError or OSError.
        fix: for data or settings that are wrong.
    """
    try:
        with faults.explained():
            return look()
    except JobError as error:
        return refused(what, error, fix)


def refused(what: str, error: JobError, fix: str = "fix it in the job file") -> Finding:
    """Returns what an error means for a job that has yet to be sent."""
    if isinstance(error, (DataError, ConfigError)):
        return Finding(what, False, str(error), fix)
    return Finding(what, None, str(error), LOGIN)


def there(job: Job, name: str, path: str, *, said: str = "is there") -> Finding:
    """Looks for a file, or for a folder that holds something."""
    what = f"{name} {path}"
    if reason := hidden(job, path):
        return Finding(what, None, reason)

    def look() -> Finding:
        if storage.exists(path):
            return Finding(what, True, said)
        return Finding(what, False, "is not there", f"gcloud storage cp --recursive FROM {path}")

    return guarded(what, look)


def hidden(job: Job, path: str) -> str:
    """Returns why only the job can see a path; "" if that is not so."""
    volume = volumes.of_path(path, job.kubernetes.volumes if job.kubernetes is not None else [])
    return f"is on the volume {volume.name}, which only the pods see" if volume is not None else ""
