# SPDX-License-Identifier: MIT
"""Refuses now what the trainer would refuse after hours of waiting for a machine."""

import dataclasses
from collections.abc import Iterator

from preprocessing.contract.errors import ConfigError, JobError
from trainer import flags
from trainer.config import Config
from trainer.launch.description import arguments, tuning_checks
from trainer.launch.description.job import Job


def problems(job: Job) -> Iterator[str]:
    """Yields what the trainer would say of the arguments, on as many devices as the job has."""
    if problem := _refusal(job):
        yield f"args would be refused by the trainer: {problem}"
        return
    if job.tune is None:
        return
    for name, parameter in job.tune.parameters.items():
        for value in tuning_checks.tried(name, parameter):
            if problem := _refusal(_with(job, name, value)):
                yield f"tune.parameters.{name} may be {value}, but the trainer says: {problem}"


def _with(job: Job, name: str, value: arguments.ArgumentValue) -> Job:
    others = [one for one in arguments.spelled(job.args) if not one.startswith(f"--config.{name}=")]
    return dataclasses.replace(job, args=[*others, *arguments.spelled({f"config.{name}": value})])


def _refusal(job: Job) -> str:
    given = job.arguments()
    if any(argument.startswith("--config=") for argument in given):
        return ""  # The settings file lies in a bucket that this machine need not be able to read.
    try:
        check_devices(flags.parse(["cxr14-train", *given], environ={}).config, job)
    except JobError as error:
        return str(error)
    return ""


def check_devices(config: Config, job: Job) -> None:
    """Checks what depends on the number of devices, which the job decides.

    Raises:
        ConfigError: the trainer would refuse these settings on them.
    """
    chips = job.accelerator.count if job.accelerator is not None else 0
    devices = job.replicas * max(chips, config.runtime.logical_cpus if not chips else 1, 1)
    config.check_replicas(devices)
    runtime = config.runtime
    on_tpu = job.accelerator is not None and job.accelerator.is_tpu
    several = (devices > 1 and not on_tpu) or runtime.strategy in ("mirrored", "multi_worker")
    if runtime.xla and (runtime.deterministic or several):
        raise ConfigError(
            "runtime.xla works on one device or a TPU, and without runtime.deterministic: set it "
            "to false"
        )
