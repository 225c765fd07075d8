# SPDX-License-Identifier: MIT
"""Says what is wrong with a job description before a cloud refuses it, or worse, accepts it.

What a key may be by itself is declared at it, in `job.py`.
"""

import decimal
import difflib
import re
from collections.abc import Iterator

from trainer.launch import argument_checks, machines
from trainer.launch.job import Job, Kubernetes, Vertex

_LABEL = re.compile(r"[a-z]([-_a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?)?")
_MOST_LABELS = 60
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a platform tells the trainer of its peers; a job that sets it would mislead it.
_RESERVED = re.compile(r"TF_CONFIG|CLUSTER_SPEC|JOB_COMPLETION_INDEX|(CXR14|JOBSET|AIP)_.*")
_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_LEAST = {"memory": 2**30, "shared_memory": 2**20, "scratch": 2**30}
_NODE_LABEL = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_NODE_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_GKE_GPU = "cloud.google.com/gke-accelerator"


def problems(job: Job) -> Iterator[str]:
    """Yields what is wrong with a job, each time the key in the job file first, and what to do."""
    if problem := argument_checks.address_problem(job.output):
        yield f"output is {job.output!r}: use a folder in a bucket such as gs://b/runs/1: {problem}"
    yield from argument_checks.problems(job)
    yield from _labels_and_environment(job)
    if job.vertex is not None:
        yield from _vertex(job, job.vertex)
    if job.kubernetes is not None:
        yield from _sizes(job.kubernetes)
        yield from _nodes(job, job.kubernetes)
        yield from machines.problems(job.machine_type, job.accelerator, all_of_them=False)


def _labels_and_environment(job: Job) -> Iterator[str]:
    if len(job.labels) > _MOST_LABELS:
        yield f"labels holds {len(job.labels)} labels, but at most {_MOST_LABELS} are taken"
    for key, value in job.labels.items():
        if not _LABEL.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield (
                f"labels holds {key}: {value!r}, but keys and values must be lower-case letters, "
                "digits and inner - or _, at most 63 of them"
            )
    for name in job.env:
        if not _ENV_NAME.fullmatch(name):
            yield f"env holds {name!r}, which is not a name of an environment variable"
        elif _RESERVED.fullmatch(name):
            yield f"env holds {name}, which the platform sets: leave it out"


def _vertex(job: Job, vertex: Vertex) -> Iterator[str]:
    if vertex.tensorboard is not None:
        region = vertex.tensorboard.split("/")[3]
        if region != vertex.region:
            yield (
                f"vertex.tensorboard is in {region}, but must be in the job's region, "
                f"{vertex.region}"
            )
        if vertex.service_account is None:
            yield "vertex.service_account is missing, but vertex.tensorboard needs it"
    if job.accelerator is not None and job.accelerator.type not in machines.VERTEX:
        near = difflib.get_close_matches(job.accelerator.type, machines.VERTEX)
        yield (
            f"accelerator.type is {job.accelerator.type}, which Vertex AI does not have: use "
            f"{' or '.join(near or machines.VERTEX)}"
        )
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=True)


def _sizes(kubernetes: Kubernetes) -> Iterator[str]:
    sizes = {}
    for key, least in _LEAST.items():
        quantity = getattr(kubernetes, key)
        sizes[key] = size = _bytes(quantity)
        if size is None:
            yield f"kubernetes.{key} is {quantity!r}, but must be a quantity such as 8Gi"
        elif size < least:
            yield (
                f"kubernetes.{key} is {quantity!r}, {size:f} bytes, and the trainer needs at least "
                f"{least}: check the unit, as in 8Gi"
            )
    memory, shared = sizes["memory"], sizes["shared_memory"]
    if memory and shared and shared >= memory:
        yield (
            f"kubernetes.shared_memory is {kubernetes.shared_memory}, which counts against "
            f"kubernetes.memory, {kubernetes.memory}: lower it, or raise the memory"
        )


def _bytes(quantity: str) -> decimal.Decimal | None:
    """Returns what a quantity of Kubernetes means, None if it is not one of bytes.

    >>> _bytes("1.5Ki"), _bytes("2M"), _bytes("500m")
    (Decimal('1536.0'), Decimal('2000000'), None)
    """
    parts = _BYTES.fullmatch(quantity)
    if parts is None:
        return None
    unit = parts[2] or ""
    base = 1024 if unit.endswith("i") else 1000
    power = _UNITS[unit.removesuffix("i").replace("K", "k")]
    return decimal.Decimal(parts[1]) * decimal.Decimal(base**power)


def _nodes(job: Job, kubernetes: Kubernetes) -> Iterator[str]:
    """Finds labels that no node can have, or none that has what is asked for."""
    for key, value in kubernetes.node_selector.items():
        if not _NODE_LABEL.fullmatch(key) or not _NODE_VALUE.fullmatch(value):
            yield f"kubernetes.node_selector holds {key}: {value!r}, which is not a label of a node"
    wanted = kubernetes.node_selector.get(_GKE_GPU)
    if wanted is None:
        return
    if job.accelerator is None:
        yield (
            f"accelerator is missing, but kubernetes.node_selector asks for {wanted}, whose nodes "
            "take no other pods: name it, or drop the selector"
        )
    elif (kind := job.accelerator.type) in machines.VERTEX and wanted != _gke_name(kind):
        yield (
            f"kubernetes.node_selector asks for {wanted}, but accelerator.type is {kind}: change "
            "one"
        )


def _gke_name(kind: str) -> str:
    """Returns what Google's Kubernetes Engine calls a GPU.

    >>> _gke_name("NVIDIA_TESLA_T4")
    'nvidia-tesla-t4'
    """
    return kind.lower().replace("_", "-")
