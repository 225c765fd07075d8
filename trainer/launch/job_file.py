# SPDX-License-Identifier: MIT
"""Reads a job file into a checked `Job`."""

from preprocessing.contract import settings
from preprocessing.contract.errors import ConfigError, JobError
from trainer import flags
from trainer.launch import checks
from trainer.launch.job import Job


def load(path: str) -> Job:
    """Reads a job file and checks everything that can be known before it is sent.

    Raises:
        ConfigError: the file is missing, is not YAML, has an unknown, missing or wrongly typed key,
            or describes a job that cannot work; the sentence names the key and the file.
    """
    job = settings.from_yaml(Job, path)
    for key, problem in checks.problems(job):
        raise ConfigError(f"{path}: {key} {problem}")
    _check_with_trainer(job, path)
    return job


def _check_with_trainer(job: Job, path: str) -> None:
    """Refuses now what the trainer would refuse after hours of waiting for a machine."""
    arguments = job.arguments()
    if any(argument.startswith("--config=") for argument in arguments):
        return  # The settings file lies in a bucket that this machine need not be able to read.
    try:
        flags.parse(["cxr14-train", *arguments], environ={})
    except JobError as error:
        raise ConfigError(f"{path}: args would be refused by the trainer: {error}") from error
