# SPDX-License-Identifier: MIT
"""The order of training records: a function of (seed, epoch) that can be entered anywhere.

An epoch strings the shards together in a drawn order and cuts that string into streams of equal
length. A stream shuffles its records in windows of fixed length; the streams take turns. Which
record comes at which place therefore follows from arithmetic: a restart opens the shards that its
streams have reached, and a process opens only those of its own streams.

Places are counted over the whole run: place g is number g % batch of step g // batch, and belongs
to stream g % streams.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import tensorflow as tf

READ_BYTES = 4 << 20


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of one run's training records.

    Attributes:
        files: paths of the shards.
        examples: records of each shard.
        per_epoch: records that an epoch takes, a multiple of the global batch.
        streams: number of streams.
        window: records that a stream shuffles at a time.
        seed: of the run.
        deterministic: whether records come in their order, or as they happen to be ready.
    """

    files: tuple[str, ...]
    examples: tuple[int, ...]
    per_epoch: int
    streams: int
    window: int
    seed: int
    deterministic: bool = True

    def records(self, start: int, *, processes: int = 1, process: int = 0) -> tf.data.Dataset:
        """Returns the endless serialized records of one process.

        Args:
            start: place of the first record; a multiple of the global batch, which is one of
                `processes`.
            processes: number of processes that share out the places.
            process: this one; its places are those with place % processes == process.
        """
        # Where there might be an end, all processes would ask each other before every step.
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        if self.streams % processes:
            # Its places wander over all streams: it reads all of them and keeps its own.
            return self._turns(start, 1, 0).shard(processes, process).apply(endless)
        return self._turns(start, processes, process).apply(endless)

    def _turns(self, start: int, processes: int, process: int) -> tf.data.Dataset:
        turns = [
            (start + place) % self.streams for place in range(process, self.streams, processes)
        ]
        return tf.data.Dataset.from_tensor_slices(tf.constant(turns, tf.int64)).interleave(
            lambda stream: self._stream(stream, start),
            cycle_length=len(turns),
            block_length=1,
            num_parallel_calls=min(len(turns), 16),
            deterministic=self.deterministic,
        )

    def _stream(self, stream: tf.Tensor, start: int) -> tf.data.Dataset:
        first = start // self.per_epoch

        def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            done = tf.where(epoch == first, tf.constant(start % self.per_epoch, tf.int64), 0)
            return self._of_epoch(stream, epoch, done)

        return tf.data.Dataset.range(first, np.iinfo(np.int64).max).flat_map(of_epoch)

    def _of_epoch(self, stream: tf.Tensor, epoch: tf.Tensor, done: tf.Tensor) -> tf.data.Dataset:
        """Returns what is left of a stream's epoch when `done` places, of all streams, are over."""
        # 1. Streams take turns without a break between epochs, so each epoch begins with another:
        # `turn` is this stream's rank among those of the epoch.
        turn = (stream - epoch * self.per_epoch) % self.streams
        # 2. Its own stretch of the epoch's string; the first streams are longer by one record.
        begin = turn * (self.per_epoch // self.streams) + tf.minimum(
            turn, self.per_epoch % self.streams
        )
        length = _share(self.per_epoch, self.streams, turn)
        # 3. How much of it was taken before a restart: whole windows are not even read again.
        taken = _share(done, self.streams, turn)
        windows = taken // self.window
        # 4. Shards are drawn by (seed, epoch), each window shuffled by its stream and number too.
        key = tf.stack([tf.constant(self.seed, tf.int64), epoch])
        records = self._range(key, begin + windows * self.window, begin + length)
        key = tf.random.experimental.stateless_fold_in(key, stream)

        def mixed(number: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
            own = tf.random.experimental.stateless_fold_in(key, number)
            return tf.random.experimental.stateless_shuffle(window, seed=own)

        # 5. Of the window in which the restart falls, the records before it are dropped.
        shuffled = records.batch(self.window).enumerate(windows).map(mixed).unbatch()
        return shuffled.skip(taken - windows * self.window)

    def _range(self, key: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.data.Dataset:
        """Reads records `begin` up to `end` of the epoch's string of shards."""
        drawn = tf.random.experimental.stateless_shuffle(tf.range(len(self.files)), seed=key)
        counts = tf.gather(tf.constant(self.examples, tf.int64), drawn)
        ends = tf.cumsum(counts)
        at = tf.searchsorted(ends, [begin], side="right")[0]
        last = tf.searchsorted(ends, [end], side="left")[0] + 1
        paths = tf.gather(tf.constant(self.files), drawn[at:last])
        before = tf.concat([[tf.constant(0, tf.int64)], ends], axis=0)[at]
        records = tf.data.TFRecordDataset(paths, buffer_size=READ_BYTES)
        return records.skip(begin - before).take(end - begin)


def reading(files: list[str], examples: list[int], begin: int, end: int) -> tf.data.Dataset:
    """Returns the serialized records `begin` up to `end` of shards in their given order."""
    ends: npt.NDArray[np.int64] = np.cumsum(examples, dtype=np.int64)
    at = int(np.searchsorted(ends, begin, side="right"))
    last = int(np.searchsorted(ends, end, side="left")) + 1
    before = int(ends[at - 1]) if at else 0
    records = tf.data.TFRecordDataset(files[at:last], buffer_size=READ_BYTES)
    return records.skip(begin - before).take(end - begin)


def _share(places: tf.Tensor, streams: int, turn: tf.Tensor) -> tf.Tensor:
    """Returns how many of the first `places` places the stream with this turn has."""
    return places // streams + tf.cast(turn < places % streams, tf.int64)
