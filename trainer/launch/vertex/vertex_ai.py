# SPDX-License-Identifier: MIT
"""Vertex AI as a platform that runs jobs."""

import dataclasses
from collections.abc import Iterator

from trainer.launch.description.job import Job
from trainer.launch.platform import WAITING, Finding, Rendered, Status
from trainer.launch.vertex import render, service


@dataclasses.dataclass(frozen=True)
class VertexAI:
    """One project and region of Vertex AI, in the form of `platform.Platform`.

    Attributes:
        project: Google Cloud project; None takes each job's own.
        region: likewise.
        api_endpoint: another server than the region's own.
    """

    project: str | None
    region: str | None
    api_endpoint: str | None = None

    def render(self, job: Job, stage: str) -> Rendered:
        """See `Platform`."""
        spec, envelope = render.render(job), render.envelope(job)
        labels = ", ".join(f"{key}={value}" for key, value in envelope["labels"].items())
        about = f"the jobSpec of {job.name} (labels {labels}) for {envelope['parent']}"
        return Rendered(spec, [spec, envelope], about)

    def submit(self, job: Job, stage: str) -> tuple[Status, bool]:
        """See `Platform`."""
        made = service.create(job, render.render(job), api_endpoint=self.api_endpoint)
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
