# SPDX-License-Identifier: MIT
"""What is missing in a project is found before a job is paid for, with the command that helps."""

from collections.abc import Callable
from typing import Any

import pytest
from cxr14_google_apis import PLACE, info

from trainer.launch import platform
from trainer.launch.description import job_file as reader
from trainer.launch.platform import Finding
from trainer.launch.vertex.vertex_ai import VertexAI

ACCOUNT = "trainer@my-project.iam.gserviceaccount.com"
METRIC = "custom_model_training_nvidia_l4_gpus"
Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def look(impatient: None, google_apis: Any, job_file: Callable[..., str]) -> Look:
    """Looks at a project that has all that is needed; returns the findings by what they are of."""
    google_apis.services = {
        f"{name}.googleapis.com"
        for name in ("aiplatform", "logging", "storage", "artifactregistry")
    }
    google_apis.permissions = {
        *(f"aiplatform.customJobs.{verb}" for verb in ("create", "list", "cancel")),
        *(f"aiplatform.hyperparameterTuningJobs.{verb}" for verb in ("create", "list", "cancel")),
        "logging.logEntries.list",
    }
    google_apis.accounts = {ACCOUNT: {"iam.serviceAccounts.actAs"}}
    google_apis.quotas = {f"aiplatform.googleapis.com/{METRIC}": 8}
    google_apis.machines = {"g2-standard-24": ["europe-west4-b", "us-central1-a", "us-central1-c"]}

    def found(**changes: Any) -> dict[str, Finding]:
        vertex = {"project": "my-project", "region": "us-central1", "service_account": ACCOUNT}
        image = "europe-docker.pkg.dev/my-project/cxr14/trainer:1.0"
        job = reader.load(job_file(**{"vertex": vertex, "image": image, **changes}))
        place = VertexAI("my-project", "us-central1", google_apis.address)
        return {one.what.partition(" ")[0]: one for one in place.findings(job, "train")}

    return found


def test_where_nothing_is_missing_everything_is_well(look: Look) -> None:
    found = look()
    assert {name: one.ok for name, one in found.items()} == dict.fromkeys(
        ("login", "project", "APIs", "permissions", "service", "quota", "machine", "writers"), True
    )
    assert "number 123" in found["project"].said
    assert found["machine"].said.startswith("in us-central1-a, us-central1-c;")
    assert not any(one.fix for one in found.values())


def test_an_api_that_is_off_is_named_with_the_command(look: Look, google_apis: Any) -> None:
    google_apis.services -= {"artifactregistry.googleapis.com", "logging.googleapis.com"}
    found = look()["APIs"]
    assert not found.ok and found.fix == (
        "run `gcloud services enable logging.googleapis.com artifactregistry.googleapis.com "
        "--project=my-project` and wait a minute"
    )
    assert "artifactregistry" not in look(image="registry.example.com/cxr14:1.0")["APIs"].said


def test_permissions_that_are_missing_are_named_with_their_roles(
    look: Look, google_apis: Any
) -> None:
    google_apis.permissions = {"aiplatform.customJobs.list", "logging.logEntries.list"}
    found = look()["permissions"]
    assert not found.ok and "aiplatform.customJobs.create, aiplatform.customJobs.c" in found.said
    assert found.fix.count("--role=") == 1 and found.fix.endswith("--role=roles/aiplatform.user`")


def test_a_service_account_must_be_there_and_usable(look: Look, google_apis: Any) -> None:
    google_apis.accounts = {ACCOUNT: set()}
    found = look()["service"]
    assert not found.ok and f"add-iam-policy-binding {ACCOUNT} " in found.fix
    google_apis.accounts = {}
    found = look()["service"]
    assert found.fix == "run `gcloud iam service-accounts create trainer --project=my-project`"
    assert look(vertex={"project": "my-project", "region": "us-central1"})["service"].ok is None


def test_what_may_not_be_seen_is_unknown_and_says_why(look: Look, google_apis: Any) -> None:
    google_apis.fail("/v1/projects/my-project", 403, times=2, message="no")
    google_apis.fail("/compute/", 403, details=info("SERVICE_DISABLED"))
    google_apis.fail("/consumerQuotaMetrics/", 503, times=1000)
    found = look()
    assert [found[name].ok for name in ("project", "APIs", "machine", "quota")] == [None] * 4
    assert "--role=roles/browser" in found["project"].said
    assert "`gcloud services enable compute.googleapis.com" in found["machine"].said
    assert "Service Usage did not answer" in found["quota"].said
    assert found["permissions"].ok


def test_a_job_that_writes_there_already_is_shown(
    look: Look, google_apis: Any, job_file: Callable[..., str]
) -> None:
    job = reader.load(job_file())
    google_apis.add("customJobs", labels=platform.labels(job, "train", job.output))
    assert f"{PLACE}/customJobs/1 is waiting" in look()["writers"].said


def test_without_a_login_nothing_else_is_looked_at(
    impatient: None, google_apis: Any, job_file: Callable[..., str]
) -> None:
    job = reader.load(job_file())
    [found] = VertexAI("my-project", "us-central1").findings(job, "train")
    assert found.what == "login" and not found.ok
    assert "`gcloud auth application-default login`" in found.said


def test_where_nothing_answers_nothing_is_known(
    launch: Callable[..., tuple[int, str, str]], google_apis: Any, job_file: Callable[..., str]
) -> None:
    google_apis.fail(".", 503, times=10_000)
    code, out, err = launch("doctor", f"--job={job_file()}")
    assert code == 69 and "did not answer" in err and err.count("\n") == 1
    assert "unknown writers" in out
