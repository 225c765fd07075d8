# SPDX-License-Identifier: MIT
"""Says what is wrong with a job for Kubernetes before it is sent."""

import decimal
import re
from collections.abc import Iterator

from trainer.launch.description import machines
from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes

_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_LEAST = {"memory": 2**30, "shared_memory": 2**20, "scratch": 2**30}
_NODE_LABEL = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_NODE_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_GKE_GPU = "cloud.google.com/gke-accelerator"


def problems(job: Job, kubernetes: Kubernetes) -> Iterator[str]:
    """Yields what a cluster would refuse of a job, or accept and never run."""
    yield from _sizes(kubernetes)
    yield from _nodes(job, kubernetes)
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=False)


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
