# SPDX-License-Identifier: MIT
"""What the controller of Kubernetes' Jobs decides, as a manifest tells it to.

Written from `pkg/controller/job` of kubernetes 1.33, without the pause between one pod and the
next. It starts and deletes pods, whatever these are, and sees of them what the API server would
show.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

Spec = Mapping[str, Any]


class Pod(Protocol):
    """A pod as its controller sees it.

    Attributes:
        index: its completion index, None in a Job that has none.
        phase: Running, Succeeded or Failed.
        exit_code: of its container; None while it runs, and for ever if its node is gone.
        conditions: type -> status.
        is_terminating: whether somebody has deleted it.
    """

    name: str
    container: str
    index: int | None
    phase: str
    exit_code: int | None
    conditions: Mapping[str, str]
    is_terminating: bool

    def delete(self) -> None:
        """Asks the pod to end; a second call changes nothing."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """How a Job or a JobSet ended: Complete, Completed or Failed, and why."""

    type: str
    reason: str = ""
    message: str = ""


def pod_failure(policy: Spec | None, pod: Pod, namespace: str) -> tuple[str, str]:
    """Returns the action of the first rule that a failed pod matches, and Kubernetes' message.

    A pod that matches none counts, with an empty message.
    """
    for number, rule in enumerate((policy or {}).get("rules", [])):
        if "onExitCodes" in rule:
            found = _matches_exit_codes(rule["onExitCodes"], pod)
            cause = (
                f"Container {pod.container} for pod {namespace}/{pod.name} failed with exit code"
            )
            cause = f"{cause} {pod.exit_code}"
        else:
            types = [
                wanted["type"]
                for wanted in rule["onPodConditions"]
                if pod.conditions.get(wanted["type"]) == wanted.get("status", "True")
            ]
            found = bool(types)
            cause = f"Pod {namespace}/{pod.name} has condition {types[0] if types else ''}"
        if found:
            return rule["action"], f"{cause} matching {rule['action']} rule at index {number}"
    return "Count", ""


def _matches_exit_codes(wanted: Spec, pod: Pod) -> bool:
    if not pod.exit_code or wanted.get("containerName") not in (None, pod.container):
        return False
    return (pod.exit_code in wanted["values"]) == (wanted["operator"] == "In")


class Job:
    """A batch/v1 Job and its controller.

    Args:
        name: of the Job.
        spec: of the Job.
        start: makes the pod of an index.
        annotations: what a JobSet adds to the pods.
        replicated_job: the part of a JobSet that it belongs to.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        spec: Spec,
        start: Callable[["Job", int | None], Pod],
        annotations: Mapping[str, str] | None = None,
        replicated_job: str = "",
    ) -> None:
        self.name, self.namespace, self.spec = name, namespace, spec
        self.annotations, self.replicated_job = dict(annotations or {}), replicated_job
        self.pods: list[Pod] = []
        self.condition: Condition | None = None
        self.suspended = bool(spec.get("suspend"))
        self._start, self._forgotten = start, list[Pod]()
        self._verdict: Condition | None = None
        self._began: float | None = None
        replaces = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
        self._waits = spec.get("podReplacementPolicy", replaces) == "Failed"
        self._completions = spec.get("completions", 1)

    @property
    def running(self) -> list[Pod]:
        """The pods whose container may still run."""
        return [pod for pod in self.pods if pod.phase == "Running"]

    def sync(self, now: float) -> None:
        """Does what the controller does when it hears of a change; seconds of any clock."""
        if self.condition is not None:
            return
        if self.suspended:
            # They are taken away without a word about how they ended.
            self._forgotten += [pod for pod in self.running if pod not in self._forgotten]
            self._began = None
            return self.delete()
        self._began = now if self._began is None else self._began
        self._verdict = self._verdict or self._failure(now - self._began)
        if self._verdict is not None:
            self.delete()
        elif len(self._succeeded) >= self._completions:
            self._verdict = Condition("Complete")
        else:
            self.pods += [self._start(self, index) for index in self._missing()]
        if self._verdict is not None and not self.running:
            self.condition = self._verdict

    def delete(self) -> None:
        """Deletes the pods that run."""
        for pod in self.running:
            pod.delete()

    @property
    def _counted(self) -> list[Pod]:
        return [pod for pod in self.pods if pod not in self._forgotten]

    @property
    def _succeeded(self) -> list[Pod]:
        return [pod for pod in self._counted if pod.phase == "Succeeded"]

    def _failed(self) -> list[tuple[int | None, str, str]]:
        """Returns index, action and message for each pod that failed."""
        policy = self.spec.get("podFailurePolicy")
        return [
            (pod.index, *pod_failure(policy, pod, self.namespace))
            for pod in self._counted
            if pod.phase == "Failed"
            or (pod.is_terminating and pod.phase == "Running" and not self._waits)
        ]

    def _failure(self, seconds: float) -> Condition | None:
        failed = self._failed()
        for _, action, message in failed:
            if action == "FailJob":
                return Condition("Failed", "PodFailurePolicy", message)
        counted = [index for index, action, _ in failed if action != "Ignore"]
        if len(counted) > self._backoff_limit:
            message = "Job has reached the specified backoff limit"
            return Condition("Failed", "BackoffLimitExceeded", message)
        if seconds >= self.spec.get("activeDeadlineSeconds", float("inf")):
            message = "Job was active longer than specified deadline"
            return Condition("Failed", "DeadlineExceeded", message)
        given_up = self._given_up()
        if len(given_up) > self.spec.get("maxFailedIndexes", self._completions):
            message = "Job has exceeded the specified maximal number of failed indexes"
            return Condition("Failed", "MaxFailedIndexesExceeded", message)
        if given_up and len(given_up) + len(self._succeeded) >= self._completions:
            return Condition("Failed", "FailedIndexes", "Job has failed indexes")
        return None

    @property
    def _backoff_limit(self) -> float:
        default = float("inf") if "backoffLimitPerIndex" in self.spec else 6
        return self.spec.get("backoffLimit", default)

    def _given_up(self) -> set[int | None]:
        """Returns the indexes that are not tried again."""
        if "backoffLimitPerIndex" not in self.spec:
            return set()
        failed = self._failed()
        counted = [index for index, action, _ in failed if action != "Ignore"]
        spent = {i for i in counted if counted.count(i) > self.spec["backoffLimitPerIndex"]}
        return spent | {index for index, action, _ in failed if action == "FailIndex"}

    def _missing(self) -> list[int | None]:
        """Returns the indexes of which a pod has to be started now."""
        there = [pod for pod in self.running if self._waits or not pod.is_terminating]
        left = self._completions - len(self._succeeded)
        count = max(0, min(left, self.spec.get("parallelism", 1)) - len(there))
        if self.spec.get("completionMode") != "Indexed":
            return [None] * count
        taken = {pod.index for pod in [*there, *self._succeeded]} | self._given_up()
        return [index for index in range(self._completions) if index not in taken][:count]
