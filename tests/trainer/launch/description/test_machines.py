# SPDX-License-Identifier: MIT
"""Machines and GPUs that do not go together are named, all others pass."""

import pytest

from trainer.launch.description import machines
from trainer.launch.description.job import Accelerator

GOOD = [
    ("g2-standard-12", "NVIDIA_L4", 1),
    ("g2-standard-96", "NVIDIA_L4", 8),
    ("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8),
    ("a3-highgpu-8g", "NVIDIA_H100_80GB", 8),
    ("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8),
    ("a4-highgpu-8g", "NVIDIA_B200", 8),
    ("g4-standard-96", "NVIDIA_RTX_PRO_6000", 2),
    ("n1-standard-16", "NVIDIA_TESLA_T4", 4),
    ("n1-highmem-8", "NVIDIA_TESLA_V100", 8),
    ("p4d.24xlarge", "NVIDIA_TESLA_A100", 8),
    ("n2-standard-8", None, 0),
    ("n1-standard-8", None, 0),
    (None, "NVIDIA_L4", 3),
]
BAD = [
    ("g2-standard-12", "NVIDIA_L4", 2, "accelerator.count is 2"),
    ("g2-standard-96", "NVIDIA_L4", 4, "accelerator.count is 4"),
    ("g2-standard-12", "NVIDIA_TESLA_T4", 1, "accelerator.type is NVIDIA_TESLA_T4"),
    ("g2-standard-12", None, 0, "accelerator is missing"),
    ("g2-standard-7", "NVIDIA_L4", 1, "machine_type is 'g2-standard-7'"),
    ("a2-highgpu-3g", "NVIDIA_TESLA_A100", 3, "a2-highgpu-4g"),
    ("n1-standard-8", "NVIDIA_TESLA_T4", 3, "numbers of 1, 2, 4"),
    ("n1-standard-8", "NVIDIA_L4", 1, "such as g2-standard-4"),
    ("n2-standard-8", "NVIDIA_TESLA_T4", 1, "such as n1-standard-8"),
    ("e2-highmem-16", "NVIDIA_H100_80GB", 1, "such as a3-highgpu-1g"),
    ("ct5lp-hightpu-4t", None, 0, "whose topology"),
    ("ct6e-standard-8t", None, 0, "whose topology"),
    ("cloud-tpu", None, 0, "whose topology"),
]


def found(machine: str | None, kind: str | None, count: int, all_of_them: bool = True) -> list[str]:
    accelerator = None if kind is None else Accelerator(type=kind, count=count)
    return list(machines.problems(machine, accelerator, all_of_them=all_of_them))


@pytest.mark.parametrize(("machine", "kind", "count"), GOOD)
def test_what_can_be_had_passes(machine: str | None, kind: str | None, count: int) -> None:
    assert found(machine, kind, count) == []


@pytest.mark.parametrize(("machine", "kind", "count", "named"), BAD)
def test_what_cannot_be_had_is_named(
    machine: str, kind: str | None, count: int, named: str
) -> None:
    [problem] = found(machine, kind, count)
    assert named in problem


def test_a_pod_may_ask_for_part_of_a_node_but_not_for_more() -> None:
    assert found("g2-standard-96", "NVIDIA_L4", 2, all_of_them=False) == []
    [problem] = found("g2-standard-24", "NVIDIA_L4", 4, all_of_them=False)
    assert "has 2 NVIDIA_L4" in problem


def test_the_gpus_are_those_of_vertex_ai() -> None:
    aiplatform = pytest.importorskip(
        "google.cloud.aiplatform_v1", reason="google-cloud-aiplatform is not installed"
    )
    known = {kind.name for kind in aiplatform.AcceleratorType if kind.name.startswith("NVIDIA")}
    assert known - set(machines.VERTEX) == {"NVIDIA_TESLA_K80"}  # which is no longer offered
    assert set(machines.VERTEX) <= known
