# SPDX-License-Identifier: MIT
"""Logs of all pods, followed over replaced pods and broken streams: no line lost or twice."""

import time
from collections.abc import Callable
from typing import Any

from cxr14_kubernetes_api import JOBS, JOBSETS, PODS

JOB = f"{JOBS}/quick-run"


def test_the_logs_of_a_job_and_of_the_pods_that_it_had(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.pod("quick-run", "quick-run-b", "step 1", "step 2")
    kubernetes_api.end("quick-run-b", 75)
    kubernetes_api.pod("quick-run", "quick-run-a", "step 3")
    kubernetes_api.pod("another", "another-x", "not this")
    code, out, err = launch("logs", "kubernetes", f"--job={job_file()}")
    assert (code, out, err) == (0, "step 1\nstep 2\nstep 3\n", "")


def test_the_workers_of_a_jobset_are_told_apart(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file(replicas=2)}")
    for index in (1, 0):
        kubernetes_api.pod("quick-run", f"quick-run-worker-0-{index}-x", index=index)
    for step in (1, 2):
        for index in (0, 1):
            kubernetes_api.write(f"quick-run-worker-0-{index}-x", f"step {step}")
    _, out, _ = launch("logs", "kubernetes", "quick-run", "--namespace=research")
    assert out == "[0] step 1\n[1] step 1\n[0] step 2\n[1] step 2\n"


def test_without_a_pod_the_reason_is_said(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    assert launch("logs", "kubernetes", f"--job={job_file()}") == (
        0,
        "",
        "cxr14-launch: research/quick-run is waiting: no pod of it is there yet; there is no log\n",
    )


def test_a_log_that_cannot_be_read_is_not_passed_over(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    kubernetes_api.pod("quick-run", "quick-run-a", "step 1")
    kubernetes_api.pod("quick-run", "quick-run-b", "step 2")
    kubernetes_api.faults = [("GET", "quick-run-a/log", (500, "dial tcp: i/o timeout"))] * 3
    code, out, err = launch("logs", "kubernetes", f"--job={job_file()}")
    assert (code, out) == (69, "step 2\n")
    assert "not all could be read: quick-run-a: " in err and "i/o timeout" in err


def test_following_goes_on_over_replaced_pods_and_broken_streams(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    script: Callable[[Callable[[], None]], None],
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    lines = [f"step {number}" for number in range(60)]

    def happen() -> None:
        kubernetes_api.wait_for("/events$")  # it is seen to wait
        kubernetes_api.wait_for("/pods$")
        kubernetes_api.things[JOB]["status"] = {"ready": 1}
        kubernetes_api.pod("quick-run", "quick-run-a", *lines[:10])
        kubernetes_api.logs["quick-run-a"].breaks_after = [3, 12, 25]
        for line in lines[10:30]:
            kubernetes_api.write("quick-run-a", line)
            time.sleep(0.06)
        kubernetes_api.write("quick-run-a", "the same", "the same")
        kubernetes_api.faults += [("GET", "quick-run$", (503, "starting"))] * 9
        kubernetes_api.end("quick-run-a", 75)
        time.sleep(0.3)
        kubernetes_api.pod("quick-run", "quick-run-b")
        kubernetes_api.logs["quick-run-b"].breaks_after = [10]
        for line in lines[30:]:
            kubernetes_api.write("quick-run-b", line)
        time.sleep(0.2)
        kubernetes_api.end("quick-run-b", 0)
        kubernetes_api.condition(JOB, "Complete")

    script(happen)
    code, out, err = launch("logs", "kubernetes", f"--job={job_file()}", "--follow")
    assert not kubernetes_api.logs["quick-run-a"].breaks_after  # it broke as often
    assert out.splitlines() == [*lines[:30], "the same", "the same", *lines[30:]]
    said = [line.removeprefix("cxr14-launch: ") for line in err.splitlines()]
    assert code == 0 and sorted(said) == [
        "reading the log of quick-run-a, trainer",
        "reading the log of quick-run-b, trainer",
        "research/quick-run is running",
        "research/quick-run is succeeded",
        "research/quick-run is waiting: no pod of it is there yet",
    ]


def test_following_ends_with_a_job_that_somebody_deletes(
    job_file: Callable[..., str],
    kubernetes_api: Any,
    launch: Any,
    script: Callable[[Callable[[], None]], None],
) -> None:
    launch("kubernetes", f"--job={job_file(replicas=2)}")
    kubernetes_api.pod("quick-run", "quick-run-worker-0-0-x", "step 1", index=0)

    def happen() -> None:
        kubernetes_api.wait_for("/log$")
        kubernetes_api.write("quick-run-worker-0-0-x", "saved")
        kubernetes_api.end("quick-run-worker-0-0-x", 75)
        with kubernetes_api.changed:
            del kubernetes_api.things[f"{PODS}/quick-run-worker-0-0-x"]
            del kubernetes_api.things[f"{JOBSETS}/quick-run"]

    script(happen)
    code, out, err = launch("logs", "kubernetes", f"--job={job_file()}", "--follow")
    assert (code, out) == (1, "[0] step 1\n[0] saved\n")
    assert err.endswith("cxr14-launch: research/quick-run is cancelled (somebody deleted it)\n")


def test_a_restarted_container_is_read_from_before_its_restart_on(
    job_file: Callable[..., str], kubernetes_api: Any, launch: Any
) -> None:
    launch("kubernetes", f"--job={job_file()}")
    pod = kubernetes_api.pod("quick-run", "quick-run-a", "now")
    pod["status"]["containerStatuses"][0]["restartCount"] = 1
    launch("logs", "kubernetes", f"--job={job_file()}")
    asked = [path for _, path, _ in kubernetes_api.requests if path.endswith("/log")]
    assert len(asked) == 2
