# SPDX-License-Identifier: MIT
"""What the controller of JobSet decides about its Jobs; written from `pkg/controllers` of 0.12."""

import re
from collections.abc import Callable, Sequence

from cxr14_jobs import Condition, Job, Pod, Spec


def jobset_action(policy: Spec | None, failed: Sequence[Job]) -> str:
    """Returns what a JobSet does about its failed Jobs; "" without a policy, where it fails."""
    if policy is None:
        return ""
    for rule in policy.get("rules", []):
        if any(_applies(rule, job) for job in failed):
            return rule["action"]
    return "RestartJobSet"


def _applies(rule: Spec, job: Job) -> bool:
    reasons, patterns = rule.get("onJobFailureReasons"), rule.get("onJobFailureMessagePatterns")
    targets = rule.get("targetReplicatedJobs")
    return (
        (not reasons or job.condition.reason in reasons)
        and (not patterns or any(re.search(p, job.condition.message) for p in patterns))
        and (not targets or job.replicated_job in targets)
    )


class JobSet:
    """A JobSet and its controller.

    Attributes:
        jobs: of this attempt.
        previous: those of attempts before it whose pods have not all ended.
        restarts: how often all was started again.
        counted: how many of these count towards maxRestarts.
    """

    def __init__(self, manifest: Spec, start: Callable[[Job, int | None], Pod]) -> None:
        self.name = manifest["metadata"]["name"]
        self.namespace = manifest["metadata"].get("namespace", "default")
        self.spec = manifest["spec"]
        self.suspended = bool(self.spec.get("suspend"))
        self.jobs: list[Job] = []
        self.restarts = self.counted = 0
        self.condition: Condition | None = None
        self.previous: list[Job] = []
        self._start = start

    @property
    def running(self) -> list[Pod]:
        """The pods whose container may still run."""
        return [pod for job in [*self.previous, *self.jobs] for pod in job.running]

    def sync(self, now: float) -> None:
        """Does what the controllers of the JobSet and of its Jobs do when they hear of a change."""
        self.previous = [job for job in self.previous if job.running]
        if self.condition is not None:
            return
        for job in self.jobs:
            job.suspended = self.suspended
            job.sync(now)
        ended = [job for job in self.jobs if job.condition is not None]
        if failed := [job for job in ended if job.condition.type == "Failed"]:
            self._react(failed)
        elif missing := self._missing():
            self.jobs += missing
            for job in missing:
                job.sync(now)
        elif len(ended) == len(self.jobs) and not self.previous:
            self.condition = Condition("Completed", "AllJobsCompleted")

    def _missing(self) -> list[Job]:
        """Returns the Jobs that have to be made now."""
        policy = self.spec.get("failurePolicy", {})
        if self.previous and policy.get("restartStrategy") == "BlockingRecreate":
            return []
        there = {job.name for job in [*self.previous, *self.jobs]}
        return [job for job in self._made() if job.name not in there]

    def _react(self, failed: list[Job]) -> None:
        policy = self.spec.get("failurePolicy")
        action, first = jobset_action(policy, failed), f"first failed job: {failed[0].name}"
        for job in self.jobs:
            job.delete()
        if action in ("", "FailJobSet"):
            reason = "FailJobSetFailurePolicyAction" if action else "FailedJobs"
            self.condition = Condition("Failed", reason, first)
        elif action == "RestartJobSet" and self.counted >= policy.get("maxRestarts", 0):
            self.condition = Condition("Failed", "ReachedMaxRestarts", first)
        else:
            self.restarts += 1
            self.counted += action == "RestartJobSet"
            self.previous, self.jobs = [*self.previous, *self.jobs], []

    def _made(self) -> list[Job]:
        return [
            Job(
                f"{self.name}-{part['name']}-{number}",
                self.namespace,
                {**part["template"]["spec"], "suspend": self.suspended},
                self._start,
                {
                    "jobset.sigs.k8s.io/jobset-name": self.name,
                    "jobset.sigs.k8s.io/replicatedjob-name": part["name"],
                    "jobset.sigs.k8s.io/job-index": str(number),
                    "jobset.sigs.k8s.io/restart-attempt": str(self.restarts),
                },
                part["name"],
            )
            for part in self.spec["replicatedJobs"]
            for number in range(part.get("replicas", 1))
        ]
