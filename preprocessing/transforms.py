# SPDX-License-Identifier: MIT
"""The Beam steps of the job, with the counters that name every way a record can go wrong."""

import base64
import collections
import pickle
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import cv2
from apache_beam.metrics import Metrics

from preprocessing.shards import shards
from preprocessing.shards.shards import ShardTask
from preprocessing.staging import unpacking
from preprocessing.staging.staging import StageTask
from preprocessing.workers import worker_processes

NAMESPACE = "cxr14"
WRITTEN = "records_written"
STAGED = "images_staged"

# Does a task and says what to count.
Work = Callable[[Any], Mapping[str, int]]


def pack(task: Any) -> str:
    """Packs a task into text: the whole plan of 112,120 rows must fit into a 10 MB job request."""
    return base64.b85encode(zlib.compress(pickle.dumps(task), 9)).decode()


def unpack(text: str) -> Any:
    """Returns what `pack` packed; only ever text of this very job, as unpickling runs code."""
    return pickle.loads(zlib.decompress(base64.b85decode(text)))


def write_shard(task: ShardTask) -> dict[str, int]:
    """Writes a shard and returns the counts of its images."""
    note = shards.write(task)
    rejected = collections.Counter(f"rejected_{item.reason}" for item in note.rejected)
    return {WRITTEN: note.examples, **rejected}


def stage(task: StageTask) -> dict[str, int]:
    """Reads an archive, or some DICOM files, and returns how many images that gave."""
    return {STAGED: unpacking.stage(task)}


class Worker(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Does each packed task, counts what came of it, and yields the task's name.

    Args:
        work: does a task and returns name of a counter -> what to add to it.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    def setup(self) -> None:
        """Keeps OpenCV to one thread, as the runner uses every core, and ends with its job."""
        cv2.setNumThreads(1)
        worker_processes.watch_parent()

    def process(self, packed: str) -> Iterable[str]:
        """Does one task."""
        task = unpack(packed)
        for name, count in self._work(task).items():
            Metrics.counter(NAMESPACE, name).inc(count)
        yield task.name


def spread(tasks: Sequence[Any], work: Work) -> beam.PTransform:
    """Returns the transform that spreads tasks over the runner's workers, one at a time."""
    packed = [pack(task) for task in tasks]

    def chain(begin: beam.pvalue.PBegin) -> beam.PCollection:
        # The reshuffle keeps runners from fusing all tasks into one worker.
        plan = begin | "Plan" >> beam.Create(packed, reshuffle=False)
        return plan | "Spread" >> beam.Reshuffle() | "Work" >> beam.ParDo(Worker(work))

    return beam.ptransform_fn(chain)()
