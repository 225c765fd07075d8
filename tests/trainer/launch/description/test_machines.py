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
    ("ct5lp-hightpu-4t", None, 0, "{type: TPU_V5E, count: 4, topology: 2x2}"),
    ("ct6e-standard-8t", None, 0, "{type: TPU_V6E, count: 8, topology: 2x4}"),
    ("cloud-tpu", None, 0, "a machine with TPUs"),
]
GOOD_TPUS = [
    ("ct5lp-hightpu-1t", "TPU_V5E", 1, "1x1"),
    ("ct5lp-hightpu-4t", "TPU_V5E", 4, "2x2"),
    ("ct5lp-hightpu-8t", "TPU_V5E", 8, "2x4"),
    ("ct6e-standard-4t", "TPU_V6E", 4, "2x2"),
    ("ct5p-hightpu-4t", "TPU_V5P", 4, "2x2x1"),
    (None, "TPU_V5E", 8, "2x4"),
]
BAD_TPUS = [
    ("ct5lp-hightpu-8t", "TPU_V5E", 8, None, "accelerator.topology is missing"),
    ("ct5lp-hightpu-8t", "TPU_V5E", 8, "2x2", "of 4 chips, but accelerator.count is 8"),
    (
        "ct5lp-hightpu-4t",
        "TPU_V5E",
        8,
        "2x4",
        "the machine ct5lp-hightpu-4t, which has",
    ),
    ("ct5lp-hightpu-8t", "TPU_V6E", 8, "2x4", "which has {type: TPU_V5E"),
    (
        "g2-standard-12",
        "TPU_V5E",
        8,
        "2x4",
        "which has no TPU, but accelerator.type is TPU_V5E: use ct5lp-hightpu-8t",
    ),
    (None, "TPU_V5E", 16, "4x4", "which no single host of TPU_V5E has"),
    (None, "TPU_V6E", 64, "8x8", "use 1x1 or 2x2 or 2x4"),
    ("ct4p-hightpu-4t", "TPU_V4", 4, "2x2", "use 1x1x1 or"),
    ("ct5p-hightpu-4t", "TPU_V5P", 8, "2x2x2", "which no single host"),
    ("ct5lp-hightpu-16t", "TPU_V5E", 8, "2x4", "machine_type is 'ct5lp-hightpu-16t', which is"),
    ("n2-standard-8", "TPU_V9", 2, "1x2", "such as ct5lp-hightpu-8t"),
    ("g2-standard-12", "NVIDIA_L4", 1, "1x1", "which only TPUs have"),
]


def found(
    machine: str | None,
    kind: str | None,
    count: int,
    all_of_them: bool = True,
    topology: str | None = None,
) -> list[str]:
    accelerator = None if kind is None else Accelerator(type=kind, count=count, topology=topology)
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


@pytest.mark.parametrize(("machine", "kind", "count", "topology"), GOOD_TPUS)
def test_chips_of_one_host_can_be_had(
    machine: str | None, kind: str, count: int, topology: str
) -> None:
    assert found(machine, kind, count, topology=topology) == []


@pytest.mark.parametrize(("machine", "kind", "count", "topology", "named"), BAD_TPUS)
def test_chips_that_are_not_so_connected_are_named(
    machine: str | None, kind: str, count: int, topology: str | None, named: str
) -> None:
    [problem] = found(machine, kind, count, topology=topology)
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
