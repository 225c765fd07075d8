# SPDX-License-Identifier: MIT
"""Says what is wrong with the job that makes the data set before it is sent."""

from collections.abc import Iterator

from trainer.launch.description import argument_checks
from trainer.launch.description.job import Job
from trainer.launch.description.preprocess import Preprocess


def problems(job: Job, preprocess: Preprocess) -> Iterator[str]:
    """Yields what is wrong with the section, each time the key in the job file first."""
    for argument in job.preprocess_arguments()[:-1]:
        if problem := argument_checks.flag_problem(argument):
            yield f"preprocess.args holds {problem}"
    if not job.data_set:
        yield "preprocess.output is missing, and args has no data: name the data set's folder"
    elif problem := argument_checks.address_problem(job.data_set):
        yield f"{_key(preprocess)} is {job.data_set!r}, where no data set can be written: {problem}"


def _key(preprocess: Preprocess) -> str:
    return "args.data" if preprocess.output is None else "preprocess.output"
