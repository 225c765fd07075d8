# SPDX-License-Identifier: MIT
"""Reads a job file into a checked `Job`."""

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Iterator

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import given_paths
from preprocessing.contract.settings import declaration, presets, settings, yaml_files
from trainer.launch.description import checks, inlining, placeholders, trainer_checks
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
        for problem in itertools.chain(checks.problems(filled), trainer_checks.problems(filled)):
            raise ConfigError(problem)
    return job


@contextlib.contextmanager
def blaming(path: str | None) -> Iterator[None]:
    """Names the job file, if there is one, and the line in front of what is wrong with the job."""
    try:
        yield
    except ConfigError as error:
        if path is None:
            raise
        found = presets.path_of(path, PRESETS)
        raise ConfigError(f"{yaml_files.place(found, *_ways(str(error)))}: {error}") from error


def _ways(problem: str) -> Iterator[tuple[str, ...]]:
    """Yields keys that may lead to what a sentence is about, which begins with the key."""
    first, *words = re.findall(r"[\w.]*\w", problem) or [""]
    if first in ("args", "preprocess.args", "preprocess.beam"):
        names = [name for word in words for name in (word, f"config.{word}")]
        yield from ((*first.split("."), name) for name in names)
    if first.startswith("tune.parameters."):
        yield ("tune", "parameters", first.split(".", 2)[2])
    yield tuple(first.split("."))
