# SPDX-License-Identifier: MIT
"""Reads a job file into a checked `Job`."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator

from preprocessing.contract.errors import ConfigError, JobError
from preprocessing.contract.files import given_paths
from preprocessing.contract.settings import declaration, presets, settings, yaml_files
from trainer import flags
from trainer.config import Config
from trainer.launch.description import checks, inlining, placeholders
from trainer.launch.description.job import Job

# Of configs/, with the job files that --job=preset:NAME names.
PRESETS = "jobs"


def load(path: str) -> Job:
    """Reads a job file and checks everything that can be known before it is sent.

    Raises:
        UsageError: the path cannot be meant.
        ConfigError: the file is missing, is not YAML, has an unknown, missing or wrongly typed key,
            or describes a job that cannot work; the sentence names the key, the file and the line.
    """
    path = given_paths.checked("--job", presets.path_of(path, PRESETS))
    job = settings.from_yaml(Job, path)
    with blaming(path):
        job = inlining.inline(job)
    # What is still to be replaced is checked as if it were, for a dry run.
    filled = settings.from_mapping(Job, placeholders.fill(dataclasses.asdict(job)), origin=path)
    with blaming(path):
        declaration.check(filled)
        for problem in checks.problems(filled):
            raise ConfigError(problem)
        _check_with_trainer(filled)
    return job


@contextlib.contextmanager
def blaming(path: str) -> Iterator[None]:
    """Names the job file and the line in front of what is wrong with the job."""
    try:
        yield
    except ConfigError as error:
        found = presets.path_of(path, PRESETS)
        raise ConfigError(f"{yaml_files.place(found, *_ways(str(error)))}: {error}") from error


def _ways(problem: str) -> Iterator[tuple[str, ...]]:
    """Yields keys that may lead to what a sentence is about, which begins with the key."""
    first, *words = re.findall(r"[\w.]*\w", problem) or [""]
    if first == "args":
        yield from (("args", name) for word in words for name in (word, f"config.{word}"))
    yield tuple(first.split("."))


def _check_with_trainer(job: Job) -> None:
    """Refuses now what the trainer would refuse after hours of waiting for a machine."""
    arguments = job.arguments()
    if any(argument.startswith("--config=") for argument in arguments):
        return  # The settings file lies in a bucket that this machine need not be able to read.
    try:
        parsed = flags.parse(["cxr14-train", *arguments], environ={})
        check_devices(parsed.config, job)
    except JobError as error:
        raise ConfigError(f"args would be refused by the trainer: {error}") from error


def check_devices(config: Config, job: Job) -> None:
    """Checks what depends on the number of devices, which the job decides.

    Raises:
        ConfigError: the trainer would refuse these settings on them.
    """
    gpus = job.accelerator.count if job.accelerator is not None else 0
    devices = job.replicas * max(gpus, config.runtime.logical_cpus if not gpus else 1, 1)
    config.check_replicas(devices)
    if config.runtime.xla and (config.runtime.deterministic or devices > 1):
        raise ConfigError(
            "runtime.xla works on one device and without runtime.deterministic: set it to false"
        )
