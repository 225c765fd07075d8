# SPDX-License-Identifier: MIT
"""A job that no quota or no machine of the region allows is found before it waits for days."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.launch.description import job_file as reader
from trainer.launch.vertex import quota
from trainer.launch.vertex.service import Google


@pytest.fixture
def google(impatient: None, google_apis: Any) -> Google:
    return Google("my-project", "us-central1", google_apis.address)


@pytest.mark.parametrize(
    ("limit", "ok", "said"),
    [
        (8, True, "8, of which other jobs may use some, and this one needs 6"),
        (5, False, "5, of which other jobs may use some, and this one needs 6"),
        (-1, True, "unlimited"),
        (None, None, "Google does not say"),
    ],
)
def test_a_quota_must_hold_all_accelerators_of_all_replicas(
    google: Google,
    google_apis: Any,
    job_file: Callable[..., str],
    limit: int | None,
    ok: bool | None,
    said: str,
) -> None:
    metric = "custom_model_training_preemptible_nvidia_l4_gpus"
    if limit is not None:
        google_apis.quotas = {f"aiplatform.googleapis.com/{metric}": limit}
    found = quota.finding(google, reader.load(job_file(replicas=3, spot=True)))
    assert found.what == f"quota {metric} in us-central1"
    assert (found.ok, found.said) == (ok, said)
    assert ("https://console.cloud.google.com/iam-admin/quotas" in found.fix) == (ok is not True)


@pytest.mark.parametrize(
    ("kind", "count", "machine", "metric"),
    [
        ("NVIDIA_TESLA_A100", 1, "a2-highgpu-1g", "nvidia_a100_gpus"),
        ("NVIDIA_A100_80GB", 1, "a2-ultragpu-1g", "nvidia_a100_80gb_gpus"),
        ("NVIDIA_H100_80GB", 8, "a3-highgpu-8g", "nvidia_h100_gpus"),
        ("NVIDIA_H200_141GB", 8, "a3-ultragpu-8g", "nvidia_h200_gpus"),
        ("NVIDIA_TESLA_T4", 1, "n1-standard-8", "nvidia_t4_gpus"),
    ],
)
def test_quotas_are_named_as_google_names_them(
    google: Google,
    job_file: Callable[..., str],
    kind: str,
    count: int,
    machine: str,
    metric: str,
) -> None:
    args = {"data": "gs://my-bucket/shards", "config.data.global_batch_size": 48}
    path = job_file(accelerator={"type": kind, "count": count}, machine_type=machine, args=args)
    found = quota.finding(google, reader.load(path))
    assert found.what == f"quota custom_model_training_{metric} in us-central1"


def test_without_accelerator_the_quota_of_cpus_counts(
    google: Google, google_apis: Any, job_file: Callable[..., str]
) -> None:
    job = reader.load(job_file(accelerator=..., machine_type="n2-standard-8"))
    google_apis.quotas = {"aiplatform.googleapis.com/custom_model_training_cpus": 0}
    found = quota.finding(google, job)
    assert found.ok is False and found.said == "0 CPUs, of which other jobs may use some"


def test_a_machine_must_be_there_in_the_region(
    google: Google, google_apis: Any, job_file: Callable[..., str]
) -> None:
    job = reader.load(job_file())
    found = quota.machine(google, job)
    assert found.ok is False and found.fix == "check machine_type"
    google_apis.machines = {"g2-standard-24": ["europe-west4-b", "europe-west4-c", "us-east1-b"]}
    found = quota.machine(google, job)
    assert found.ok is False and "take one of europe-west4, us-east1 as vertex.region" in found.fix
    google_apis.machines["g2-standard-24"].append("us-central1-f")
    assert quota.machine(google, job).ok
