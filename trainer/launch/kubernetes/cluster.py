# SPDX-License-Identifier: MIT
"""A cluster of Kubernetes as a platform that runs jobs."""

import dataclasses
from collections.abc import Iterator

from trainer.launch.description.job import Job
from trainer.launch.kubernetes import findings, pod_logs, render, states, submission
from trainer.launch.kubernetes import namespace as ns
from trainer.launch.kubernetes.namespace import Namespace
from trainer.launch.kubernetes.service import Api
from trainer.launch.platform import CANCELLED, Finding, Rendered, Status, understood

_NAME = "the cluster"
_RESUMES = "its run goes on from its last checkpoint when the same job is submitted again"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A namespace of the cluster of kubectl's current context, in the form of `platform.Platform`.

    Attributes:
        namespace: of the jobs.
    """

    namespace: str
    _api: Api = dataclasses.field(default_factory=Api)

    @property
    def _found(self) -> Namespace:
        return Namespace(self._api, self.namespace)

    def render(self, job: Job, stage: str) -> Rendered:
        """See `Platform`."""
        if job.kubernetes is not None:
            section = dataclasses.replace(job.kubernetes, namespace=self.namespace)
            job = dataclasses.replace(job, kubernetes=section)
        manifest = render.render(job, stage)
        objects = manifest.get("items", [manifest])
        metadata, kinds = objects[0]["metadata"], " and ".join(one["kind"] for one in objects)
        about = f"the {kinds} {metadata['namespace']}/{metadata['name']}"
        if manifest["kind"] == "JobSet":
            about += f", whose {job.timeout_hours:g} hours count for each attempt"
        return Rendered(manifest, objects, about)

    def submit(self, job: Job, stage: str) -> tuple[Status, bool]:
        """See `Platform`."""
        manifests = self.render(job, stage).sent
        with understood(_NAME):
            made, is_new = submission.submit(self._found, manifests)
            return states.status_of(made, self.namespace), is_new

    @understood(_NAME)
    def status(self, name: str, stage: str) -> Status:
        """See `Platform`."""
        return states.seen(self._found, self._found.named(name, stage))

    def logs(self, name: str, stage: str, *, follow: bool) -> Iterator[str]:
        """See `Platform`."""
        with understood(_NAME):
            job = self._found.named(name, stage)
            read = pod_logs.follow if follow and not ns.is_over(job) else pod_logs.read
            yield from read(self._found, job)

    @understood(_NAME)
    def cancel(self, name: str, stage: str) -> Status:
        """Deletes a job that is not over; returns when its pods have saved their state and ended.

        One that is over is left, with its log, until it is submitted again.
        """
        job = self._found.named(name, stage)
        if ns.is_over(job):
            return states.status_of(job, self.namespace)
        for service in self._found.services(job):
            self._api.delete(self._found.path(service), service["metadata"]["uid"])
        self._found.delete(job)
        status = states.status_of(job, self.namespace)
        detail = "" if job["kind"] == "Deployment" else _RESUMES
        return dataclasses.replace(status, state=CANCELLED, detail=detail)

    def list(self) -> Iterator[Status]:
        """See `Platform`."""
        with understood(_NAME):
            found = [states.status_of(job, self.namespace) for job in self._found.jobs()]
            yield from sorted(found, key=lambda status: status.created, reverse=True)

    def findings(self, job: Job, stage: str) -> Iterator[Finding]:
        """See `Platform`."""
        manifests = self.render(job, stage).sent
        with understood(_NAME):
            yield from findings.findings(self._found, manifests)
