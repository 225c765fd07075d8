# SPDX-License-Identifier: MIT
"""Says what is wrong with a job description before a cloud refuses it, or worse, accepts it.

Where one key serves both platforms the stricter rule holds: a name is a Kubernetes object name (RFC
1123 label), a label is a Google Cloud label that Kubernetes takes too.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from trainer.launch.job import Job, Kubernetes, Vertex

Problem = tuple[str, str]

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z]([-_a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?)?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLAG = re.compile(r"--[A-Za-z_][A-Za-z0-9_.]*(=.*)?", re.DOTALL)
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_TENSORBOARD = re.compile(r"projects/[^/]+/locations/[^/]+/tensorboards/[^/]+")
_URI = re.compile(r"[a-z][a-z0-9]*://[^/]+/.+")
# A moved tag would let a restart resume with another program than the one that saved.
_IMAGE = re.compile(
    r"[^\s@]+(@sha256:([0-9a-f]{64}|DIGEST)|:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]*)"
)
_PATH_FLAGS = ("config", "config.model.weights", "data", "predictions")
_WEIGHTS_BY_NAME = ("imagenet", "none")
_LONGEST_HOURS = 28 * 24.0


def problems(job: Job) -> Iterator[Problem]:
    """Yields what is wrong with a job, each as the key in the job file and what to do about it."""
    yield from _whole_numbers(job)
    yield from _identity(job)
    yield from _arguments(job)
    yield from _size(job)
    yield from _labels_and_environment(job)
    if job.vertex is not None:
        yield from _vertex(job.vertex)
    if job.kubernetes is not None:
        yield from _kubernetes(job.kubernetes)


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
    if not _IMAGE.fullmatch(job.image):
        yield (
            "image",
            f"is {job.image!r}, but must be pinned by @sha256:DIGEST or a tag other than latest, "
            "so that a restart runs the same program",
        )
    if not _URI.fullmatch(job.output):
        yield "output", f"is {job.output!r}, but must be a folder in a bucket such as gs://b/runs/1"


def _arguments(job: Job) -> Iterator[Problem]:
    for argument in job.arguments()[:-1]:
        name, _, value = argument.removeprefix("--").partition("=")
        if not _FLAG.fullmatch(argument):
            yield "args", f"holds {argument!r}, but every argument must read --flag=value"
        elif name == "output":
            yield "args", "holds --output, which the key output of the job file already sets"
        elif name in _PATH_FLAGS and not _URI.fullmatch(value) and value not in _WEIGHTS_BY_NAME:
            yield (
                "args",
                f"holds --{name}={value}, but the container sees no file of this machine; "
                "give a path in a bucket such as gs://BUCKET/chestxray14",
            )


def _size(job: Job) -> Iterator[Problem]:
    if job.replicas < 1:
        yield "replicas", f"is {job.replicas}, but must be at least 1"
    if job.restarts < 0:
        yield "restarts", f"is {job.restarts}, but must be 0 (never) or more"
    if not 0 < job.timeout_hours <= _LONGEST_HOURS:
        yield (
            "timeout_hours",
            f"is {job.timeout_hours:g}, but must be above 0 and at most {_LONGEST_HOURS:g}",
        )
    if job.accelerator is None:
        return
    if not re.fullmatch(r"NVIDIA_[A-Z0-9_]+", job.accelerator.type):
        yield (
            "accelerator.type",
            f"is {job.accelerator.type!r}, but must be a GPU in Vertex AI's spelling such as "
            "NVIDIA_L4",
        )
    if job.accelerator.count < 1:
        yield (
            "accelerator.count",
            f"is {job.accelerator.count}, but must be at least 1; leave accelerator out to train "
            "on CPU",
        )


def _labels_and_environment(job: Job) -> Iterator[Problem]:
    for key, value in job.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield (
                "labels",
                f"holds {key}: {value!r}, but keys and values must be lower-case letters, digits "
                "and inner - or _, at most 63 of them",
            )
    for name in job.env:
        if not _ENV_NAME.fullmatch(name):
            yield "env", f"holds {name!r}, which is no name of an environment variable"


def _vertex(vertex: Vertex) -> Iterator[Problem]:
    for key in ("project", "region"):
        if not getattr(vertex, key):
            yield f"vertex.{key}", "is empty"
    if vertex.tensorboard is not None:
        if not _TENSORBOARD.fullmatch(vertex.tensorboard):
            yield (
                "vertex.tensorboard",
                f"is {vertex.tensorboard!r}, but must read "
                "projects/PROJECT/locations/REGION/tensorboards/ID",
            )
        if vertex.service_account is None:
            yield "vertex.service_account", "is missing, but vertex.tensorboard needs it"
    if vertex.boot_disk_gb < 100:
        yield (
            "vertex.boot_disk_gb",
            f"is {vertex.boot_disk_gb}, but Vertex AI gives at least 100",
        )


def _kubernetes(kubernetes: Kubernetes) -> Iterator[Problem]:
    if not _NAME.fullmatch(kubernetes.namespace):
        yield "kubernetes.namespace", f"is {kubernetes.namespace!r}, which is no namespace's name"
    for key in ("cpu", "memory", "shared_memory", "scratch"):
        quantity = getattr(kubernetes, key)
        if not _QUANTITY.fullmatch(quantity):
            yield (
                f"kubernetes.{key}",
                f"is {quantity!r}, but must be a quantity such as 500m or 8Gi",
            )
    if kubernetes.grace_seconds < 15:
        yield (
            "kubernetes.grace_seconds",
            f"is {kubernetes.grace_seconds}, but the trainer needs 15 to save when told to stop",
        )
