# SPDX-License-Identifier: MIT
"""Writes TensorBoard's event files so that a log of many starts reads as one; no TensorFlow.

TensorBoard reads the files of a run in the order of their names, and takes what it reads later for
what happened later. So a file's name and the times in it never go back behind those of the file
before it, whatever the clock says; and a start says from which step on it repeats an earlier one.

What cannot be written is warned of and tried again with the next events: a log ends no run.
"""

import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from absl import logging
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.util.tensor_util import make_tensor_proto

from preprocessing.contract.errors import DataError, JobError
from preprocessing.contract.files import faults, storage, tfrecord

# An object store cannot append: each time the whole file goes up, so a long log is several files.
_ROLL_BYTES = 8 << 20
_FLUSH_S = 120.0
_QUIET_S = 900.0
_MOST_PENDING_BYTES = 64 << 20

FOLDER = "tensorboard"
VARIABLE = "AIP_TENSORBOARD_LOG_DIR"


def folder_of(output: str, environ: Mapping[str, str]) -> str:
    """Returns the folder for events and profiles.

    Vertex AI shows a job's log while it grows if it lies where `AIP_TENSORBOARD_LOG_DIR` says.

    >>> folder_of("gs://bucket/run", {})
    'gs://bucket/run/tensorboard'
    >>> folder_of("gs://bucket/run", {"AIP_TENSORBOARD_LOG_DIR": "gs://bucket/job/logs/"})
    'gs://bucket/job/logs'

    Args:
        output: folder of the run.
        environ: the process's environment.
    """
    return environ.get(VARIABLE, "").rstrip("/") or storage.join(output, FOLDER)


def next_name(names: Iterable[str], now: float, suffix: str) -> str:
    """Returns the name of an event file that is read after all that are there.

    >>> next_name(["events.out.tfevents.0000000900.a"], 200.0, ".b")
    'events.out.tfevents.0000000901.b'

    Args:
        names: of the files in the folder.
        now: seconds since 1970, by a clock that may have been set back.
        suffix: what follows the time.
    """
    found = (re.search(r"tfevents\.(\d+)", name) for name in names)
    newest = max((int(one.group(1)) for one in found if one), default=-1)
    return f"events.out.tfevents.{max(int(now), newest + 1):010d}{suffix}"


def value(tag: str, about: SummaryMetadata, content: Any) -> Summary.Value:
    """Returns a point of a summary, for the plugin that its metadata name."""
    return Summary.Value(tag=tag, metadata=about, tensor=make_tensor_proto(content))


class EventLog:
    """The event file of one start.

    Args:
        folder: of the log, local or in a bucket.
        clock: seconds since 1970.
    """

    def __init__(self, folder: str, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = folder, clock
        self._pending, self._bytes = [], 0  # type: tuple[list[bytes], int]
        self._path, self._written, self._rolled = "", b"", 0
        self._flushed = time.monotonic()
        self._warned = -_QUIET_S
        self._earlier = Earlier()
        try:
            self._earlier = Earlier.of(folder)
        except (JobError, OSError) as error:
            self._warn("earlier events could not be read", error)
        # Never before what is there already.
        self._began = max(clock(), self._earlier.last)
        self._shift = self._began - clock()
        self._head()

    def repeats(self, tag: str, step: int) -> bool:
        """Tells whether an earlier start has logged this very point."""
        return (tag, step) in self._earlier.points

    def begin(self, step: int) -> None:
        """Says that what earlier starts logged of the steps behind `step` is void."""
        points = self._earlier.points
        self._earlier.points = {point for point in points if point[1] <= step}
        # TensorBoard takes the first such event of a log for the first start of all.
        for _ in range(2 if self._earlier.last else 1):
            self._put(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, values: Iterable[Summary.Value]) -> None:
        """Logs points; they are written now and then, and by `flush`."""
        for one in values:
            self._put(Event(step=step, summary=Summary(value=[one])))
        if time.monotonic() - self._flushed > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Writes everything where a reader finds it, or warns that it cannot be written."""
        self._flushed = time.monotonic()
        data = b"".join(self._pending)
        if not data:
            return
        try:
            if storage.scheme_of(self._path):
                storage.write_bytes(self._path, self._written + data)
            else:
                _append(self._path, data)
        except (JobError, OSError) as error:
            self._warn("TensorBoard's events could not be written", error)
            if self._bytes > _MOST_PENDING_BYTES:
                self._pending, self._bytes = [], 0
            return
        self._written += data if storage.scheme_of(self._path) else b""
        self._pending, self._bytes = [], 0
        if len(self._written) > _ROLL_BYTES:
            self._head()

    def _head(self) -> None:
        self._rolled += 1
        suffix = f".{socket.gethostname()}.{os.getpid()}.{self._rolled:03d}"
        name = next_name(self._earlier.names, self._began, suffix)
        self._path, self._written = storage.join(self._folder, name), b""
        self._put(Event(file_version="brain.Event:2"))

    def _put(self, event: Event) -> None:
        event.wall_time = self._clock() + self._shift
        self._pending += tfrecord.framed(event.SerializeToString())
        self._bytes += event.ByteSize()

    def _warn(self, what: str, error: Exception) -> None:
        """Warns of the first failure, and again where it stays."""
        if time.monotonic() - self._warned < _QUIET_S:
            return
        self._warned = time.monotonic()
        said = faults.line(faults.explain(error) or error)
        logging.warning(f"{what} ({said}): training goes on")


class Earlier:
    """What earlier starts have logged: names of files, the last time, the newest points."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.last = 0.0
        self.points: set[tuple[str, int]] = set()

    @classmethod
    def of(cls, folder: str) -> "Earlier":
        """Reads the newest files, back to the last that holds points of a training."""
        found = cls()
        paths = storage.list_files(folder) if storage.exists(folder) else []
        paths = [path for path in paths if path == storage.join(folder, storage.basename(path))]
        paths = [path for path in paths if "tfevents" in storage.basename(path)]
        found.names = [storage.basename(path) for path in paths]
        for path in reversed(paths):
            found._read(path)
            if any(tag.startswith("train/") for tag, _ in found.points):
                break
        return found

    def _read(self, path: str) -> None:
        try:
            for record in tfrecord.read(storage.read_bytes(path)):
                event = Event.FromString(record)
                self.last = max(self.last, event.wall_time)
                self.points |= {(one.tag, event.step) for one in event.summary.value}
        except DataError:
            pass  # a process that was killed leaves a file that is cut short


def _append(path: str, data: bytes) -> None:
    """Appends to a file, or leaves it as it was: readers stop at half an event."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "ab", buffering=0) as file:
        before = file.tell()
        try:
            done = 0
            while done < len(data):
                done += file.write(data[done:])
        except OSError as error:
            file.truncate(before)
            error.filename = error.filename or path
            raise
