# SPDX-License-Identifier: MIT
"""What Kubernetes would refuse, or accept and never start, is refused before it is asked."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.launch import job_file as reader

GPU = "cloud.google.com/gke-accelerator"

BAD = {
    "shared memory above memory": (
        {"memory": "16Gi", "shared_memory": "32Gi"},
        "kubernetes.shared_memory is 32Gi, which counts against kubernetes.memory, 16Gi",
    ),
    "all of the memory shared": ({"memory": "8Gi", "shared_memory": "8192Mi"}, "shared_memory is"),
    "other units": ({"memory": "8Gi", "shared_memory": "9G"}, "shared_memory is 9G"),
    "memory in bytes": ({"memory": "32"}, "kubernetes.memory is '32', 32 bytes"),
    "memory in thousandths": ({"memory": "500m"}, "kubernetes.memory is '500m'"),
    "no scratch": ({"scratch": "0"}, "kubernetes.scratch is '0'"),
    "memory in capitals": ({"memory": "16GI"}, "kubernetes.memory is '16GI'"),
    "no cores": ({"cpu": "0"}, "kubernetes.cpu is '0'"),
    "cores in GiB": ({"cpu": "4Gi"}, "kubernetes.cpu is '4Gi'"),
    "account by e-mail": (
        {"service_account": "a@p.iam.gserviceaccount.com"},
        "kubernetes.service_account is",
    ),
    "namespace in capitals": ({"namespace": "Research"}, "kubernetes.namespace is 'Research'"),
    "empty namespace": ({"namespace": ""}, "kubernetes.namespace is ''"),
    "label": ({"node_selector": {"pool": "a b"}}, "kubernetes.node_selector holds pool: 'a b'"),
    "another GPU": ({"node_selector": {GPU: "nvidia-tesla-t4"}}, "asks for nvidia-tesla-t4, but"),
}


@pytest.mark.parametrize(("section", "named"), BAD.values(), ids=BAD.keys())
def test_what_cannot_start_is_named(
    job_file: Callable[..., str], section: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=r"^\S+job.yaml: ") as caught:
        reader.load(job_file(kubernetes=section))
    assert named in str(caught.value)


def test_nodes_with_a_gpu_take_no_job_without(job_file: Callable[..., str]) -> None:
    section = {"node_selector": {GPU: "nvidia-l4"}}
    path = job_file(accelerator=..., machine_type=..., kubernetes=section)
    with pytest.raises(ConfigError, match="accelerator is missing"):
        reader.load(path)


@pytest.mark.parametrize(
    "section",
    [
        {"cpu": "500m"},
        {"cpu": "7.5", "memory": "1.5Ti", "shared_memory": "64Gi"},
        {"memory": "32G", "shared_memory": "29Gi"},
        {"namespace": "1st-team", "service_account": "trainer.v2"},
        {"node_selector": {GPU: "nvidia-l4", "example.com/pool": "a_B.c"}},
    ],
)
def test_what_can_start_passes(job_file: Callable[..., str], section: dict[str, Any]) -> None:
    assert reader.load(job_file(kubernetes=section)).kubernetes is not None
