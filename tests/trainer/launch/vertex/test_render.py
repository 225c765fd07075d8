# SPDX-License-Identifier: MIT
"""The rendered CustomJobSpec says what the job file says, in words that Vertex AI knows."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer import flags
from trainer.launch import task
from trainer.launch.description import job_file as reader
from trainer.launch.vertex import render

aiplatform = pytest.importorskip(
    "google.cloud.aiplatform_v1", reason="google-cloud-aiplatform is not installed"
)
json_format = pytest.importorskip("google.protobuf.json_format")
KEY = "projects/proj-x/locations/us-central1/keyRings/a/cryptoKeys/b"
ACCOUNT = "me@proj-x.iam.gserviceaccount.com"


def spec_of(path: str) -> dict[str, Any]:
    spec = render.render(reader.load(path))
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


def test_a_tpu_is_known_by_its_machine_and_topology(job_file: Callable[..., str]) -> None:
    accelerator = {"type": "TPU_V5E", "count": 4, "topology": "2x2"}
    args = {"data": "gs://b-1/d", "config.runtime.tpu": "local"}
    path = job_file(accelerator=accelerator, machine_type="ct5lp-hightpu-4t", args=args)
    [pool] = spec_of(path)["workerPoolSpecs"]
    assert pool["machineSpec"] == {"machineType": "ct5lp-hightpu-4t", "tpuTopology": "2x2"}


@pytest.mark.parametrize(
    ("hours", "wait"), [(1.5, "5400s"), (0.0001, "1s"), (0, "0s"), (None, None)]
)
def test_a_job_may_wait_for_its_machines(
    job_file: Callable[..., str], hours: float | None, wait: str | None
) -> None:
    section = {"project": "proj-x", "region": "us-central1", "flex_start": True}
    scheduling = spec_of(job_file(vertex={**section, "max_wait_hours": hours}))["scheduling"]
    assert (scheduling["strategy"], scheduling.get("maxWaitDuration")) == ("FLEX_START", wait)
    assert "maxWaitDuration" not in spec_of(job_file())["scheduling"]


def test_networks_and_disks_are_passed(job_file: Callable[..., str]) -> None:
    section = {"project": "proj-x", "region": "us-central1"}
    network = "projects/12345/global/networks/mine"
    spec = spec_of(
        job_file(vertex={**section, "network": network, "boot_disk_type": "pd-standard"})
    )
    assert spec["network"] == network
    disk = {"bootDiskType": "pd-standard", "bootDiskSizeGb": 200}
    assert spec["workerPoolSpecs"][0]["diskSpec"] == disk
    attached = spec_of(job_file(vertex={**section, "network_attachment": "mine"}))
    assert attached["pscInterfaceConfig"] == {"networkAttachment": "mine"}
    assert "network" not in attached
    [pool] = spec_of(job_file())["workerPoolSpecs"]
    assert pool["diskSpec"] == {"bootDiskSizeGb": 200}  # of the type that the machine takes


@pytest.mark.parametrize("key", ["", KEY])
def test_a_job_is_a_whole_that_vertex_ai_knows(job_file: Callable[..., str], key: str) -> None:
    vertex = {"project": "proj-x", "region": "us-central1", "kms_key": key or None}
    kind, body = render.request(reader.load(job_file(vertex=vertex, labels={"a": "b"})), "train")
    assert kind == "customJobs"
    message = json_format.ParseDict(body, aiplatform.CustomJob.pb()())
    assert message.encryption_spec.kms_key_name == key
    assert message.display_name == "quick-run"
    assert message.labels["cxr14-stage"] == "train" and message.labels["a"] == "b"


def test_the_trainer_finds_its_folder_in_what_vertex_ai_sets(job_file: Callable[..., str]) -> None:
    base = spec_of(job_file())["baseOutputDirectory"]["outputUriPrefix"]
    given = ["cxr14-train", "--data=gs://b-1/d"]
    environ = {"AIP_MODEL_DIR": f"{base}/model/"}
    assert flags.parse(given, environ=environ).output == base
    assert flags.parse([*given, "--output=gs://b-1/x"], environ=environ).output == "gs://b-1/x"


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
