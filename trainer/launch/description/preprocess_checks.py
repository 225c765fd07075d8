# SPDX-License-Identifier: MIT
"""Says what is wrong with the job that makes the data set before it is sent."""

from collections.abc import Iterator

from preprocessing.contract.errors import JobError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation import flags as invocation
from preprocessing.contract.settings import presets
from trainer.launch.description import argument_checks
from trainer.launch.description.job import Job
from trainer.launch.description.preprocess import Preprocess


def problems(job: Job, preprocess: Preprocess) -> Iterator[str]:
    """Yields what is wrong with the section, each time the key in the job file first."""
    if not job.data_set:
        yield "preprocess.output is missing, and args has no data: name the data set's folder"
    elif problem := argument_checks.place_problem(job, job.data_set, written=True):
        key = "args.data" if preprocess.output is None else "preprocess.output"
        yield f"{key} is {job.data_set!r}, where no data set can be written: {problem}"
    for argument in job.preprocess_arguments()[:-1]:
        name, _, value = argument.removeprefix("--").partition("=")
        if problem := argument_checks.flag_problem(argument):
            yield f"preprocess.args holds {problem}"
        elif problem := _path_problem(job, name, value):
            preset = "; or take preset:NAME, see cxr14-preprocess --list_presets"
            yield (
                f"preprocess.args holds --{name}={value}, but the workers see no file of this "
                f"machine: {problem}{preset if name == 'config' else ''}"
            )
    if problem := _refusal(job):
        yield f"preprocess.args {problem}"


def _path_problem(job: Job, name: str, value: str) -> str:
    """Returns why the workers cannot reach what a flag names; empty if they can."""
    if name not in (*invocation.PATH_FLAGS, "config") or presets.is_preset(value):
        return ""
    paths = invocation.label_files(value) if name == "labels" else [value]
    return next(filter(None, (argument_checks.place_problem(job, path) for path in paths)), "")


def _refusal(job: Job) -> str:
    """Returns what cxr14-preprocess would say of its arguments; empty if it takes them."""
    arguments = job.preprocess_arguments()
    files = [argument for argument in arguments if argument.startswith("--config=")]
    if any(storage.scheme_of(argument.partition("=")[2]) for argument in files):
        return ""  # The settings file lies in a bucket that this machine need not be able to read.
    try:
        _, config, beams = invocation.parse(["cxr14-preprocess", *arguments])
        config.validate()
    except JobError as error:
        return f"would be refused by cxr14-preprocess: {error}"
    if beams:
        return (
            f"holds {beams[0]}, which is not a flag of cxr14-preprocess: check its name; "
            "Beam's own go to preprocess.beam"
        )
    return ""
