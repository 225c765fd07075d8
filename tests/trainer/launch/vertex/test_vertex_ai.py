# SPDX-License-Identifier: MIT
"""Jobs are sent as they are shown, found by their names, listed and ended."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_google_apis import PLACE, info, labels

from trainer.launch import platform
from trainer.launch.description import job_file as reader

Launch = Callable[..., tuple[int, str, str]]
CREATE = "^POST .*/customJobs$"


def test_what_is_sent_is_what_dry_run_prints(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file(labels={"team": "chest"})
    job = reader.load(path)
    code, out, err = launch("submit", f"--job={path}")
    assert (code, out, err) == (0, f"{PLACE}/customJobs/1\n", "")
    [body] = google_apis.made(CREATE)
    assert body["labels"]["cxr14-name"] == body["displayName"] == "quick-run"
    assert body["labels"] == {
        "app": "cxr14",
        "team": "chest",
        **platform.labels(job, "train", "gs://my-bucket/runs/quick"),
    }
    _, out, _ = launch("submit", f"--job={path}", "--dry_run")
    assert as_message(body["jobSpec"]) == as_message(yaml.safe_load(out))


def as_message(spec: dict[str, Any]) -> Any:
    """Brings specs that spell numbers and enumerations differently to one form."""
    aiplatform = pytest.importorskip(
        "google.cloud.aiplatform_v1", reason="google-cloud-aiplatform is not installed"
    )
    json_format = pytest.importorskip("google.protobuf.json_format")
    return json_format.ParseDict(spec, aiplatform.CustomJobSpec.pb()())


def test_flags_move_a_job_to_another_place(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file()
    code, out, _ = launch("submit", f"--job={path}", "--region=europe-west4")
    assert (code, out) == (0, "projects/my-project/locations/europe-west4/customJobs/1\n")
    assert launch("status", f"--job={path}")[0] == 64
    assert launch("status", f"--job={path}", "--region=europe-west4")[0] == 0


def test_an_accelerator_unknown_to_vertex_is_refused_before_sending(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file(accelerator={"type": "NVIDIA_L999", "count": 1})
    code, _, err = launch("submit", f"--job={path}")
    assert code == 78 and "NVIDIA_L999" in err and google_apis.requests == []


def test_a_job_that_is_not_there_is_a_usage_error(launch: Launch) -> None:
    code, out, err = launch("status", "nothing")
    assert (code, out, err.count("\n")) == (64, "", 1)
    assert f"there is no job nothing of the stage train in {PLACE}: `cxr14-launch list ver" in err


def test_all_jobs_are_listed_newest_first(launch: Launch, google_apis: Any) -> None:
    google_apis.add("customJobs", displayName="not ours", labels={"app": "x"})
    google_apis.add("customJobs", labels=labels("first"), state="JOB_STATE_SUCCEEDED")
    google_apis.add("hyperparameterTuningJobs", labels=labels("second"))
    google_apis.add_preprocessing("RUNNING")
    google_apis.add("customJobs", labels=labels("fourth"))
    code, out, _ = launch("list")
    rows = [line.split()[:3] for line in out.splitlines()]
    assert code == 0 and rows == [
        ["NAME", "STAGE", "STATE"],
        ["fourth", "train", "waiting"],
        ["quick-run", "preprocess", "running"],
        ["second", "train", "waiting"],
        ["first", "train", "succeeded"],
    ]
    google_apis.fail("GET /v1b3", 403, details=info("SERVICE_DISABLED"))
    code, out, _ = launch("list")
    assert code == 0 and len(out.splitlines()) == 4
    google_apis.fail("GET /v1b3", 403, message="dataflow.jobs.list is denied")
    code, _, err = launch("list")
    assert code == 78 and "--role=roles/dataflow.developer" in err


def test_cancelling_twice_says_so(launch: Launch, google_apis: Any) -> None:
    job = google_apis.add("customJobs", labels=labels(), state="JOB_STATE_RUNNING")
    code, _, err = launch("cancel", "quick-run")
    assert code == 0 and "is running (being cancelled), and will end soon" in err
    job["state"] = "JOB_STATE_CANCELLED"
    code, _, err = launch("cancel", "quick-run")
    assert code == 0 and "is cancelled already: nothing to end" in err
    assert len(google_apis.made(":cancel$")) == 1


def test_a_job_that_ends_just_before_it_is_cancelled_is_not_an_error(
    launch: Launch, google_apis: Any
) -> None:
    job = google_apis.add("customJobs", labels=labels(), state="JOB_STATE_RUNNING")

    def end(request: str) -> None:
        if request.endswith(":cancel"):
            job["state"] = "JOB_STATE_SUCCEEDED"

    google_apis.on_request = end
    google_apis.fail(":cancel$", 400, message="it is over")
    code, _, err = launch("cancel", "quick-run")
    assert code == 0 and "is succeeded" in err
    google_apis.on_request = lambda request: None
    job["state"] = "JOB_STATE_RUNNING"
    google_apis.fail(":cancel$", 403, message="no")
    assert launch("cancel", "quick-run")[0] == 78


def test_of_several_jobs_of_a_name_the_one_is_meant_that_is_not_over_or_of_the_file(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file()
    own = platform.labels(reader.load(path), "train", "gs://my-bucket/runs/quick")
    google_apis.add("customJobs", labels=own, state="JOB_STATE_FAILED")
    job = google_apis.add("customJobs", labels=labels(), state="JOB_STATE_RUNNING")
    google_apis.add("customJobs", labels=labels(), state="JOB_STATE_SUCCEEDED")
    assert f"{PLACE}/customJobs/1\n" in launch("status", f"--job={path}")[1]
    assert f"{PLACE}/customJobs/2\n" in launch("status", "quick-run")[1]

    looks: list[str] = []

    def end(request: str) -> None:
        if looks:  # between two looks
            job["state"] = "JOB_STATE_FAILED"
        looks.extend([request] if request.endswith("/customJobs/2") else [])

    google_apis.on_request = end
    code, out, _ = launch("status", "quick-run", "--follow")
    assert code == 1 and f"{PLACE}/customJobs/2\n" in out


@pytest.mark.parametrize("verb", ["status", "logs"])
def test_a_job_that_is_followed_and_deleted_is_said_so(
    launch: Launch, google_apis: Any, verb: str
) -> None:
    job = google_apis.add("customJobs", labels=labels(), state="JOB_STATE_RUNNING")
    looks: list[str] = []

    def delete(request: str) -> None:
        looks.extend([request] if request.endswith("/customJobs/1") else [])
        if len(looks) == 2:
            google_apis.resources.pop(job["name"], None)

    google_apis.on_request = delete
    code, _, err = launch(verb, "quick-run", "--follow")
    said = f"cxr14-launch: {PLACE}/customJobs/1 is cancelled (somebody deleted it)\n"
    assert (code, err) == (1, said)
