# SPDX-License-Identifier: MIT
"""Says what is wrong with a job description before a cloud refuses it, or worse, accepts it.

Where one key serves both platforms the stricter rule holds: a name is a Kubernetes object name (RFC
1123 label), a label is a Google Cloud label that Kubernetes takes too.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterator
from typing import Any

from trainer.launch import argument_checks, kubernetes_checks, machines, vertex_checks
from trainer.launch.job import Job, Problem

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z]([-_a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?)?")
_MOST_LABELS = 60
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a platform tells the trainer of its peers; a job that sets it would mislead it.
_RESERVED = re.compile(r"TF_CONFIG|CLUSTER_SPEC|JOB_COMPLETION_INDEX|(CXR14|JOBSET|AIP)_.*")
# A moved tag would let a restart resume with another program than the one that saved.
_IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_PINNED = re.compile(r".*(@sha256:[0-9a-f]{64}|:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]*)")
_SHORTEST_HOURS, _LONGEST_HOURS = 1 / 60, 28 * 24.0


def problems(job: Job) -> Iterator[Problem]:
    """Yields what is wrong with a job, each as the key in the job file and what to do about it."""
    yield from _whole_numbers(job)
    yield from _identity(job)
    yield from _size(job)
    yield from _accelerator(job)
    yield from argument_checks.problems(job)
    yield from _labels_and_environment(job)
    if job.vertex is not None:
        yield from vertex_checks.problems(job, job.vertex)
    if job.kubernetes is not None:
        yield from kubernetes_checks.problems(job, job.kubernetes)


def _whole_numbers(section: Any, prefix: str = "") -> Iterator[Problem]:
    """Refuses `count: true`, which Python takes for 1 and a cloud does not."""
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            yield from _whole_numbers(value, f"{prefix}{field.name}.")
        elif field.type is int and isinstance(value, bool):
            yield f"{prefix}{field.name}", f"is {str(value).lower()}, but must be a whole number"


def _identity(job: Job) -> Iterator[Problem]:
    if not _NAME.fullmatch(job.name):
        yield (
            "name",
            f"is {job.name!r}, but must be at most 63 lower-case letters, digits and "
            "inner hyphens, a letter first",
        )
    if not _IMAGE.fullmatch(job.image) or not _PINNED.fullmatch(job.image):
        yield (
            "image",
            f"is {job.image!r}, but must be REGISTRY/NAME in lower case, pinned by @sha256:DIGEST "
            "or a tag other than latest, so that a restart runs the same program",
        )
    if problem := argument_checks.address_problem(job.output):
        yield (
            "output",
            f"is {job.output!r}, but must be a folder in a bucket such as gs://b/runs/1: {problem}",
        )


def _size(job: Job) -> Iterator[Problem]:
    if job.replicas < 1:
        yield "replicas", f"is {job.replicas}, but must be at least 1"
    if job.restarts < 0:
        yield "restarts", f"is {job.restarts}, but must be 0 (never) or more"
    if not _SHORTEST_HOURS <= job.timeout_hours <= _LONGEST_HOURS:
        yield (
            "timeout_hours",
            f"is {job.timeout_hours:g}, but must be at least a minute, 0.017, and at most "
            f"{_LONGEST_HOURS:g}",
        )


def _accelerator(job: Job) -> Iterator[Problem]:
    if job.accelerator is None:
        return
    kind, known = job.accelerator.type, (*machines.VERTEX, *machines.ELSEWHERE)
    if kind not in known:
        near = difflib.get_close_matches(kind.upper(), known, n=1)
        yield (
            "accelerator.type",
            f"is {kind!r}, but must be a GPU in Vertex AI's spelling such as "
            f"{near[0] if near else 'NVIDIA_L4'}",
        )
    if job.accelerator.count < 1:
        yield (
            "accelerator.count",
            f"is {job.accelerator.count}, but must be at least 1; leave accelerator out to train "
            "on CPU",
        )


def _labels_and_environment(job: Job) -> Iterator[Problem]:
    if len(job.labels) > _MOST_LABELS:
        yield "labels", f"holds {len(job.labels)} labels, but at most {_MOST_LABELS} are taken"
    for key, value in job.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield (
                "labels",
                f"holds {key}: {value!r}, but keys and values must be lower-case letters, digits "
                "and inner - or _, at most 63 of them",
            )
    for name in job.env:
        if not _ENV_NAME.fullmatch(name):
            yield "env", f"holds {name!r}, which is not a name of an environment variable"
        elif _RESERVED.fullmatch(name):
            yield "env", f"holds {name}, which the platform sets: leave it out"
