# SPDX-License-Identifier: MIT
"""Says what is wrong with a job description before a cloud refuses it, or worse, accepts it.

What a key may be by itself is declared at it, in `job.py`.
"""

import re
from collections.abc import Iterator

from preprocessing.contract.files import given_paths
from trainer.launch.description import (
    argument_checks,
    arguments,
    kubernetes_checks,
    preprocess_checks,
    tuning_checks,
    vertex_checks,
)
from trainer.launch.description.job import Job

_LABEL = re.compile(r"[a-z]([-_a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?)?")
_MOST_LABELS = 60
# Those by which jobs are found, and Google Cloud's own.
_TAKEN_LABELS = ("cxr14-", "goog")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a platform sets to let the trainer find its peers; a job that sets it would mislead it.
_RESERVED = re.compile(
    r"TF_CONFIG|CLUSTER_SPEC|JOB_COMPLETION_INDEX|(CXR14|JOBSET|AIP|CLOUD_ML)_.*"
)


def problems(job: Job) -> Iterator[str]:
    """Yields what is wrong with a job, each time the key in the job file first, and what to do."""
    if problem := argument_checks.place_problem(job, job.output, written=True):
        yield f"output is {job.output!r}: use a folder in a bucket such as gs://b/runs/1: {problem}"
    if given_paths.within(job.output, job.data_set):
        yield f"output is {job.output!r}, the data set's folder or inside it: use one outside"
    yield from _unsendable(job)
    yield from argument_checks.problems(job)
    yield from _labels_and_environment(job)
    if job.preprocess is not None:
        yield from preprocess_checks.problems(job, job.preprocess)
    if job.tune is not None:
        yield from tuning_checks.problems(job, job.tune)
    if job.serve is not None and job.serve.is_own:
        if job.serve.image is None:
            yield "serve.image is missing: for server: cxr14, name what you built with FLAVOR=serve"
        if job.serve.fetch_image is not None:
            yield "serve.fetch_image is not for server: cxr14, which reads the model: leave it out"
    if job.vertex is not None:
        yield from vertex_checks.problems(job, job.vertex)
    if job.kubernetes is not None:
        yield from kubernetes_checks.problems(job, job.kubernetes)


def _unsendable(job: Job) -> Iterator[str]:
    """Finds text that no program can be given, and does not show it: it may be a secret."""
    given = [("env", name, value) for name, value in job.env.items()]
    sections = {"args": job.args, "preprocess.args": job.preprocess.args if job.preprocess else []}
    for key, values in sections.items():
        given += [(key, *one.partition("=")[::2]) for one in arguments.spelled(values)]
    for key, name, value in given:
        if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
            yield f"{key} holds a value of {name} with a NUL or half a character: take it out"


def _labels_and_environment(job: Job) -> Iterator[str]:
    if len(job.labels) > _MOST_LABELS:
        yield f"labels holds {len(job.labels)} labels, but at most {_MOST_LABELS} are taken"
    for key, value in job.labels.items():
        if not _LABEL.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield (
                f"labels holds {key}: {value!r}, but keys and values must be lower-case letters, "
                "digits and inner - or _, at most 63 of them"
            )
        elif key.startswith(_TAKEN_LABELS):
            yield (
                f"labels holds {key}, but names that begin with {' or '.join(_TAKEN_LABELS)} are "
                "taken: choose another"
            )
    secret = job.kubernetes.secret_env if job.kubernetes is not None else {}
    for key, name in [
        *(("env", n) for n in job.env),
        *(("kubernetes.secret_env", n) for n in secret),
    ]:
        if not _ENV_NAME.fullmatch(name):
            yield f"{key} holds {name!r}, which is not a name of an environment variable"
        elif _RESERVED.fullmatch(name):
            yield f"{key} holds {name}, which the platform sets: leave it out"
