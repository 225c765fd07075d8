# SPDX-License-Identifier: MIT
"""Says what Kubernetes would refuse in a job, or accept and never start."""

import decimal
import re
from collections.abc import Iterator

from trainer.launch import machines
from trainer.launch.job import Job, Kubernetes, Problem

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_CPU = re.compile(r"[0-9]+(\.[0-9]+)?|[0-9]+m")
_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_UNITS: dict[str, int] = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_LEAST = {"memory": 2**30, "shared_memory": 2**20, "scratch": 2**30}
_GKE_GPU = "cloud.google.com/gke-accelerator"


def problems(job: Job, kubernetes: Kubernetes) -> Iterator[Problem]:
    """Yields what is wrong, each as the key in the job file and what to do about it."""
    if not _NAMESPACE.fullmatch(kubernetes.namespace):
        yield (
            "kubernetes.namespace",
            f"is {kubernetes.namespace!r}, which is not a namespace's name",
        )
    account = kubernetes.service_account
    if account is not None and not _ACCOUNT.fullmatch(account):
        yield (
            "kubernetes.service_account",
            f"is {account!r}, but must be a service account's name in the namespace, no e-mail",
        )
    yield from _quantities(kubernetes)
    if kubernetes.grace_seconds < 15:
        yield (
            "kubernetes.grace_seconds",
            f"is {kubernetes.grace_seconds}, but the trainer needs 15 to save when told to stop",
        )
    yield from _nodes(job, kubernetes)
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=False)


def _quantities(kubernetes: Kubernetes) -> Iterator[Problem]:
    cpu = kubernetes.cpu
    if not _CPU.fullmatch(cpu) or not float(cpu.removesuffix("m")):
        yield "kubernetes.cpu", f"is {cpu!r}, but must be a quantity of cores such as 500m or 8"
    sizes = {}
    for key, least in _LEAST.items():
        quantity = getattr(kubernetes, key)
        sizes[key] = size = _bytes(quantity)
        if size is None:
            yield f"kubernetes.{key}", f"is {quantity!r}, but must be a quantity such as 8Gi"
        elif size < least:
            yield (
                f"kubernetes.{key}",
                f"is {quantity!r}, {size:f} bytes, and the trainer needs at least {least}: mind "
                "the unit, as in 8Gi",
            )
    memory, shared = sizes["memory"], sizes["shared_memory"]
    if memory and shared and shared >= memory:
        yield (
            "kubernetes.shared_memory",
            f"is {kubernetes.shared_memory}, which counts against kubernetes.memory, "
            f"{kubernetes.memory}: lower it, or raise the memory",
        )


def _bytes(quantity: str) -> decimal.Decimal | None:
    """Returns what a quantity of Kubernetes stands for, None if it is none of bytes.

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


def _nodes(job: Job, kubernetes: Kubernetes) -> Iterator[Problem]:
    """Finds labels that no node can have, or none that has what is asked for."""
    for key, value in kubernetes.node_selector.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield (
                "kubernetes.node_selector",
                f"holds {key}: {value!r}, which is not a label of a node",
            )
    wanted = kubernetes.node_selector.get(_GKE_GPU)
    if wanted is None:
        return
    if job.accelerator is None:
        yield (
            "accelerator",
            f"is missing, but kubernetes.node_selector asks for {wanted}, whose nodes take no "
            "other pods: name it, or drop the selector",
        )
    elif job.accelerator.type in machines.VERTEX and wanted != _gke_name(job.accelerator.type):
        yield (
            "kubernetes.node_selector",
            f"asks for {wanted}, but accelerator.type is {job.accelerator.type}: change one",
        )


def _gke_name(kind: str) -> str:
    """Returns what Google's Kubernetes Engine calls a GPU.

    >>> _gke_name("NVIDIA_TESLA_T4")
    'nvidia-tesla-t4'
    """
    return kind.lower().replace("_", "-")
