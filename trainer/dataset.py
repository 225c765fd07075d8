# SPDX-License-Identifier: MIT
"""Makes batches from shards: in training endless, in evaluation every example exactly once.

The order of training is a function of (seed, epoch) alone. Step s takes the records from s * global
batch on, whatever the number of replicas; a restart skips consumed records before it decodes any.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from preprocessing.contract import image_graph, schema, storage
from preprocessing.contract.errors import ConfigError, DataError
from preprocessing.contract.manifest import Manifest
from trainer.config import DataConfig, check_batch

_READ_BYTES = 8 << 20


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is known of a split without looking at pixels, in the order of evaluation.

    Attributes:
        ids: str [n].
        patients: str [n].
        targets: int64 [n, findings]; 1 present, 0 absent, -1 unknown.
    """

    ids: np.ndarray
    patients: np.ndarray
    targets: np.ndarray


def steps_per_epoch(manifest: Manifest, global_batch: int) -> int:
    """Returns full batches in the train split; what is left over differs from epoch to epoch.

    Raises:
        ConfigError: not even one batch.
    """
    examples = manifest.splits["train"].examples
    if examples < global_batch:
        raise ConfigError(
            f"data.global_batch_size {global_batch} is larger than the train split "
            f"with {examples} examples: use {examples} or less"
        )
    return examples // global_batch


def train_batches(
    strategy: tf.distribute.Strategy,
    *,
    folder: str,
    manifest: Manifest,
    config: DataConfig,
    seed: int,
    start_step: int,
) -> tf.distribute.DistributedDataset:
    """Makes the endless stream of training batches, from a given step on.

    Returns:
        Per replica: `pixels` uint8 [b, stored, stored], `targets` int64 [b, findings] and
        `positions` int64 [b], each example's place in its global batch.

    Raises:
        ConfigError: the global batch does not divide over the replicas or exceeds the split.
    """
    size = config.global_batch_size
    check_batch("data.global_batch_size", size, strategy.num_replicas_in_sync)
    per_epoch = steps_per_epoch(manifest, size)
    files = [storage.join(folder, shard.name) for shard in manifest.splits["train"].shards]

    def epoch_records(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.constant(files), seed=key)
        records = tf.data.Dataset.from_tensor_slices(order).interleave(
            lambda path: tf.data.TFRecordDataset(path, buffer_size=_READ_BYTES),
            cycle_length=min(config.open_shards, len(files)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        mixing = tf.random.stateless_uniform([], key, maxval=2**31 - 1, dtype=tf.int64)
        records = records.shuffle(config.shuffle_buffer, mixing, reshuffle_each_iteration=False)
        done = tf.where(epoch == start_step // per_epoch, start_step % per_epoch * size, 0)
        return records.take(per_epoch * size).skip(tf.cast(done, tf.int64))

    def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
        epochs = tf.data.Dataset.range(start_step // per_epoch, np.iinfo(np.int64).max)
        records = epochs.flat_map(epoch_records)
        positions = tf.data.Dataset.range(size).repeat()
        pairs = _own_share(tf.data.Dataset.zip(records, positions), size, context)
        return _batches(pairs, _train_example(manifest), size, context)

    return strategy.distribute_datasets_from_function(make)


def evaluation_batches(
    strategy: tf.distribute.Strategy,
    *,
    folder: str,
    manifest: Manifest,
    split: str,
    global_batch: int,
) -> tf.distribute.DistributedDataset:
    """Makes batches that hold every example of a split exactly once.

    Returns:
        Per replica: `pixels` uint8 [b, stored, stored] and `index` int64 [b], the example's place
        in the split, -1 for what only fills up the last batch.

    Raises:
        ConfigError: the global batch does not divide over the replicas.
    """
    check_batch("evaluation.global_batch_size", global_batch, strategy.num_replicas_in_sync)
    files = [storage.join(folder, shard.name) for shard in manifest.splits[split].shards]
    filling = -manifest.splits[split].examples % global_batch

    def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(files, buffer_size=_READ_BYTES)
        numbered = records.enumerate().map(lambda index, record: (record, index))
        fill = records.take(1).repeat(filling).map(lambda record: (record, np.int64(-1)))
        pairs = _own_share(numbered.concatenate(fill), global_batch, context)
        return _batches(pairs, _evaluation_example(manifest), global_batch, context)

    return strategy.distribute_datasets_from_function(make)


def read_truth(folder: str, manifest: Manifest, split: str) -> Truth:
    """Reads everything but the pixels of a split.

    Raises:
        DataError: the shards hold another number of examples than the manifest, or an id twice.
    """
    files = [storage.join(folder, shard.name) for shard in manifest.splits[split].shards]
    wanted = ("id", "patient", "targets")
    records = (
        tf.data.TFRecordDataset(files, buffer_size=_READ_BYTES)
        .batch(256)
        .map(lambda batch: schema.parse(batch, findings=len(manifest.findings), attributes=wanted))
    )
    parts = list(records.as_numpy_iterator())
    columns = {name: np.concatenate([part[name] for part in parts]) for name in wanted}
    truth = Truth(
        ids=columns["id"].astype(str),
        patients=columns["patient"].astype(str),
        targets=columns["targets"],
    )
    expected = manifest.splits[split].examples
    if len(truth.ids) != expected or len(set(truth.ids)) != expected:
        raise DataError(
            f"split {split} in {folder} holds {len(truth.ids)} records with "
            f"{len(set(truth.ids))} ids, the manifest says {expected}: preprocess again"
        )
    return truth


def _train_example(manifest: Manifest):  # type: ignore[no-untyped-def]
    def example(record: tf.Tensor, position: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = schema.parse(
            record, findings=len(manifest.findings), attributes=("image", "targets")
        )
        return {
            "pixels": image_graph.stored(parsed["image"], manifest.stored_size, manifest.encoding),
            "targets": parsed["targets"],
            "positions": position,
        }

    return example


def _evaluation_example(manifest: Manifest):  # type: ignore[no-untyped-def]
    def example(record: tf.Tensor, index: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = schema.parse(record, findings=len(manifest.findings), attributes=("image",))
        pixels = image_graph.stored(parsed["image"], manifest.stored_size, manifest.encoding)
        return {"pixels": pixels, "index": index}

    return example


def _own_share(
    pairs: tf.data.Dataset, global_batch: int, context: tf.distribute.InputContext
) -> tf.data.Dataset:
    """Keeps this process's slice of every global batch, before anything is decoded."""
    if context.num_input_pipelines == 1:
        return pairs
    share = global_batch // context.num_input_pipelines
    first = share * context.input_pipeline_id
    batches = pairs.batch(global_batch, drop_remainder=True)
    own = batches.map(lambda record, at: (record[first : first + share], at[first : first + share]))
    return own.unbatch()


def _batches(pairs, example, global_batch, context):  # type: ignore[no-untyped-def]
    return (
        pairs.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(context.get_per_replica_batch_size(global_batch), drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )
