# SPDX-License-Identifier: MIT
"""The log of a job is shown in order and whole, and followed until its end."""

from collections.abc import Callable
from typing import Any

from cxr14_google_apis import PLACE, labels

Launch = Callable[..., tuple[int, str, str]]


def test_logs_are_in_order_over_all_pages(launch: Launch, google_apis: Any) -> None:
    job = google_apis.add("customJobs", labels=labels())
    google_apis.log("customJobs/99", "of another job", second=1)
    for second in (5, 3, 4, 1, 2):
        google_apis.log(job["name"], f"line {second}", second=second)
    made = {"jsonPayload": {"message": "epoch 1", "step": 7}, "textPayload": None}
    google_apis.log(job["name"], "", second=9, severity="WARNING", **made)
    code, out, _ = launch("logs", "quick-run")
    assert code == 0
    lines = [f"2026-11-29T10:00:0{at}Z INFO    workerpool0-0 line {at}" for at in range(1, 6)]
    assert out.splitlines() == [*lines, "2026-11-29T10:00:09Z WARNING workerpool0-0 epoch 1"]


def test_following_a_log_survives_silence_and_ends_with_the_state(
    launch: Launch, google_apis: Any
) -> None:
    job = google_apis.add("customJobs", labels=labels(), state="JOB_STATE_RUNNING")
    google_apis.log(job["name"], "first", second=30)
    google_apis.fail("entries:list", 503, times=2)
    looks: list[str] = []

    def go_on(request: str) -> None:
        if not request.endswith("/customJobs/1"):
            return
        looks.append(request)
        if len(looks) == 2:
            # One that is older arrives late, and one of the same moment.
            google_apis.log(job["name"], "late", second=29)
            google_apis.log(job["name"], "second", second=30)
        if len(looks) == 3:
            google_apis.fail("GET .*/customJobs/1$", 503, times=2)
        if len(looks) == 6:
            job.update(state="JOB_STATE_FAILED", error={"message": "exit status 65"})
        if len(looks) == 7:  # The log arrives after the state.
            google_apis.log(job["name"], "last words", second=59)

    google_apis.on_request = go_on
    code, out, err = launch("logs", "quick-run", "--follow")
    texts = [line.rpartition("workerpool0-0 ")[2] for line in out.splitlines()]
    assert texts == ["first", "late", "second", "last words"]
    assert (code, err) == (
        1,
        f"cxr14-launch: {PLACE}/customJobs/1 is failed (exit status 65)\n",
    )
