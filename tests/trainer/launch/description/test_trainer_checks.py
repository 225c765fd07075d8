# SPDX-License-Identifier: MIT
"""Whatever a trainer would refuse on its machines is refused before they are paid for."""

import itertools
import json
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import settings
from trainer.config import RuntimeConfig
from trainer.distribution import runtime
from trainer.launch.description import checks, trainer_checks
from trainer.launch.description.job import Job

# Setting -> some of its values; and what a job may run on, as machine, accelerator and replicas.
SETTINGS: dict[str, tuple[Any, ...]] = {
    "strategy": ("auto", "one_device", "mirrored", "multi_worker", "tpu"),
    "accelerator": ("any", "gpu"),
    "tpu": ("", "local"),
    "xla": (False, True),
    "deterministic": (False, True),
    "logical_cpus": (0, 2),
}
PLACES: list[tuple[str, dict[str, Any] | None, int]] = [
    ("n2-standard-8", None, 1),
    ("n2-standard-8", None, 2),
    ("g2-standard-12", {"type": "NVIDIA_L4", "count": 1}, 1),
    ("g2-standard-24", {"type": "NVIDIA_L4", "count": 2}, 1),
    ("g2-standard-12", {"type": "NVIDIA_L4", "count": 1}, 2),
    ("ct5lp-hightpu-4t", {"type": "TPU_V5E", "count": 4, "topology": "2x2"}, 1),
]


def job_with(chosen: dict[str, Any], place: tuple[str, dict[str, Any] | None, int]) -> Job:
    machine, accelerator, replicas = place
    values = {
        "name": "x",
        "image": "registry.example.com/cxr14:1.0",
        "output": "gs://my-bucket/run",
        "args": {
            "data": "gs://my-bucket/shards",
            **{f"config.runtime.{name}": value for name, value in chosen.items()},
        },
        "machine_type": machine,
        "accelerator": accelerator,
        "replicas": replicas,
        "vertex": {"project": "my-project", "region": "us-central1"},
    }
    return settings.from_mapping(Job, values, origin="a job")


def would_fail(chosen: dict[str, Any], job: Job) -> bool:
    """Chooses as the trainer does on the job's machines, with what its platform tells it there."""
    hosts = [f"host-{at}:2222" for at in range(job.replicas)]
    cluster = {"chief": hosts[:1], **({"worker": hosts[1:]} if hosts[1:] else {})}
    environ = {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "chief", "index": 0}})}
    has = job.accelerator
    gpus = has.count if has is not None and not has.is_tpu else 0
    try:
        runtime.choose(RuntimeConfig(**chosen), environ, gpus)
    except ConfigError:
        return True
    return False


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]} x {place[2]}")
def test_what_the_trainer_refuses_of_its_devices_is_refused_in_the_job_file(
    place: tuple[str, dict[str, Any] | None, int],
) -> None:
    refused = 0
    for combination in itertools.product(*SETTINGS.values()):
        chosen = dict(zip(SETTINGS, combination, strict=True))
        if chosen["logical_cpus"] and place[1] is not None:
            continue
        job = job_with(chosen, place)
        if would_fail(chosen, job):
            refused += 1
            problems = itertools.chain(checks.problems(job), trainer_checks.problems(job))
            assert next(problems, None) is not None, chosen
    assert refused > 20
