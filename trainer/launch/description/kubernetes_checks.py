# SPDX-License-Identifier: MIT
"""Says what is wrong with a job for Kubernetes before it is sent."""

import decimal
import re
from collections.abc import Iterator, Mapping

from trainer.launch.description import argument_checks, machines, patterns, volumes
from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes

_BYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_SIZES = {"memory": 2**30, "shared_memory": 2**20, "scratch": 2**30, "ephemeral_storage": 2**30}
_NODE_LABEL = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_NODE_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_GKE_GPU = "cloud.google.com/gke-accelerator"
# What Google's Kubernetes Engine calls slices of TPUs.
GKE_TPUS = {
    "TPU_V4": "tpu-v4-podslice",
    "TPU_V5E": "tpu-v5-lite-podslice",
    "TPU_V5P": "tpu-v5p-slice",
    "TPU_V6E": "tpu-v6e-slice",
}
_SECRET_KEY = rf"{patterns.SUBDOMAIN}/[-._A-Za-z0-9]+"


def problems(job: Job, kubernetes: Kubernetes) -> Iterator[str]:
    """Yields what a cluster would refuse of a job, or accept and never run."""
    yield from _sizes(job, kubernetes)
    yield from _nodes(job, kubernetes)
    yield from _tolerations(kubernetes)
    yield from _secrets(job, kubernetes)
    copies = job.serve is not None and not job.serve.is_own
    yield from volumes.problems(kubernetes.volumes, serves=copies)
    if job.serve is not None and (problem := argument_checks.place_problem(job, job.served_model)):
        yield f"serve.model is {job.served_model!r}, where the server finds nothing: {problem}"
    if kubernetes.queue is None and kubernetes.queue_priority is not None:
        yield "kubernetes.queue_priority is for Kueue, but kubernetes.queue is missing: name it"
    yield from machines.problems(job.machine_type, job.accelerator, all_of_them=False)


def _sizes(job: Job, kubernetes: Kubernetes) -> Iterator[str]:
    given = {f"kubernetes.{key}": getattr(kubernetes, key) for key in _SIZES}
    if job.preprocess is not None:
        given["preprocess.memory"] = job.preprocess.memory
    if job.serve is not None:
        given |= {"serve.memory": job.serve.memory, "serve.scratch": job.serve.scratch}
    sizes = {}
    for key, quantity in given.items():
        if quantity is None:
            continue
        least = _SIZES.get(key.partition(".")[2], 2**30)
        sizes[key] = size = _bytes(quantity)
        if size is None or size >= 2**63:
            yield f"{key} is {quantity!r}, but must be a quantity such as 8Gi"
        elif size < least:
            yield (
                f"{key} is {quantity!r}, {size:f} bytes, and at least {least} are needed: check "
                "the unit, as in 8Gi"
            )
    yield from _proportions(kubernetes, sizes)


def _proportions(
    kubernetes: Kubernetes, sizes: Mapping[str, decimal.Decimal | None]
) -> Iterator[str]:
    """Compares what counts against something else with that, in bytes."""
    memory, shared = sizes["kubernetes.memory"], sizes["kubernetes.shared_memory"]
    if memory and shared and shared >= memory:
        yield (
            f"kubernetes.shared_memory is {kubernetes.shared_memory}, which counts against "
            f"kubernetes.memory, {kubernetes.memory}: lower it, or raise the memory"
        )
    disk, scratch = sizes.get("kubernetes.ephemeral_storage"), sizes["kubernetes.scratch"]
    if disk and scratch and disk < scratch:
        yield (
            f"kubernetes.ephemeral_storage is {kubernetes.ephemeral_storage}, less than "
            f"kubernetes.scratch, {kubernetes.scratch}, which counts against it: raise it"
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
    if job.accelerator is not None and job.accelerator.is_tpu:
        if wanted is not None:
            yield (
                f"kubernetes.node_selector asks for {wanted}, a GPU, but accelerator.type is "
                f"{job.accelerator.type}: change one"
            )
        if job.accelerator.type not in GKE_TPUS:
            yield (
                f"accelerator.type is {job.accelerator.type}, which Google's Kubernetes Engine "
                f"does not have: use {' or '.join(GKE_TPUS)}"
            )
        return
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


def _tolerations(kubernetes: Kubernetes) -> Iterator[str]:
    for at, one in enumerate(kubernetes.tolerations):
        key = f"kubernetes.tolerations.{at}"
        if one.operator == "Exists" and one.value is not None:
            yield f"{key}.value counts only with operator Equal: set that, or leave the value out"
        if one.operator == "Equal" and one.value is None:
            yield f"{key}.value is missing, but its operator is Equal: name it, or use Exists"
        if not one.key and one.operator == "Equal":
            yield f"{key}.key is missing, but its operator is Equal: name it"
        if (one.key and not _NODE_LABEL.fullmatch(one.key)) or not _NODE_VALUE.fullmatch(
            one.value or ""
        ):
            yield f"{key} holds {one.key}={one.value or ''}, which no taint can be: correct it"


def _secrets(job: Job, kubernetes: Kubernetes) -> Iterator[str]:
    """Finds what names no secret, without showing it: it may be the secret itself."""
    for name, source in kubernetes.secret_env.items():
        if not re.fullmatch(_SECRET_KEY, source):
            yield f"kubernetes.secret_env.{name} must read NAME: SECRET/KEY, of a Secret"
        elif name in job.env:
            yield f"kubernetes.secret_env holds {name}, which env sets too: leave one out"
    for at, source in enumerate(kubernetes.env_from):
        if not re.fullmatch(rf"(secret|config_map)/{patterns.SUBDOMAIN}", source):
            yield f"kubernetes.env_from.{at} must read secret/NAME or config_map/NAME"
    for at, secret in enumerate(kubernetes.image_pull_secrets):
        if not re.fullmatch(patterns.SUBDOMAIN, secret):
            yield f"kubernetes.image_pull_secrets.{at} must be {patterns.SUBDOMAIN_FORM}"


def _gke_name(kind: str) -> str:
    """Returns what Google's Kubernetes Engine calls a GPU.

    >>> _gke_name("NVIDIA_TESLA_T4")
    'nvidia-tesla-t4'
    """
    return kind.lower().replace("_", "-")
