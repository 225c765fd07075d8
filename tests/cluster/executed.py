# SPDX-License-Identifier: MIT
"""Executes a rendered Job or JobSet on this machine, as a cluster would.

1. `fields` refuses a manifest of which something would not be executed.
2. `jobs` and `jobsets` decide which pods run, by the manifest's own policies.
3. `pods` are run in a `sandbox` and a `network` of their own; a test kills, evicts or loses some.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cxr14_fields import check
from cxr14_jobs import Condition, Job
from cxr14_jobsets import JobSet
from cxr14_network import Network, missing
from cxr14_pods import Machine, Metadata, RunningPod

# The Job controller takes what happens to pods within this time together.
BATCH = 1.0


class Execution:
    """A manifest that was sent to the cluster.

    Args:
        manifest: a Job or a JobSet.
        machine: where its pods run.
        batch: seconds from what happens to a pod to the controllers' look at it.

    Attributes:
        pods: all that were started, in that order.
        events: what happened, as lines.
        began: when it was sent, by the monotonic clock.

    Raises:
        ConfigError: it asks for something that is not executed here.
    """

    def __init__(self, manifest: dict[str, Any], machine: Machine, batch: float = BATCH) -> None:
        check(manifest)
        self._machine, self._batch = machine, batch
        self.began, self._due = time.monotonic(), 0.0
        self.pods: list[RunningPod] = []
        self.events: list[str] = []
        self._noted: list[Job | JobSet] = []
        self._restarts = 0, 0
        name, spec = manifest["metadata"]["name"], manifest["spec"]
        network = spec.get("network", {})
        self._subdomain = network.get("subdomain", name) if "enableDNSHostnames" in network else ""
        self._jobset = JobSet(manifest, self._start) if manifest["kind"] == "JobSet" else None
        namespace = manifest["metadata"].get("namespace", "default")
        self.controller = self._jobset or Job(name, namespace, spec, self._start)

    def _start(self, job: Job, index: int | None) -> RunningPod:
        template, number = job.spec["template"], len(self.pods)
        named = job.name if index is None else f"{job.name}-{index}"
        given = template.get("metadata", {})
        own = {} if index is None else {"batch.kubernetes.io/job-completion-index": str(index)}
        metadata = Metadata(
            f"{named}-{number:05d}",
            job.namespace,
            {**given.get("labels", {}), **job.annotations, **own},
            {**given.get("annotations", {}), **job.annotations, **own},
        )
        hostname, domain = named if index is not None else metadata.name, self._subdomain
        full = f"{hostname}.{domain}.{job.namespace}.svc.cluster.local"
        names = (f"{hostname}.{domain}", full) if domain and index is not None else ()
        pod = RunningPod(
            metadata, template["spec"], self._machine, index=index, names=names, hostname=hostname
        )
        self.pods.append(pod)
        self._note(f"{pod.name} started")
        return pod

    def _note(self, text: str) -> None:
        self.events.append(f"{time.monotonic() - self.began:6.1f} {text}")

    @property
    def condition(self) -> Condition | None:
        """How it ended; None while it does not have its end, pods included."""
        return None if self.controller.running else self.controller.condition

    @property
    def restarts(self) -> tuple[int, int]:
        """How often a JobSet was started again, and how many of these were counted."""
        return (self._jobset.restarts, self._jobset.counted) if self._jobset else (0, 0)

    @property
    def codes(self) -> list[int | None]:
        """The exit code of every pod, in the order of their starts."""
        return [pod.exit_code for pod in self.pods]

    def pod(self, index: int | None = None) -> RunningPod:
        """Returns the pod of an index that runs."""
        [found] = [p for p in self.pods if p.phase == "Running" and p.index == index]
        return found

    def suspend(self, suspended: bool) -> None:
        """Sets `suspend`, as a queue does."""
        self.controller.suspended = suspended
        self._note("suspended" if suspended else "resumed")

    def step(self, *, controlled: bool = True) -> None:
        """Looks once at the pods, and lets the controllers do what is due."""
        for pod in self.pods:
            if pod.observe():
                code = "" if pod.exit_code is None else f" with exit code {pod.exit_code}"
                self._note(f"{pod.name} {pod.phase}{code} {', '.join(pod.conditions)}".rstrip())
                self._due = self._due or time.monotonic() + self._batch
        if not controlled or time.monotonic() < self._due:
            return
        self._due = 0.0
        self.controller.sync(time.monotonic())
        self._note_ends()

    def _note_ends(self) -> None:
        parts = [*self._jobset.previous, *self._jobset.jobs] if self._jobset else []
        for what in [*parts, self.controller]:
            if what.condition is not None and what not in self._noted:
                self._noted.append(what)
                self._note(" ".join((what.name, *dataclasses.astuple(what.condition))).rstrip())
        if self._jobset and self._restarts < self.restarts:
            self._restarts = self.restarts
            self._note(f"restart {self.restarts[0]}, of which {self.restarts[1]} counted")

    def until(self, reached: Callable[[], Any], seconds: float, *, controlled: bool = True) -> None:
        """Goes on until something is reached, without its controllers if they are away.

        Raises:
            AssertionError: it was not reached in time, or all is over without it.
        """
        deadline = time.monotonic() + seconds
        while not reached():
            assert self.condition is None, f"it ended before\n{self.text()}"
            assert time.monotonic() < deadline, f"not reached in {seconds} s\n{self.text()}"
            self.step(controlled=controlled)
            time.sleep(0.001)

    def finish(self, seconds: float) -> Condition:
        """Goes on to the end, and returns it.

        Raises:
            AssertionError: it took longer.
        """
        deadline = time.monotonic() + seconds
        while self.condition is None:
            assert time.monotonic() < deadline, f"not over in {seconds} s\n{self.text()}"
            self.step()
            time.sleep(0.02)
        return self.condition

    def text(self) -> str:
        """Returns what happened, and the end of what each pod printed."""
        parts = [f"--- {pod.name} ---\n{pod.text()[-3000:]}" for pod in self.pods]
        return "\n".join([*self.events, *parts])

    def stop(self) -> None:
        """Leaves no pod behind."""
        for pod in self.pods:
            pod.stop()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A network for pods, and folders in the place of their buckets and volumes."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("machine")
    network = Network(folder)
    yield Machine(network, folder)
    network.remove()


@pytest.fixture(scope="module")
def execute(machine: Machine) -> Iterator[Callable[..., Execution]]:
    """Sends manifests to the cluster of the module; `program` is what their image runs."""
    made: list[Execution] = []

    def send(manifest: dict[str, Any], batch: float = BATCH, **changes: Any) -> Execution:
        made.append(Execution(manifest, dataclasses.replace(machine, **changes), batch))
        return made[-1]

    yield send
    for execution in made:
        execution.stop()
