# SPDX-License-Identifier: MIT
"""The rendered CustomJobSpec says what the job file says, in words that Vertex AI knows."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.launch import task
from trainer.launch.description import job_file
from trainer.launch.vertex import render

aiplatform = pytest.importorskip(
    "google.cloud.aiplatform_v1", reason="google-cloud-aiplatform is not installed"
)
json_format = pytest.importorskip("google.protobuf.json_format")
ACCOUNT = "me@proj-x.iam.gserviceaccount.com"


def spec_of(path: str) -> dict[str, Any]:
    spec = render.render(job_file.load(path))
    json_format.ParseDict(spec, aiplatform.CustomJobSpec.pb()())
    return spec


def test_one_replica_is_one_pool(job_file: Callable[..., str]) -> None:
    [pool] = spec_of(job_file())["workerPoolSpecs"]
    assert pool["replicaCount"] == 1
    assert pool["machineSpec"] == {
        "machineType": "g2-standard-24",
        "acceleratorType": "NVIDIA_L4",
        "acceleratorCount": 2,
    }


def test_the_chief_stands_alone_in_the_first_pool(job_file: Callable[..., str]) -> None:
    chief, others = spec_of(job_file(replicas=4))["workerPoolSpecs"]
    assert (chief.pop("replicaCount"), others.pop("replicaCount")) == (1, 3)
    assert chief == others


def test_without_accelerator_the_machine_has_none(job_file: Callable[..., str]) -> None:
    [pool] = spec_of(job_file(accelerator=..., machine_type="n2-standard-8"))["workerPoolSpecs"]
    assert pool["machineSpec"] == {"machineType": "n2-standard-8"}


@pytest.mark.parametrize(("spot", "strategy"), [(True, "SPOT"), (False, "STANDARD")])
def test_spot_chooses_the_strategy(job_file: Callable[..., str], spot: bool, strategy: str) -> None:
    assert spec_of(job_file(spot=spot))["scheduling"]["strategy"] == strategy


@pytest.mark.parametrize(("restarts", "again"), [(0, False), (3, True)])
def test_no_restarts_means_no_retries(
    job_file: Callable[..., str], restarts: int, again: bool
) -> None:
    scheduling = spec_of(job_file(restarts=restarts, timeout_hours=1.5))["scheduling"]
    assert scheduling["restartJobOnWorkerRestart"] is again
    assert scheduling["disableRetries"] is not again
    assert scheduling["timeout"] == "5400s"


def test_output_account_tensorboard_and_environment_are_passed(
    job_file: Callable[..., str],
) -> None:
    board = "projects/1/locations/us-central1/tensorboards/2"
    section = {"project": "proj-x", "region": "us-central1", "service_account": ACCOUNT}
    spec = spec_of(job_file(vertex={**section, "tensorboard": board}, env={"LEVEL": "2"}))
    assert spec["baseOutputDirectory"] == {"outputUriPrefix": "gs://my-bucket/runs/quick"}
    assert (spec["serviceAccount"], spec["tensorboard"]) == (ACCOUNT, board)
    container = spec["workerPoolSpecs"][0]["containerSpec"]
    assert container["env"] == [{"name": "LEVEL", "value": "2"}]
    assert container["args"][-1] == "--output=gs://my-bucket/runs/quick"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"machine_type": ...}, ": machine_type is missing"),
        ({"vertex": ...}, ": vertex is missing"),
        (
            {"output": "s3://bucket/run"},
            ", line 3: output is 's3://bucket/run', but Vertex AI writes to gs",
        ),
    ],
)
def test_what_vertex_cannot_do_without_is_named(
    job_file: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    sentence: str,
) -> None:
    path = job_file(**changes)
    assert task.run(["cxr14-launch", "vertex", f"--job={path}", "--dry_run"]) == 78
    shown = capsys.readouterr()
    assert shown.out == "" and f"{path}{sentence}" in shown.err
