# SPDX-License-Identifier: MIT
"""Vertex AI, with Dataflow for preprocessing, as a platform that runs jobs."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator

from preprocessing.contract.errors import ConfigError, UsageError
from trainer.launch import platform
from trainer.launch.description.job import Job
from trainer.launch.platform import Finding, Rendered, Status
from trainer.launch.vertex import dataflow_run, entries, exported, findings, registry, render
from trainer.launch.vertex.dataflow_jobs import DataflowJobs
from trainer.launch.vertex.jobs import Jobs, send_once
from trainer.launch.vertex.refusals import RefusedError
from trainer.launch.vertex.service import Google
from trainer.launch.vertex.training_jobs import TrainingJobs

_UNDERSTOOD = functools.partial(platform.understood, "Google Cloud")


@dataclasses.dataclass(frozen=True)
class VertexAI:
    """One project and region of Vertex AI, in the form of `platform.Platform`.

    Attributes:
        project: Google Cloud project; None where the job file lacks it.
        region: likewise.
        api_endpoint: another server than the region's own.
        job: whose jobs are meant, of several with its name; None for the newest.
    """

    project: str | None
    region: str | None
    api_endpoint: str | None = None
    job: Job | None = None
    _found: dict[tuple[str, str], Status] = dataclasses.field(default_factory=dict, init=False)

    def render(self, job: Job, stage: str) -> Rendered:
        """See `Platform`."""
        return render.rendered(job, stage)

    def submit(self, job: Job, stage: str) -> tuple[Status, bool]:
        """See `Platform`."""
        if stage == "preprocess":
            command, labels = render.render(job, stage)["command"], render.labels(job, stage)
            return dataflow_run.run(self._google, command, labels, job.data_set)
        kind, body = render.request(job, stage)
        jobs = TrainingJobs(self._google)
        output = body["labels"][platform.OUTPUT]
        with _UNDERSTOOD():
            return send_once(jobs, output, lambda: jobs.create(kind, body))

    @_UNDERSTOOD()
    def status(self, name: str, stage: str) -> Status:
        """See `Platform`."""
        found = self._newest(name, stage)
        with _there(found):
            return self._jobs(stage).renewed(found)

    def logs(self, name: str, stage: str, *, follow: bool) -> Iterator[str]:
        """See `Platform`."""
        with _UNDERSTOOD():
            jobs = self._jobs(stage)
            found = self._newest(name, stage)
            lines = jobs.entries(found, found.created)
            if follow:
                lines = entries.follow(
                    lambda since: jobs.entries(found, since),
                    found.created,
                    lambda: jobs.renewed(found).is_over,
                )
            with _there(found):
                yield from map(str, lines)

    @_UNDERSTOOD()
    def cancel(self, name: str, stage: str) -> Status:
        """See `Platform`."""
        jobs = self._jobs(stage)
        found = self._newest(name, stage)
        try:
            jobs.end(found)
        except RefusedError:
            # It may have ended by itself just before.
            if not jobs.renewed(found).is_over:
                raise
        return jobs.renewed(found)

    def list(self) -> Iterator[Status]:
        """See `Platform`."""
        with _UNDERSTOOD():
            training = TrainingJobs(self._google).labelled(platform.NAME, "*")
            every = [*training, *self._on_dataflow()]
        yield from sorted(every, key=lambda found: found.created, reverse=True)

    def findings(self, job: Job, stage: str) -> Iterator[Finding]:
        """See `Platform`."""
        self._jobs(stage)  # refuses a stage that it does not have
        return findings.look(self._google, job, stage)

    @_UNDERSTOOD()
    def upload(self, name: str, stage: str, job: Job | None, image: str | None) -> tuple[str, bool]:
        """Registers the model of a run, or of a tuning's best trial, in the model registry.

        Args:
            name: of the job.
            stage: train or tune.
            job: its job file's, if there is one; without, the job itself says where it wrote.
            image: container image that will serve the model; None takes the job file's server.

        Returns:
            The version's resource name, and whether it is new.

        Raises:
            DataError: the run is not complete.
        """
        if stage == "tune":
            output = TrainingJobs(self._google).best_run(self._newest(name, stage))
        else:
            output = job.output if job is not None else self.status(name, stage).output
        found = exported.read(output)
        labels = job.labels if job is not None else {}
        container = registry.container(image, job.serve if job is not None else None)
        return registry.register(self._google, name, labels, found, container)

    def _on_dataflow(self) -> Iterator[Status]:
        try:
            yield from DataflowJobs(self._google).labelled(platform.NAME, "*")
        except RefusedError as error:
            # Where it was never enabled there are no jobs.
            if error.reason != "SERVICE_DISABLED":
                raise

    @property
    def _google(self) -> Google:
        if self.project is None or self.region is None:
            raise ConfigError("vertex is missing: the section names the project and the region")
        return Google(self.project, self.region, self.api_endpoint)

    def _jobs(self, stage: str) -> Jobs:
        if stage == "serve":
            raise UsageError(
                "Vertex AI serves what is in its model registry: `cxr14-launch upload vertex` "
                "puts a run's model there"
            )
        return DataflowJobs(self._google) if stage == "preprocess" else TrainingJobs(self._google)

    def _newest(self, name: str, stage: str) -> Status:
        """Returns the job meant, the same one as long as this program runs.

        That is one that is not over before the others, and one with the job file's output before
        those; then the newest.
        """
        if (name, stage) in self._found:
            return self._found[name, stage]
        jobs = self._jobs(stage)

        def labelled(key: str, value: str) -> list[Status]:
            return [
                one for one in jobs.labelled(key, value) if (one.name, one.stage) == (name, stage)
            ]

        own = platform.labels(self.job, stage, self.job.output_of(stage)) if self.job else {}
        found = own and labelled(platform.OUTPUT, own[platform.OUTPUT])
        if not (found := found or labelled(platform.NAME, name)):
            raise UsageError(
                f"there is no job {name} of the stage {stage} in {self._google.place}: "
                f"`cxr14-launch list vertex "
                f"--project={self.project} --region={self.region}` shows those that are"
            )
        newest = max(found, key=lambda one: (not one.is_over, one.created))
        return self._found.setdefault((name, stage), newest)


@contextlib.contextmanager
def _there(found: Status) -> Iterator[None]:
    """Says that somebody deleted a job that was there."""
    try:
        yield
    except RefusedError as error:
        if error.status == 404:
            raise platform.deleted(found.resource) from error
        raise
