# SPDX-License-Identifier: MIT
"""The Beam steps of the job, with the counters that name every way a record can go wrong."""

import base64
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import apache_beam as beam
import cv2
from apache_beam.metrics import Metrics

from preprocessing.contract import radiographs
from preprocessing.shards import shards
from preprocessing.shards.shards import ShardTask
from preprocessing.staging import unpacking
from preprocessing.staging.staging import StageTask
from preprocessing.workers import orphans

NAMESPACE = "cxr14"
WRITTEN = "records_written"
STAGED = "images_staged"
REASONS = radiographs.REASONS


class Task(Protocol):
    """What a worker is told, as JSON."""

    def to_json(self) -> str:
        """Returns the task as text."""
        ...


def pack(task: Task) -> str:
    """Packs a task into text: the whole plan of 112,120 rows must fit into a 10 MB job request."""
    return base64.b85encode(zlib.compress(task.to_json().encode(), 9)).decode()


def unpack(text: str) -> str:
    """Returns the JSON of what `pack` packed."""
    return zlib.decompress(base64.b85decode(text)).decode()


class Worker(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """What every worker of the job does before its first task."""

    def setup(self) -> None:
        """Keeps OpenCV to one thread, as the runner uses every core, and ends with its job."""
        cv2.setNumThreads(1)
        orphans.watch_parent()


class WriteShard(Worker):
    """Writes one shard for each packed task and yields the shard's name."""

    def setup(self) -> None:
        """Makes the counters."""
        super().setup()
        self._written = Metrics.counter(NAMESPACE, WRITTEN)
        self._rejected = {
            reason: Metrics.counter(NAMESPACE, f"rejected_{reason}") for reason in REASONS
        }

    def process(self, packed: str) -> Iterable[str]:
        """Writes a shard.

        Args:
            packed: a task as `pack` made it.

        Yields:
            The name of the finished shard.
        """
        task = ShardTask.from_json(unpack(packed))
        note = shards.write(task)
        self._written.inc(note.examples)
        for rejection in note.rejected:
            self._rejected[rejection.reason].inc()
        yield task.name


class WorkOff(Worker):
    """Works off one archive, or some DICOM files, and yields the task's name."""

    def setup(self) -> None:
        """Makes the counters."""
        super().setup()
        self._staged = Metrics.counter(NAMESPACE, STAGED)

    def process(self, packed: str) -> Iterable[str]:
        """Works off a task.

        Args:
            packed: a task as `pack` made it.

        Yields:
            The name of the finished task.
        """
        task = StageTask.from_json(unpack(packed))
        self._staged.inc(unpacking.work_off(task))
        yield task.name


class Spread(beam.PTransform):  # type: ignore[misc]  # Beam has no types
    """Spreads tasks over the runner's workers, one at a time.

    Args:
        tasks: the plan.
        worker: makes what does a packed task.
    """

    def __init__(self, tasks: Sequence[Task], worker: Callable[[], Worker]) -> None:
        super().__init__()
        self._packed = [pack(task) for task in tasks]
        self._worker = worker

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Builds the chain; the reshuffle keeps runners from fusing all tasks into one worker."""
        return (
            begin
            | "Plan" >> beam.Create(self._packed, reshuffle=False)
            | "Spread" >> beam.Reshuffle()
            | "Work" >> beam.ParDo(self._worker())
        )
