# SPDX-License-Identifier: MIT
"""The preprocessing jobs on Dataflow."""

import dataclasses
from collections.abc import Iterator

from preprocessing.contract.files import faults
from trainer.launch import platform
from trainer.launch.manifests import Spec
from trainer.launch.platform import CANCELLED, ENDING, FAILED, RUNNING, SUCCEEDED, WAITING, Status
from trainer.launch.vertex.entries import Entry
from trainer.launch.vertex.service import Google

_STATES = {
    "STOPPED": WAITING,
    "PENDING": WAITING,
    "QUEUED": WAITING,
    "DONE": SUCCEEDED,
    "UPDATED": SUCCEEDED,
    "FAILED": FAILED,
    "CANCELLED": CANCELLED,
    "DRAINED": CANCELLED,
}
_OVER = ("DONE", "UPDATED", "FAILED", "CANCELLED", "DRAINED")
_MOST_LOOKED_UP = 100
_SEVERITIES = ("WARNING", "ERROR")


@dataclasses.dataclass(frozen=True)
class DataflowJobs:
    """The jobs of one project and region."""

    google: Google

    def labelled(self, key: str, value: str) -> Iterator[Status]:
        """Yields the jobs with a label, in no order; `*` takes any value.

        Of those with a certain output only those that are not over, and where Dataflow lists jobs
        without their labels, of all jobs only the newest: each must be looked up by itself.
        """
        query = {"filter": "ACTIVE" if key == platform.OUTPUT else "ALL"}
        if key == platform.NAME and value != "*":
            query["name"] = value  # jobs are sent under the name that is their label
        listed = self.google.every("dataflow", self._path, "jobs", query=query)
        looked_up = 0
        for found in sorted(listed, key=lambda one: str(one.get("createTime")), reverse=True):
            if "labels" not in found:
                looked_up += 1
                if looked_up > _MOST_LOOKED_UP:
                    return
                found = self._read(found)
            labels = found.get("labels") or {}
            if platform.NAME in labels and value in ("*", labels.get(key)):
                yield self._status(found)

    def renewed(self, known: Status) -> Status:
        """Returns what Dataflow says of a job now."""
        found = self._status(self._read({"id": known.resource.rpartition("/")[2]}))
        if found.state != FAILED:
            return found
        # A job does not hold why it failed.
        wrong = [one.text for one in self.entries(found, "", importance="ERROR")]
        return dataclasses.replace(found, detail=faults.line(wrong[-1])) if wrong else found

    def end(self, known: Status) -> None:
        """Asks for the end of a job."""
        body = {"requestedState": "JOB_STATE_CANCELLED"}
        self.google.insist("PUT", "dataflow", f"v1b3/{known.resource}", body=body)

    def entries(self, known: Status, since: str, *, importance: str = "BASIC") -> Iterator[Entry]:
        """Yields what Dataflow says about a job from a time on, RFC 3339, in order."""
        query = {"minimumImportance": f"JOB_MESSAGE_{importance}", "pageSize": 1000}
        query |= {"startTime": since} if since else {}
        path = f"v1b3/{known.resource}/messages"
        for found in self.google.every("dataflow", path, "jobMessages", query=query):
            importance = str(found.get("messageImportance", "")).removeprefix("JOB_MESSAGE_")
            moment, text = found.get("time", ""), found.get("messageText", "")
            severity = importance if importance in _SEVERITIES else "INFO"
            yield Entry(moment, severity, "", text, found.get("id") or f"{moment} {text}")

    @property
    def _path(self) -> str:
        return f"v1b3/{self.google.place}/jobs"

    def _read(self, known: Spec) -> Spec:
        path = f"{self._path}/{known['id']}"
        return self.google.insist("GET", "dataflow", path, query={"view": "JOB_VIEW_ALL"})

    def _status(self, found: Spec) -> Status:
        google, labels = self.google, found.get("labels") or {}
        state = str(found.get("currentState", "")).removeprefix("JOB_STATE_")
        return Status(
            name=labels[platform.NAME],
            stage=labels.get(platform.STAGE, "preprocess"),
            state=_STATES.get(state, RUNNING),
            resource=f"{google.place}/jobs/{found['id']}",
            detail=ENDING if state in ("CANCELLING", "DRAINING") else "",
            created=found.get("createTime", ""),
            started=found.get("startTime", ""),
            ended=found.get("currentStateTime", "") if state in _OVER else "",
            link=f"https://console.cloud.google.com/dataflow/jobs/{google.region}/{found['id']}"
            f"?project={google.project}",
        )
