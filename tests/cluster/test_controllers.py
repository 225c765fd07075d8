# SPDX-License-Identifier: MIT
"""The decisions of the controllers, on pods that are only numbers."""

import dataclasses
from typing import Any

import pytest
from cxr14_jobs import Condition, Job, pod_failure
from cxr14_jobsets import JobSet, jobset_action

_RULES = {
    "rules": [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [65, 78]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [75]}},
    ]
}


@dataclasses.dataclass(eq=False)
class Pod:
    """A pod that ends when the test says so."""

    index: int | None = None
    phase: str = "Running"
    exit_code: int | None = None
    conditions: dict[str, str] = dataclasses.field(default_factory=dict)
    is_terminating: bool = False
    name: str = "pod"
    container: str = "trainer"

    def delete(self) -> None:
        self.is_terminating = True

    def end(self, code: int | None) -> None:
        self.phase, self.exit_code = "Succeeded" if code == 0 else "Failed", code


class Pods(list[Pod]):
    """All pods that the controllers started, oldest first."""

    def start(self, job: Job, index: int | None) -> Pod:
        self.append(Pod(index))
        return self[-1]


def job(pods: Pods, **spec: Any) -> Job:
    made = Job("train", "default", spec, pods.start)
    made.sync(0)
    return made


def end(made: Job | JobSet, pod: Pod, code: int | None, now: float = 1) -> None:
    pod.end(code)
    made.sync(now)


def failed(code: int | None, **conditions: str) -> Pod:
    return Pod(phase="Failed", exit_code=code, conditions=conditions)


@pytest.mark.parametrize(
    ("pod", "action", "message"),
    [
        (failed(78), "FailJob", "Container trainer for pod a/pod failed with exit code 78 matching "
                                "FailJob rule at index 0"),
        (failed(75), "Ignore", "Container trainer for pod a/pod failed with exit code 75 matching "
                               "Ignore rule at index 2"),
        (failed(75, DisruptionTarget="True"), "Ignore",
         "Pod a/pod has condition DisruptionTarget matching Ignore rule at index 1"),
        (failed(78, DisruptionTarget="True"), "FailJob", ""),
        (failed(None, DisruptionTarget="True"), "Ignore", ""),
        (failed(None, DisruptionTarget="False"), "Count", ""),
        (failed(137), "Count", ""),
    ],
)  # fmt: skip
def test_the_first_rule_that_matches_decides(pod: Pod, action: str, message: str) -> None:
    found = pod_failure(_RULES, pod, "a")
    assert found[0] == action
    assert not message or found[1] == message


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ({"operator": "NotIn", "values": [1, 2]}, "FailJob"),
        ({"operator": "NotIn", "values": [3]}, "Count"),
        ({"operator": "In", "values": [3], "containerName": "trainer"}, "FailJob"),
        ({"operator": "In", "values": [3], "containerName": "sidecar"}, "Count"),
    ],
)
def test_exit_codes_are_those_of_a_container(rule: dict[str, Any], action: str) -> None:
    policy = {"rules": [{"action": "FailJob", "onExitCodes": rule}]}
    assert pod_failure(policy, failed(3), "a")[0] == action
    assert pod_failure(None, failed(3), "a") == ("Count", "")


def test_a_job_completes_when_every_index_has_succeeded() -> None:
    pods = Pods()
    made = job(pods, completionMode="Indexed", completions=3, parallelism=2)
    assert [pod.index for pod in pods] == [0, 1]
    end(made, pods[0], 0)
    assert [pod.index for pod in pods] == [0, 1, 2]
    end(made, pods[2], 1)  # its index is tried again
    assert [pod.index for pod in pods] == [0, 1, 2, 2]
    end(made, pods[1], 0)
    assert made.condition is None
    end(made, pods[3], 0)
    assert made.condition == Condition("Complete")


def test_what_counts_is_bounded_and_what_is_ignored_is_not() -> None:
    pods = Pods()
    made = job(pods, backoffLimit=1, podFailurePolicy=_RULES)
    for code in (75, 75, 75, 137):
        end(made, pods[-1], code)
    assert made.condition is None and len(pods) == 5
    end(made, pods[-1], 1)
    assert made.condition.reason == "BackoffLimitExceeded"
    assert len(pods) == 5


def test_a_rule_that_fails_the_job_wins_over_the_limit_and_ends_the_others_first() -> None:
    pods = Pods()
    made = job(
        pods,
        completionMode="Indexed",
        completions=3,
        parallelism=3,
        backoffLimit=0,
        podFailurePolicy=_RULES,
    )
    pods[0].end(1)
    end(made, pods[1], 78)
    assert made.condition is None and pods[2].is_terminating
    end(made, pods[2], 75)
    assert made.condition.reason == "PodFailurePolicy"
    assert made.condition.message.endswith("exit code 78 matching FailJob rule at index 0")


def test_a_deadline_counts_from_the_start_and_over_all_pods() -> None:
    pods = Pods()
    made = job(pods, activeDeadlineSeconds=10, podFailurePolicy=_RULES)
    end(made, pods[0], 75, now=6)
    made.sync(9.9)
    assert not pods[1].is_terminating
    made.sync(10)
    end(made, pods[1], 75, now=11)
    assert made.condition.reason == "DeadlineExceeded" and len(pods) == 2


@pytest.mark.parametrize(
    ("spec", "replaced_at_once"),
    [
        ({}, True),
        ({"podFailurePolicy": _RULES}, False),
        ({"podReplacementPolicy": "Failed"}, False),
    ],
)
def test_only_the_replacement_policy_keeps_two_pods_from_running_at_once(
    spec: dict[str, Any], replaced_at_once: bool
) -> None:
    pods = Pods()
    made = job(pods, **spec)
    pods[0].delete()
    made.sync(1)
    assert (len(pods) == 2) == replaced_at_once
    end(made, pods[0], 1)
    assert len(pods) == 2


def test_an_index_has_a_limit_of_its_own() -> None:
    rules = [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [78]}}]
    pods = Pods()
    made = job(
        pods,
        completionMode="Indexed",
        completions=3,
        parallelism=3,
        backoffLimitPerIndex=1,
        podFailurePolicy={"rules": rules},
    )
    end(made, pods[0], 78)  # given up at once
    end(made, pods[1], 1)
    assert [pod.index for pod in pods[3:]] == [1]
    end(made, pods[3], 1)  # given up at the second failure
    assert made.condition is None and len(pods) == 4
    end(made, pods[2], 0)
    assert made.condition.reason == "FailedIndexes"


def test_a_suspended_job_runs_no_pod_and_forgets_those_that_it_took_away() -> None:
    pods = Pods()
    made = job(pods, suspend=True, backoffLimit=0, activeDeadlineSeconds=10)
    made.sync(100)
    assert not pods
    made.suspended = False
    made.sync(100)
    made.suspended = True
    made.sync(105)
    assert pods[0].is_terminating
    end(made, pods[0], 75, now=106)
    made.suspended = False
    made.sync(200)  # neither counted against the limit, nor is the time before
    assert made.condition is None and len(pods) == 2


_POLICY = {
    "rules": [
        {
            "action": "FailJobSet",
            "onJobFailureReasons": ["PodFailurePolicy"],
            "onJobFailureMessagePatterns": ["index 0$"],
        },
        {
            "action": "RestartJobSetAndIgnoreMaxRestarts",
            "onJobFailureReasons": ["PodFailurePolicy"],
        },
        {"action": "FailJobSet", "targetReplicatedJobs": ["driver"]},
    ]
}


@pytest.mark.parametrize(
    ("reason", "message", "part", "action"),
    [
        ("PodFailurePolicy", "rule at index 0", "worker", "FailJobSet"),
        ("PodFailurePolicy", "rule at index 02", "worker", "RestartJobSetAndIgnoreMaxRestarts"),
        ("BackoffLimitExceeded", "rule at index 0", "worker", "RestartJobSet"),
        ("BackoffLimitExceeded", "", "driver", "FailJobSet"),
    ],
)
def test_the_first_rule_of_a_jobset_that_matches_decides(
    reason: str, message: str, part: str, action: str
) -> None:
    ended = Job("job", "default", {}, Pods().start, replicated_job=part)
    ended.condition = Condition("Failed", reason, message)
    assert jobset_action(_POLICY, [ended]) == action
    assert jobset_action({}, [ended]) == "RestartJobSet"
    assert jobset_action(None, [ended]) == ""


def jobset(pods: Pods, replicas: int = 1, **policy: Any) -> JobSet:
    template = {
        "completionMode": "Indexed",
        "completions": 2,
        "parallelism": 2,
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [
            {**rule, "action": "FailJob"} for rule in _RULES["rules"]
        ]},
    }  # fmt: skip
    part = {"name": "worker", "replicas": replicas, "template": {"spec": template}}
    manifest = {"metadata": {"name": "set"}, "spec": {"replicatedJobs": [part]}}
    if policy:
        manifest["spec"]["failurePolicy"] = policy
    made = JobSet(manifest, pods.start)
    made.sync(0)
    return made


def fail(made: JobSet, pods: Pods, code: int) -> None:
    """One of the newest pods ends with a code, and the others as those that are stopped."""
    [first, *others] = [pod for pod in pods if pod.phase == "Running"]
    end(made, first, code)
    for pod in others:
        assert pod.is_terminating
        end(made, pod, 75)
    made.sync(2)


def test_a_jobset_restarts_as_often_as_it_may_and_free_restarts_do_not_count() -> None:
    pods = Pods()
    made = jobset(pods, maxRestarts=1, restartStrategy="BlockingRecreate", **_POLICY)
    for code in (75, 137, 75):
        fail(made, pods, code)
    assert (made.restarts, made.counted, made.condition) == (3, 1, None)
    [current] = made.jobs
    assert current.annotations["jobset.sigs.k8s.io/restart-attempt"] == "3"
    fail(made, pods, 137)
    assert made.condition.reason == "ReachedMaxRestarts" and len(pods) == 8


def test_a_jobset_fails_by_its_rule_and_without_a_policy_at_once() -> None:
    pods = Pods()
    made = jobset(pods, maxRestarts=5, **_POLICY)
    fail(made, pods, 65)
    assert made.condition.reason == "FailJobSetFailurePolicyAction" and len(pods) == 2
    pods = Pods()
    made = jobset(pods)
    fail(made, pods, 137)
    assert made.condition.reason == "FailedJobs" and len(pods) == 2


def test_a_jobset_completes_with_all_its_jobs() -> None:
    pods = Pods()
    made = jobset(pods, replicas=2)
    for pod in list(pods):
        assert made.condition is None
        end(made, pod, 0)
    assert made.condition == Condition("Completed", "AllJobsCompleted")


@pytest.mark.parametrize(("strategy", "started"), [("BlockingRecreate", 4), ("Recreate", 6)])
def test_only_blocking_recreate_waits_for_all_of_the_attempt_before(
    strategy: str, started: int
) -> None:
    pods = Pods()
    made = jobset(pods, replicas=2, maxRestarts=1, restartStrategy=strategy)
    end(made, pods[0], 137)
    end(made, pods[1], 75)  # this Job is gone; of the other one both pods still end
    made.sync(2)
    assert len(pods) == started
    for pod in pods[2:4]:
        assert pod.is_terminating
        end(made, pod, 75)
    made.sync(3)
    assert len(pods) == 8


def test_a_suspended_jobset_starts_when_it_is_resumed() -> None:
    pods = Pods()
    made = jobset(pods)
    made.suspended = True
    made.sync(1)
    for pod in list(pods):
        end(made, pod, 75)
    assert made.condition is None and len(pods) == 2
    made.suspended = False
    made.sync(3)
    assert len(pods) == 4
