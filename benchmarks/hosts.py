# SPDX-License-Identifier: MIT
"""Which record encoding feeds which accelerator: its images/s against what a core makes ready."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Host:
    """A machine type with the speed of its accelerators.

    Attributes:
        name: accelerator and machine type.
        images: images/s that all its accelerators train, ResNet-50, 224 px, mixed precision.
        vcpus: of the machine.
        source: where the speed comes from; none of them was measured here.
    """

    name: str
    images: float
    vcpus: int
    source: str


# Machine types: Google Cloud's lists of GPU machine types; speeds: as stated with each.
HOSTS = (
    Host(
        "1 x T4, n1-standard-8",
        1198,
        8,
        "published upper bound: 1,198 img/s is mixed precision INFERENCE, batch 256 (NVIDIA "
        "DeepLearningExamples, PyTorch ResNet-50 v1.5); training takes about three times the work",
    ),
    Host(
        "1 x L4, g2-standard-12",
        1200,
        12,
        "assumed: three times a T4's training; published is only that inference is up to 4.4 times "
        "a T4's (arXiv 2604.14552)",
    ),
    Host(
        "1 x A100 40 GB, a2-highgpu-1g",
        2375,
        12,
        "published: NVIDIA DeepLearningExamples, TensorFlow ResNet-50 v1.5, AMP + XLA, 20.06",
    ),
    Host(
        "8 x A100 40 GB, a2-highgpu-8g",
        17400,
        96,
        "published: the same table, 8 GPUs",
    ),
    Host(
        "8 x H100, a3-highgpu-8g",
        43500,
        208,
        "assumed: 2.5 times eight A100",
    ),
)


def table(per_core: dict[str, float]) -> str:
    """Returns a Markdown table: how many cores each host would spend on each encoding.

    Args:
        per_core: encoding -> images that a busy core makes ready in a second.
    """
    columns = "".join(f" cores busy with {name} |" for name in per_core)
    lines = [
        f"| host | vCPUs | images/s to feed |{columns} source of the speed (not measured here) |",
        f"|---|---|---|{'---|' * len(per_core)}---|",
    ]
    for host in HOSTS:
        needs = [math.ceil(10 * host.images / speed) / 10 for speed in per_core.values()]
        cells = " | ".join(f"{need:.1f} ({need / host.vcpus:.0%})" for need in needs)
        lines.append(
            f"| {host.name} | {host.vcpus} | {host.images:,.0f} | {cells} | {host.source} |"
        )
    return "\n".join(lines)
