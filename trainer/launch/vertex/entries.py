# SPDX-License-Identifier: MIT
"""Reads what a job has logged, in order, and goes on reading until it is over."""

import calendar
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator

from trainer.launch.manifests import Spec
from trainer.launch.vertex.service import Google

# Cloud Logging allows one read a second in a project.
POLL_S = 10.0
# Entries arrive late, and not in the order of their times.
_LATE_S = 60
_TRIAL = "ml.googleapis.com/trial_id"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of a log.

    Attributes:
        time: RFC 3339, in UTC.
        severity: in Cloud Logging's words.
        worker: which of a job's machines wrote it; empty if the platform did.
        text: may have several lines.
        id: no other entry has it.
    """

    time: str
    severity: str
    worker: str
    text: str
    id: str

    def __str__(self) -> str:
        """Returns the entry as it is shown: time to the second, severity, worker, text."""
        words = (f"{self.time[:19]}Z", f"{self.severity:7}", self.worker, self.text.rstrip())
        return " ".join(word for word in words if word)


def read(google: Google, words: Iterable[str], since: str) -> Iterator[Entry]:
    """Yields entries of Cloud Logging from a time on, in order.

    Args:
        google: where from.
        words: what an entry must fulfil, in Cloud Logging's query language.
        since: RFC 3339.
    """
    body = {
        "resourceNames": [f"projects/{google.project}"],
        "filter": " AND ".join([*words, f'timestamp>="{since}"']),
        "orderBy": "timestamp asc",
        "pageSize": 1000,
    }
    for found in google.every("logging", "v2/entries:list", "entries", body=body):
        yield _entry(found)


def follow(
    read: Callable[[str], Iterable[Entry]], since: str, is_over: Callable[[], bool]
) -> Iterator[Entry]:
    """Yields every entry once, until a job is over and what it wrote last has arrived.

    Args:
        read: returns the entries from a time on, RFC 3339.
        since: when the job was sent.
        is_over: whether the job will do nothing more.
    """
    seen: dict[str, str] = {}
    newest, was_over = since, False
    while True:
        over = is_over()
        for entry in read(max(since, _earlier(newest))):
            if entry.id not in seen:
                yield entry
            seen[entry.id] = entry.time
            newest = max(newest, entry.time)
        seen = {key: written for key, written in seen.items() if written >= _earlier(newest)}
        if was_over:
            return
        was_over = over
        time.sleep(POLL_S)


def _earlier(moment: str) -> str:
    """Returns a time a minute before another one.

    >>> _earlier("2026-01-01T00:00:30.123456789Z")
    '2025-12-31T23:59:30Z'
    """
    seconds = calendar.timegm(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S"))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds - _LATE_S))


def _entry(found: Spec) -> Entry:
    payload = found.get("jsonPayload") or {}
    text = found.get("textPayload") or payload.get("message")
    trial = (found.get("labels") or {}).get(_TRIAL)
    worker = ((found.get("resource") or {}).get("labels") or {}).get("task_name", "")
    return Entry(
        time=found.get("timestamp", ""),
        severity=found.get("severity") or payload.get("severity") or "DEFAULT",
        worker=f"trial {trial} {worker}" if trial else worker,
        text=str(text or json.dumps(payload or found.get("protoPayload"))),
        id=found.get("insertId", "") + found.get("timestamp", ""),
    )
