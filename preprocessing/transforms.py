# SPDX-License-Identifier: MIT
"""The Beam steps of the job, with the counters that name every way a record can go wrong."""

import base64
import zlib
from collections.abc import Iterable, Sequence

import apache_beam as beam
import cv2
from apache_beam.metrics import Metrics

from preprocessing import shards
from preprocessing.contract import image

NAMESPACE = "cxr14"
WRITTEN = "records_written"
REASONS = (*image.REASONS, "vanished")


def pack(task: shards.ShardTask) -> str:
    """Packs a task into text: the whole plan of 112,120 rows must fit into a 10 MB job request."""
    return base64.b85encode(zlib.compress(task.to_json().encode(), 9)).decode()


def unpack(text: str) -> shards.ShardTask:
    """Reads what `pack` wrote."""
    return shards.ShardTask.from_json(zlib.decompress(base64.b85decode(text)).decode())


class WriteShard(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Writes one shard for each packed task and yields the shard's name."""

    def setup(self) -> None:
        """Keeps OpenCV to one thread: the runner already uses every core."""
        cv2.setNumThreads(1)
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
        task = unpack(packed)
        note = shards.write(task)
        self._written.inc(note.examples)
        for rejection in note.rejected:
            self._rejected[rejection.reason].inc()
        yield task.name


class WriteShards(beam.PTransform):  # type: ignore[misc]  # Beam has no types
    """Spreads the tasks over the runner's workers, a shard at a time.

    Args:
        tasks: the plan.
    """

    def __init__(self, tasks: Sequence[shards.ShardTask]) -> None:
        super().__init__()
        self._packed = [pack(task) for task in tasks]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Builds the chain; the reshuffle keeps runners from fusing all tasks into one worker."""
        return (
            begin
            | "Plan" >> beam.Create(self._packed, reshuffle=False)
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.ParDo(WriteShard())
        )
