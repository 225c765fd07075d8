# SPDX-License-Identifier: MIT
"""What is said of a job, by what the API server shows of it and of its pods."""

from typing import Any

import pytest

from trainer.launch.kubernetes import states

POLICY = (
    "Container trainer for pod research/a failed with exit code 78 matching FailJob rule at index 0"
)
NO_NODE = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
PULL = "Back-off pulling image"


def thing(kind: str = "Job", *, spec: Any = None, labels: Any = None, **status: Any) -> Any:
    containers = {"containers": [{"name": "trainer", "args": ["--output=gs://my-bucket/runs/1"]}]}
    template = {"template": {"spec": containers}}
    if kind == "JobSet":
        template = {"replicatedJobs": [{"template": {"spec": template}}]}
    return {
        "kind": kind,
        "metadata": {"name": "quick-run", "uid": "1", "labels": labels or {}},
        "spec": {**template, **(spec or {})},
        "status": status,
    }


def held(type: str, reason: str = "", message: str = "") -> Any:
    return {"conditions": [{"type": type, "status": "True", "reason": reason, "message": message}]}


def pod(state: Any = None, last: Any = None, **status: Any) -> Any:
    container = {"name": "trainer", "image": "r/cxr14:1", "state": state, "lastState": last or {}}
    found = {"containerStatuses": [container]} if state else {}
    return {"metadata": {"name": "a"}, "status": {"phase": "Pending", **found, **status}}


def ended(code: int, reason: str = "Error") -> Any:
    return {"terminated": {"exitCode": code, "reason": reason}}


def waits(reason: str, message: str = "") -> Any:
    return {"waiting": {"reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("job", "pods", "state", "detail"),
    [
        (thing(), [], "waiting", ""),
        (thing(active=1, ready=0), [pod()], "waiting", "a is being started"),
        (thing(active=1, ready=1), [], "running", ""),
        (thing(active=1, ready=0), [pod({"running": {}}, phase="Running")], "running", ""),
        (
            thing("JobSet"),
            [pod({"running": {}}, phase="Running"), pod()],
            "waiting",
            "a is being started",
        ),
        (
            thing(ready=1, failed=2, spec={"backoffLimit": 6}),
            [],
            "running",
            "2 failures count (6 may)",
        ),
        (
            thing(ready=1),
            [pod(ended(1)), pod(ended(75)), pod({"running": {}}, phase="Running")],
            "running",
            "the pod before ended with exit code 75 (stopped after saving: it goes on where it "
            "was)",
        ),
        (thing(**held("Complete")), [], "succeeded", ""),
        (
            thing(**held("Failed", "PodFailurePolicy", POLICY)),
            [],
            "failed",
            "it ended with what no new try can change, exit code 78 (wrong configuration: read the "
            "log, change args)",
        ),
        (
            thing(**held("Failed", "BackoffLimitExceeded"), failed=7),
            [pod(ended(74)), pod(ended(1))],
            "failed",
            "it failed more often than `restarts` allows, at last exit code 1 (a crash); "
            "7 failures count (6 may)",
        ),
        (
            thing(**held("Failed", "BackoffLimitExceeded")),
            [pod(ended(137, "OOMKilled"))],
            "failed",
            "it failed more often than `restarts` allows, at last it took more memory than "
            "kubernetes.memory: raise it",
        ),
        (
            thing(**held("Failed", "DeadlineExceeded")),
            [pod(ended(75))],
            "failed",
            "it took longer than timeout_hours",
        ),
        (
            thing(**held("Failed", "SomethingNew", "of tomorrow")),
            [],
            "failed",
            "SomethingNew: of tomorrow",
        ),
        (
            thing(spec={"suspend": True}, labels={states.QUEUE: "gpus"}),
            [],
            "waiting",
            "the queue gpus of Kueue has not admitted it",
        ),
        (
            thing(spec={"suspend": True}),
            [],
            "waiting",
            "it is suspended: `kubectl patch` its spec.suspend to false",
        ),
        (
            thing(),
            [
                pod(
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": NO_NODE,
                        }
                    ]
                ),
                pod(),
            ],
            "waiting",
            f"no node takes a: {NO_NODE}; 1 more pods wait",
        ),
        (
            thing(),
            [pod(waits("ImagePullBackOff", PULL))],
            "waiting",
            "a cannot get the image r/cxr14:1 (ImagePullBackOff: Back-off pulling image): check "
            "its name, and whether the nodes may pull it (kubernetes.image_pull_secrets, or their "
            "role on the registry)",
        ),
        (
            thing(),
            [pod(waits("CreateContainerConfigError", 'secret "login" not found'))],
            "waiting",
            'a cannot start its container (CreateContainerConfigError: secret "login" not found)',
        ),
        (
            thing("Deployment", spec={"replicas": 2}),
            [pod(waits("CrashLoopBackOff"), ended(65), phase="Running")],
            "waiting",
            "a ends again and again, at last with exit code 65 (unusable data: read the log, fix "
            "the data)",
        ),
        (
            thing("Deployment", spec={"replicas": 2}, readyReplicas=1),
            [],
            "running",
            "1 of 2 pods answer",
        ),
        (
            thing(
                "JobSet",
                spec={"failurePolicy": {"maxRestarts": 6}},
                restarts=4,
                restartsCountTowardsMax=1,
                replicatedJobsStatus=[{"name": "worker", "ready": 1}],
            ),
            [],
            "running",
            "started again 4 times, of which 1 count (6 may)",
        ),
        (
            thing("JobSet", **held("Failed", "ReachedMaxRestarts"), restarts=6),
            [],
            "failed",
            "it failed more often than `restarts` allows; started again 6 times, of which 6 count "
            "(0 may)",
        ),
        (
            thing("JobSet", **held("Completed", "AllJobsCompleted")),
            [],
            "succeeded",
            "",
        ),
    ],
)
def test_a_state_in_plain_words(job: Any, pods: list[Any], state: str, detail: str) -> None:
    found = states.status_of(job, "research", pods)
    assert (found.state, found.detail) == (state, detail)
    assert (found.resource, found.output) == ("research/quick-run", "gs://my-bucket/runs/1")


def test_the_job_within_a_jobset_says_why_it_failed() -> None:
    jobset = thing("JobSet", **held("Failed", "FailJobSetFailurePolicyAction"))
    child = thing(**held("Failed", "PodFailurePolicy", POLICY))
    late = thing(**held("Failed", "DeadlineExceeded"))
    assert "exit code 78" in states.status_of(jobset, "research", [], [child]).detail
    found = states.status_of(jobset, "research", [], [late])
    assert found.detail == "it took longer than timeout_hours"


def test_a_deleted_job_runs_until_its_pods_have_ended() -> None:
    job = thing(spec={"suspend": True})
    job["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = states.status_of(job, "research")
    assert (found.state, found.detail) == ("running", "cancelled: it saves its state and ends")
