# SPDX-License-Identifier: MIT
"""What Vertex AI says of a training job becomes a status in the words of all platforms."""

from collections.abc import Callable
from typing import Any

import pytest
from cxr14_google_apis import PLACE, labels

Launch = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("answer", [{}, {"name": 7}, {"name": ""}, {"name": [PLACE]}])
def test_an_answer_that_names_no_job_counts_as_none(
    launch: Launch,
    google_apis: Any,
    job_file: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any],
) -> None:
    monkeypatch.setattr(google_apis, "_create", lambda *anything: answer)
    code, out, err = launch("submit", f"--job={job_file()}")
    assert (code, out) == (69, "") and "named no job" in err


def test_status_shows_the_newest_of_a_name(launch: Launch, google_apis: Any) -> None:
    google_apis.add("customJobs", labels=labels("other"))
    google_apis.add("customJobs", labels=labels(), state="JOB_STATE_SUCCEEDED")
    google_apis.add(
        "customJobs",
        labels=labels(),
        state="JOB_STATE_FAILED",
        startTime="2026-11-29T09:10:00Z",
        endTime="2026-11-29T09:20:00Z",
        error={"code": 3, "message": "The replica workerpool0-0 exited with\nstatus 65."},
        jobSpec={"baseOutputDirectory": {"outputUriPrefix": "gs://b/runs/1"}},
    )
    code, out, err = launch("status", "quick-run")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "name: quick-run",
        "stage: train",
        "state: failed",
        f"resource: {PLACE}/customJobs/3",
        "detail: The replica workerpool0-0 exited with status 65.",
        "created: 2026-11-29T09:00:03Z",
        "started: 2026-11-29T09:10:00Z",
        "ended: 2026-11-29T09:20:00Z",
        "output: gs://b/runs/1",
        "link: https://console.cloud.google.com/agent-platform/locations/us-central1/training/3"
        "?project=my-project",
        out.splitlines()[-1],
    ]
    assert out.splitlines()[-1].startswith("progress: not known, as gs://b/runs/1/progress.json ")


@pytest.mark.parametrize(
    ("state", "expected"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELLED", 1), ("EXPIRED", 1)]
)
def test_following_a_status_ends_with_what_became_of_the_job(
    launch: Launch, google_apis: Any, state: str, expected: int
) -> None:
    job = google_apis.add("customJobs", labels=labels(), state="JOB_STATE_PENDING")
    states = iter(["RUNNING", "RUNNING", state])

    def go_on(request: str) -> None:
        if request.endswith("/customJobs/1"):
            job["state"] = f"JOB_STATE_{next(states, state)}"

    google_apis.on_request = go_on
    code, out, err = launch("status", "quick-run", "--follow")
    words = {"SUCCEEDED": "succeeded", "CANCELLED": "cancelled"}
    assert code == expected and f"state: {words.get(state, 'failed')}\n" in out
    assert f"{PLACE}/customJobs/1 is {words.get(state, 'failed')}" in err
