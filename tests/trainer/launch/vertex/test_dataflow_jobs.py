# SPDX-License-Identifier: MIT
"""A preprocessing job on Dataflow is found, followed and ended like a training."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.launch.vertex import dataflow_jobs

Launch = Callable[..., tuple[int, str, str]]


def test_a_job_of_dataflow_is_followed_and_ended(launch: Launch, google_apis: Any) -> None:
    job = google_apis.add_preprocessing("RUNNING")
    google_apis.messages = [
        {
            "id": str(second),
            "time": f"2026-11-29T10:00:0{second}Z",
            "messageText": text,
            "messageImportance": f"JOB_MESSAGE_{importance}",
        }
        for second, importance, text in (
            (1, "BASIC", "Worker pool started."),
            (2, "ERROR", "no such image"),
            (3, "BASIC", "Stopping worker pool..."),
        )
    ]
    stage = "--stage=preprocess"
    code, out, _ = launch("logs", "quick-run", stage)
    assert code == 0 and out.splitlines()[1] == "2026-11-29T10:00:02Z ERROR   no such image"
    assert len(out.splitlines()) == 3
    code, _, err = launch("cancel", "quick-run", stage)
    assert (code, job["currentState"]) == (0, "JOB_STATE_CANCELLING") and "will end soon" in err
    assert google_apis.made("^PUT /v1b3/") == [{"requestedState": "JOB_STATE_CANCELLED"}]
    job["currentState"] = "JOB_STATE_FAILED"
    code, out, err = launch("logs", "quick-run", stage, "--follow")
    assert (code, len(out.splitlines())) == (1, 3) and "(no such image)" in err
    code, out, _ = launch("status", "quick-run", stage)
    assert code == 0 and "state: failed\n" in out and "detail: no such image\n" in out


def test_labels_that_a_list_of_dataflow_leaves_out_are_looked_up(
    launch: Launch, google_apis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    google_apis.add_preprocessing("RUNNING")
    listed = google_apis._listed
    monkeypatch.setattr(
        google_apis,
        "_listed",
        lambda *asked: [
            {key: found[key] for key in ("id", "createTime")} for found in listed(*asked)
        ],
    )
    code, out, _ = launch("status", "quick-run", "--stage=preprocess")
    assert code == 0 and "state: running" in out
    for _ in range(3):
        google_apis.add("jobs", name="of another", labels={})
    monkeypatch.setattr(dataflow_jobs, "_MOST_LOOKED_UP", 2)
    assert len(launch("list")[1].splitlines()) == 1
