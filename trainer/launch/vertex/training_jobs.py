# SPDX-License-Identifier: MIT
"""The training jobs of Vertex AI: custom jobs, and tunings, whose trials are custom jobs."""

import dataclasses
from collections.abc import Iterator

from preprocessing.contract.errors import ServiceError, UsageError
from preprocessing.contract.files import faults, storage
from trainer.launch import platform
from trainer.launch.manifests import Spec
from trainer.launch.platform import CANCELLED, ENDING, FAILED, RUNNING, SUCCEEDED, WAITING, Status
from trainer.launch.vertex import entries, trials
from trainer.launch.vertex.entries import Entry
from trainer.launch.vertex.service import Google

# Kind of job -> the key of the part that says what runs.
KINDS = {"customJobs": "jobSpec", "hyperparameterTuningJobs": "trialJobSpec"}
_STATES = {
    "QUEUED": WAITING,
    "PENDING": WAITING,
    "PAUSED": WAITING,
    "RUNNING": RUNNING,
    "UPDATING": RUNNING,
    "CANCELLING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "PARTIALLY_SUCCEEDED": FAILED,
    "FAILED": FAILED,
    "EXPIRED": FAILED,
    "CANCELLED": CANCELLED,
}
# What the five states of `platform` leave out.
_MORE = {
    "EXPIRED": "ran out of time",
    "PARTIALLY_SUCCEEDED": "some results are missing",
}


@dataclasses.dataclass(frozen=True)
class TrainingJobs:
    """The training jobs of one project and region."""

    google: Google

    def labelled(self, key: str, value: str) -> Iterator[Status]:
        """Yields the jobs with a label, in no order; `*` takes any value."""
        wanted = ":*" if value == "*" else f'="{value}"'
        query = {"filter": f"labels.{key}{wanted}", "pageSize": 100}
        for kind in KINDS:
            path = f"v1/{self.google.place}/{kind}"
            for found in self.google.every("aiplatform", path, kind, query=query):
                yield self._status(found)

    def create(self, kind: str, body: Spec) -> Status:
        """Sends a job in one request, which is never repeated.

        Raises:
            ServiceError: there was no answer; the job may or may not have been made.
        """
        path = f"v1/{self.google.place}/{kind}"
        return self._status(self.google.once("POST", "aiplatform", path, body=body))

    def renewed(self, known: Status) -> Status:
        """Returns what Vertex AI says of a job now."""
        return self._status(self._read(known))

    def end(self, known: Status) -> None:
        """Asks for the end of a job."""
        self.google.insist("POST", "aiplatform", f"v1/{known.resource}:cancel", body={})

    def entries(self, known: Status, since: str) -> Iterator[Entry]:
        """Yields what a job and its trials have logged from a time on, RFC 3339, in order."""
        is_tuning = "/hyperparameterTuningJobs/" in known.resource
        found = self._read(known).get("trials", ()) if is_tuning else ()
        of_trials = [trial.get("customJob", "") for trial in found]
        ids = [f'"{name.rpartition("/")[2]}"' for name in (known.resource, *of_trials) if name]
        words = ('resource.type="ml_job"', f"resource.labels.job_id=({' OR '.join(ids)})")
        yield from entries.read(self.google, words, since)

    def best_run(self, known: Status) -> str:
        """Returns the folder of the best trial of a tuning.

        Raises:
            UsageError: no trial has a result yet.
        """
        number = trials.best_number(self._read(known))
        if not number:
            raise UsageError(f"no trial of {known.resource} has a result yet")
        return storage.join(known.output, number)

    def _read(self, known: Status) -> Spec:
        return self.google.insist("GET", "aiplatform", f"v1/{known.resource}")

    def _status(self, found: Spec) -> Status:
        resource = found.get("name")
        if not (isinstance(resource, str) and resource):
            raise ServiceError("Vertex AI named no job in its answer: run the same command again")
        google, labels = self.google, found.get("labels") or {}
        state = str(found.get("state", "")).removeprefix("JOB_STATE_")
        spec: Spec = next((found[key] for key in KINDS.values() if key in found), {})
        said = faults.line((found.get("error") or {}).get("message", ""))
        return Status(
            name=str(labels.get(platform.NAME) or found.get("displayName", "")),
            stage=labels.get(platform.STAGE, "train"),
            state=_STATES.get(state, WAITING),
            resource=resource,
            detail=ENDING if state == "CANCELLING" else said or _MORE.get(state, ""),
            created=found.get("createTime", ""),
            started=found.get("startTime", ""),
            ended=found.get("endTime", ""),
            output=spec.get("baseOutputDirectory", {}).get("outputUriPrefix", ""),
            trials=trials.counts(found),
            best=trials.best(found),
            link=f"https://console.cloud.google.com/agent-platform/locations/{google.region}/"
            f"training/{resource.rpartition('/')[2]}?project={google.project}",
        )
