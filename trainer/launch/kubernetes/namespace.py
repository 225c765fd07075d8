# SPDX-License-Identifier: MIT
"""Finds a job and what belongs to it in a namespace, by their labels, and deletes it."""

import dataclasses
import time
from collections.abc import Iterator

from preprocessing.contract.errors import ServiceError, UsageError
from trainer.launch.kubernetes import objects, render
from trainer.launch.kubernetes.service import Api, Refusal
from trainer.launch.manifests import Spec
from trainer.launch.platform import NAME, OUTPUT, STAGE

# What a job can be, with the group that serves it.
_KINDS = {"Job": "batch/v1", "JobSet": render.JOBSET, "Deployment": "apps/v1"}
_OF_A_STAGE = {"train": ("Job", "JobSet"), "preprocess": ("Job",), "serve": ("Deployment",)}
_OVER = ("Complete", "Completed", "Failed")
# Seconds between two looks at what takes its time, and above its grace period before that is odd.
POLL_S = 2.0
_MARGIN_S = 60.0


def path(version: str, kind: str, namespace: str = "", name: str = "") -> str:
    """Returns where the API has a thing, or without a name all of its kind.

    >>> path("batch/v1", "Job", "research", "quick-run")
    '/apis/batch/v1/namespaces/research/jobs/quick-run'
    >>> path("v1", "Node")
    '/api/v1/nodes'
    """
    base = f"/{'apis' if '/' in version else 'api'}/{version}"
    within = f"/namespaces/{namespace}" if namespace else ""
    several = kind.lower() + ("es" if kind.endswith("s") else "s")
    return f"{base}{within}/{several}" + (f"/{name}" if name else "")


def condition(thing: Spec, *types: str) -> Spec | None:
    """Returns the first condition of these types that holds, None if none does."""
    for found in thing.get("status", {}).get("conditions") or []:
        if found["type"] in types and found["status"] == "True":
            return dict(found)
    return None


def is_over(thing: Spec) -> bool:
    """Whether a Job or JobSet will do nothing more."""
    return condition(thing, *_OVER) is not None


def is_ending(thing: Spec) -> bool:
    """Whether it was deleted, and is there only until its pods have ended."""
    return "deletionTimestamp" in thing["metadata"]


def made(thing: Spec) -> tuple[str, str]:
    """Returns by what things are in the order in which they were made; those of a second in one."""
    metadata = thing["metadata"]
    return str(metadata.get("creationTimestamp", "")), str(metadata.get("uid", ""))


def label(thing: Spec, key: str) -> str:
    """Returns a label, empty if it is not there."""
    return str((thing["metadata"].get("labels") or {}).get(key, ""))


def pod_spec(thing: Spec) -> Spec:
    """Returns what the pods of a Job, JobSet or Deployment are made from."""
    spec: Spec = thing["spec"]
    if "replicatedJobs" in spec:
        spec = spec["replicatedJobs"][0]["template"]["spec"]
    found: Spec = spec["template"]["spec"]
    return found


def pods_at_once(thing: Spec) -> int:
    """Returns how many pods a Job, JobSet or Deployment has at a time."""
    spec = thing["spec"]
    if thing["kind"] != "JobSet":
        return int(spec.get("parallelism") or spec.get("replicas") or 1)
    return sum(
        part.get("replicas", 1) * part["template"]["spec"].get("parallelism", 1)
        for part in spec["replicatedJobs"]
    )


@dataclasses.dataclass(frozen=True)
class Namespace:
    """A namespace of a cluster.

    Attributes:
        api: the cluster.
        name: of the namespace.
    """

    api: Api
    name: str

    def jobs(self, stage: str = "", **labels: str) -> Iterator[Spec]:
        """Yields the Jobs, JobSets and Deployments with these labels, kind by kind.

        Args:
            stage: one of whose kinds must be seen; whoever may use one need not see the others.
            labels: of the jobs.
        """
        wanted = {**objects.LABELS, **labels}
        selector = ",".join([f"{key}={value}" for key, value in wanted.items()])
        refused: dict[str, Refusal] = {}
        for kind, version in _KINDS.items():
            try:
                found = self.api.every(path(version, kind, self.name), labelSelector=selector)
            except Refusal as error:
                # Without JobSet in the cluster: 404, or 403 for whoever may not use all it has.
                if error.status not in (403, 404):
                    raise
                refused[kind] = error
                continue
            for thing in found:
                if not thing["metadata"].get("ownerReferences"):  # else it is part of a JobSet
                    yield {**thing, "apiVersion": version, "kind": kind}
        kinds = _OF_A_STAGE.get(stage, tuple(_KINDS))
        if refused.keys() >= set(kinds):
            raise refused[kinds[0]]

    def writers(self, stage: str, output: str) -> list[Spec]:
        """Returns the jobs that are not over with this label of an output, oldest first."""
        found = self.jobs(stage, **{STAGE: stage, OUTPUT: output})
        return sorted((job for job in found if not is_over(job)), key=made)

    def named(self, name: str, stage: str) -> Spec:
        """Returns the newest job of a name, one that is not over first.

        Raises:
            UsageError: there is none.
        """
        found = list(self.jobs(stage, **{NAME: name}))
        jobs = [job for job in found if label(job, STAGE) == stage]
        if jobs:
            return max(jobs, key=lambda job: (not is_over(job), made(job)))
        others = sorted({label(job, STAGE) for job in found})
        hint = f": it has --stage={' or '.join(others)}" if others else ""
        raise UsageError(
            f"the namespace {self.name} has no job {name} of the stage {stage}{self._hidden(stage)}"
            + (hint or "; `cxr14-launch list kubernetes --namespace=...` shows what it has")
        )

    def _hidden(self, stage: str) -> str:
        """Returns, for a sentence, which kinds of a stage whoever calls may not see."""
        kinds = []
        for kind in _OF_A_STAGE.get(stage, ()):
            try:
                self.api.read(path(_KINDS[kind], kind, self.name), limit=1)
            except Refusal:
                kinds.append(f"{kind}s")
        return f" (you may not look at {' or '.join(kinds)})" if kinds else ""

    def at(self, thing: Spec) -> Spec | None:
        """Returns what has a manifest's kind and name now, None if nothing has."""
        found = self.api.read(self.path(thing))
        return {**thing, **found} if found is not None else None

    def again(self, thing: Spec) -> Spec | None:
        """Returns a thing as it is now, None once it is gone, though another may have its name."""
        found = self.at(thing)
        return found if found and found["metadata"]["uid"] == thing["metadata"]["uid"] else None

    def path(self, thing: Spec) -> str:
        """Returns where the API has a thing of this kind and name."""
        return path(thing["apiVersion"], thing["kind"], self.name, thing["metadata"]["name"])

    def called(self, thing: Spec) -> str:
        """Returns what a sentence calls a thing."""
        return f"the {thing['kind']} {self.name}/{thing['metadata']['name']}"

    def services(self, job: Spec) -> list[Spec]:
        """Returns the Services that were made with a Deployment, none for anything else."""
        if job["kind"] != "Deployment":
            return []
        selector = ",".join(f"{key}={label(job, key)}" for key in (NAME, STAGE))
        found = self.api.every(path("v1", "Service", self.name), labelSelector=selector)
        return [{**service, "apiVersion": "v1", "kind": "Service"} for service in found]

    def children(self, job: Spec) -> list[Spec]:
        """Returns the Jobs of a JobSet that may be seen, none for anything else."""
        if job["kind"] != "JobSet":
            return []
        selector = f"jobset.sigs.k8s.io/jobset-name={job['metadata']['name']}"
        try:
            return self.api.every(path("batch/v1", "Job", self.name), labelSelector=selector)
        except Refusal:
            return []

    def pods(self, thing: Spec) -> list[Spec]:
        """Returns the pods of a job that are still there, oldest first."""
        if thing["kind"] == "Job":
            wanted = {"batch.kubernetes.io/controller-uid": thing["metadata"]["uid"]}
        elif thing["kind"] == "JobSet":
            wanted = {"jobset.sigs.k8s.io/jobset-name": thing["metadata"]["name"]}
        else:
            wanted = thing["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in wanted.items())
        found = self.api.every(path("v1", "Pod", self.name), labelSelector=selector)
        return sorted(found, key=made)

    def warning(self, thing: Spec) -> str:
        """Returns the newest warning that the cluster noted about a thing, empty if none."""
        selector = f"involvedObject.uid={thing['metadata']['uid']},type=Warning"
        try:
            found = self.api.every(path("v1", "Event", self.name), fieldSelector=selector)
        except Refusal:
            return ""  # they help, and not everybody may see them
        found.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return f"{found[-1]['reason']}: {found[-1]['message']}" if found else ""

    def queued(self, thing: Spec) -> str:
        """Returns what Kueue says of a job that it has not let in, empty if nothing."""
        try:
            version = self.queue_version()
            selector = f"kueue.x-k8s.io/job-uid={thing['metadata']['uid']}"
            where = path(version, "Workload", self.name)
            found = self.api.every(where, labelSelector=selector) if version else []
        except Refusal:
            return ""
        said = [
            part["message"]
            for workload in found
            for part in workload.get("status", {}).get("conditions") or []
            if part["type"] == "QuotaReserved" and part["status"] == "False"
        ]
        return said[0] if said else ""

    def queue_version(self) -> str:
        """Returns the group and version in which the cluster serves Kueue, empty if it does not."""
        found = self.api.read("/apis/kueue.x-k8s.io")
        return found["preferredVersion"]["groupVersion"] if found else ""

    def delete(self, thing: Spec) -> None:
        """Deletes a thing and waits until its pods have ended.

        They get SIGTERM and their grace period, in which a run saves its state.

        Raises:
            ServiceError: they do not end.
        """
        if not is_ending(thing):
            self.api.delete(self.path(thing), thing["metadata"]["uid"])
        grace = pod_spec(thing).get("terminationGracePeriodSeconds", 30)
        end = time.monotonic() + float(grace) + _MARGIN_S
        while self.again(thing):
            if time.monotonic() > end:
                raise ServiceError(
                    f"{self.called(thing)} was deleted, but its pods do not end, as when their "
                    f"node is lost: see `kubectl get pods --namespace={self.name}`, then give the "
                    "command again"
                )
            time.sleep(POLL_S)
