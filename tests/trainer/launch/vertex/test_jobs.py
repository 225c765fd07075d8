# SPDX-License-Identifier: MIT
"""One output has one writer, however often and by whomever its job is sent."""

from collections.abc import Callable
from typing import Any

import pytest
from cxr14_google_apis import PLACE, labels

from trainer.launch import platform
from trainer.launch.description import job_file as reader
from trainer.launch.vertex import jobs

Launch = Callable[..., tuple[int, str, str]]
CREATE = "^POST .*/customJobs$"


def test_what_is_sent_twice_is_made_once(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    # Others lie on the pages in front of it, and one of its own that is over.
    for number in range(5):
        google_apis.add("customJobs", labels=labels(f"other-{number}"))
    path = job_file()
    output = platform.labels(reader.load(path), "train", "gs://my-bucket/runs/quick")
    google_apis.add("customJobs", labels=output, state="JOB_STATE_FAILED")
    code, out, err = launch("submit", f"--job={path}")
    assert (code, out) == (0, f"{PLACE}/customJobs/7\n"), err
    code, out, err = launch("submit", f"--job={path}")
    assert (code, out) == (0, f"{PLACE}/customJobs/7\n")
    assert "writes to this output already and is waiting: sent nothing" in err
    assert len(google_apis.made(CREATE)) == 1


def test_another_name_for_the_same_output_makes_no_second_writer(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    assert launch("submit", f"--job={job_file()}")[0] == 0
    code, out, _ = launch("submit", f"--job={job_file(name='renamed')}")
    assert (code, out) == (0, f"{PLACE}/customJobs/1\n")
    assert len(google_apis.made(CREATE)) == 1


def test_a_tuning_and_a_training_do_not_write_to_one_output(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file(tune={"parameters": {"optimizer.learning_rate": {"min": 1e-5, "max": 1e-2}}})
    assert launch("submit", f"--job={path}", "--stage=tune")[0] == 0
    code, out, err = launch("submit", f"--job={path}")
    assert (code, out) == (0, f"{PLACE}/hyperparameterTuningJobs/1\n") and "sent nothing" in err
    assert google_apis.made(CREATE) == []


@pytest.mark.parametrize("done", [True, False])
def test_no_answer_to_a_job_that_is_sent_makes_one_job(
    launch: Launch, google_apis: Any, job_file: Callable[..., str], done: bool
) -> None:
    google_apis.fail(CREATE, 503, done=done)
    code, out, err = launch("submit", f"--job={job_file()}")
    assert (code, out) == (0, f"{PLACE}/customJobs/1\n")
    assert "sent nothing" not in err
    assert len(google_apis.made(CREATE)) == (1 if done else 2)
    assert len(google_apis.resources) == 1


def test_a_job_that_is_listed_too_late_is_ended_in_favour_of_the_first(
    launch: Launch, google_apis: Any, job_file: Callable[..., str]
) -> None:
    path = job_file()
    first = platform.labels(reader.load(path), "train", "gs://my-bucket/runs/quick")

    def send_first(request: str) -> None:
        if request.startswith("POST") and not google_apis.resources:
            google_apis.add("customJobs", labels=first)

    google_apis.on_request = send_first
    code, out, err = launch("submit", f"--job={path}")
    assert (code, out) == (0, f"{PLACE}/customJobs/1\n") and "sent nothing" in err
    assert google_apis.resources[f"{PLACE}/customJobs/2"]["state"] == "JOB_STATE_CANCELLING"


def test_a_job_is_sent_once_the_cancelled_one_is_over(
    launch: Launch, google_apis: Any, job_file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"--job={job_file()}"
    launch("submit", path)
    launch("cancel", "quick-run")
    assert launch("list")[1].splitlines()[1].split()[:3] == ["quick-run", "train", "cancelling"]
    looks: list[str] = []

    def end(request: str) -> None:
        looks.extend([request] if request.endswith("/customJobs") else [])
        if len(looks) == 3:
            job["state"] = "JOB_STATE_CANCELLED"

    job, google_apis.on_request = google_apis.resources[f"{PLACE}/customJobs/1"], end
    code, out, err = launch("submit", path)
    assert (code, out) == (0, f"{PLACE}/customJobs/2\n")
    assert err.endswith("/customJobs/1 is being cancelled: waiting until it is over\n")
    launch("cancel", "quick-run")
    monkeypatch.setattr(jobs, "_LONGEST_S", 0)
    code, _, err = launch("submit", path)
    assert code == 69 and "has not ended within 0 minutes: run the same command again" in err
