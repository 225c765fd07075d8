# SPDX-License-Identifier: MIT
"""A cluster of Kubernetes as a platform that runs jobs."""

import dataclasses
from collections.abc import Iterator

from trainer.launch.description.job import Job
from trainer.launch.kubernetes import render, service
from trainer.launch.platform import WAITING, Finding, Rendered, Status


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A namespace of the cluster of kubectl's current context, in the form of `platform.Platform`.

    Attributes:
        namespace: of the jobs.
    """

    namespace: str

    def render(self, job: Job, stage: str) -> Rendered:
        """See `Platform`."""
        manifest = render.render(job)
        about = f"the {manifest['kind']} {manifest['metadata']['namespace']}/{job.name}"
        if manifest["kind"] == "JobSet":
            about += f", whose {job.timeout_hours:g} hours count for each attempt"
        return Rendered(manifest, manifest, about)

    def submit(self, job: Job, stage: str) -> tuple[Status, bool]:
        """See `Platform`."""
        made = service.create(render.render(job))
        return Status(job.name, stage, WAITING, made, output=job.output), True

    def status(self, name: str, stage: str) -> Status:
        """See `Platform`."""
        raise NotImplementedError

    def logs(self, name: str, stage: str, *, follow: bool) -> Iterator[str]:
        """See `Platform`."""
        raise NotImplementedError

    def cancel(self, name: str, stage: str) -> Status:
        """See `Platform`."""
        raise NotImplementedError

    def list(self) -> Iterator[Status]:
        """See `Platform`."""
        raise NotImplementedError

    def findings(self, job: Job, stage: str) -> Iterator[Finding]:
        """See `Platform`."""
        raise NotImplementedError
