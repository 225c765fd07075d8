# SPDX-License-Identifier: MIT
"""Makes batches from shards: in training endless, in evaluation every example exactly once.

The order of training is a function of (seed, epoch) alone, see `order.py`. Step s takes the records
from s * global batch on, whatever the number of replicas.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from preprocessing.contract import schema
from preprocessing.contract.errors import DataError
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.pictures import image_graph
from trainer import course, limits
from trainer.config import DataConfig
from trainer.data.order import READ_BYTES, Order, reading

Lookup = Callable[[tf.Tensor], tf.Tensor]
Example = Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]


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


def train_batches(
    strategy: tf.distribute.Strategy,
    *,
    folder: str,
    manifest: Manifest,
    config: DataConfig,
    seed: int,
    start_step: int,
    parts: int = 1,
    teacher: Lookup | None = None,
) -> tf.distribute.DistributedDataset:
    """Makes the endless stream of training batches, from a given step on.

    Args:
        strategy: over whose replicas each global batch is shared out.
        folder: of the data set, or of a copy of it.
        manifest: of the data set.
        config: batch size and order.
        seed: of the run.
        start_step: the step whose batch comes first; a replica gets its share in `parts` batches.
        parts: see `start_step`.
        teacher: makes scores of ids, see `teacher.Teacher`.

    Returns:
        Per replica: `pixels` uint8 [b, stored, stored], `targets` int64 [b, findings] and
        `positions` int64 [b], each example's place in its global batch; `teacher` float32
        [b, findings] where there is one, -1 where it has no score.

    Raises:
        ConfigError: the global batch does not divide over the replicas or exceeds the split.
    """
    size = config.global_batch_size
    replica = limits.share("data.global_batch_size", size, strategy.num_replicas_in_sync) // parts
    order = _order(folder, manifest, config, seed)

    def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
        processes, process = context.num_input_pipelines, context.input_pipeline_id
        records = order.records(start_step * size, processes=processes, process=process)
        positions = tf.data.Dataset.range(process, size, processes).repeat()
        pairs = tf.data.Dataset.zip(records, positions)
        example = _example(manifest, "positions", "targets", teacher=teacher)
        return _batches(pairs, example, manifest, size=replica, deterministic=config.deterministic)

    return strategy.distribute_datasets_from_function(make)


def ids_of_step(
    folder: str, manifest: Manifest, config: DataConfig, *, seed: int, step: int
) -> list[str]:
    """Returns the ids of the examples in one training step, by position in its global batch."""
    size = config.global_batch_size
    records = _order(folder, manifest, config, seed).records(step * size).take(size)
    count = len(manifest.findings)
    parsed = records.map(lambda one: schema.parse(one, findings=count, attributes=("id",))["id"])
    return [name.decode() for name in parsed.as_numpy_iterator()]


def _order(folder: str, manifest: Manifest, config: DataConfig, seed: int) -> Order:
    train = manifest.splits["train"]
    return Order(
        files=tuple(train.paths(folder)),
        examples=tuple(shard.examples for shard in train.shards),
        per_epoch=course.steps_per_epoch(manifest, config.global_batch_size)
        * config.global_batch_size,
        streams=config.open_shards,
        window=max(1, config.shuffle_buffer // config.open_shards),
        seed=seed,
        deterministic=config.deterministic,
    )


def evaluation_batches(
    strategy: tf.distribute.Strategy,
    *,
    folder: str,
    manifest: Manifest,
    split: str,
    global_batch: int,
) -> tf.distribute.DistributedDataset:
    """Makes batches whose first ceil(examples / `global_batch`) hold a split exactly once.

    Each process reads its own part of the split; what only fills up follows without end.

    Returns:
        Per replica: `pixels` uint8 [b, stored, stored] and `index` int64 [b], the example's place
        in the split, -1 for what only fills up.

    Raises:
        ConfigError: the global batch does not divide over the replicas.
    """
    replicas = strategy.num_replicas_in_sync
    replica = limits.share("evaluation.global_batch_size", global_batch, replicas)
    files, examples = manifest.splits[split].paths(folder), manifest.splits[split].examples
    counts = [shard.examples for shard in manifest.splits[split].shards]
    steps = -(-examples // global_batch)

    def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own = steps * global_batch // context.num_input_pipelines
        begin = min(own * context.input_pipeline_id, examples)
        end = min(begin + own, examples)
        numbered = reading(files, counts, begin, end).enumerate(begin)
        pairs = numbered.map(lambda index, record: (record, index))
        # Any record will do to fill up with; one of the split's own has the right shape.
        fill = reading(files, counts, 0, 1).repeat()
        pairs = pairs.concatenate(fill.map(lambda record: (record, np.int64(-1))))
        return _batches(pairs, _example(manifest, "index"), manifest, size=replica)

    return strategy.distribute_datasets_from_function(make)


def read_truth(folder: str, manifest: Manifest, split: str) -> Truth:
    """Reads everything but the pixels of a split.

    Raises:
        DataError: the shards hold another number of examples or of positives than the manifest, or
            an id twice.
    """
    files = manifest.splits[split].paths(folder)
    wanted = ("id", "patient", "targets")
    records = (
        tf.data.TFRecordDataset(files, buffer_size=READ_BYTES)
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
    _check_labels(folder, manifest, split, truth.targets)
    return truth


def _check_labels(folder: str, manifest: Manifest, split: str, targets: np.ndarray) -> None:
    """Finds a manifest whose findings were renamed or reordered, and labels of another data set."""
    stated = manifest.splits[split].positives
    for name, found in zip(manifest.findings, (targets == 1).sum(axis=0), strict=True):
        if stated.get(name) != found:
            raise DataError(
                f"split {split} in {folder} holds {found} images with {name}, the manifest says "
                f"{stated.get(name, 'nothing')}: its manifest or shards were changed; copy the "
                "data set again, whole, or preprocess again"
            )


def read_pictures(folder: str, manifest: Manifest, split: str, count: int) -> np.ndarray:
    """Returns the first pictures of a split, uint8 [count or fewer, stored, stored]."""
    counts = [shard.examples for shard in manifest.splits[split].shards]
    records = reading(manifest.splits[split].paths(folder), counts, 0, count)
    example = _example(manifest, "index")
    pictures = records.map(lambda record: example(record, np.int64(0))["pixels"])
    return np.stack(list(pictures.as_numpy_iterator()))


def sample_batches(
    folder: str, manifest: Manifest, split: str, count: int, *, size: int
) -> tf.data.Dataset:
    """Reads pictures from the head of every shard of a split, from each in proportion.

    Args:
        folder: of the data set.
        manifest: of the data set.
        split: its name.
        count: pictures to read, at most those of the split.
        size: pictures in a batch, but for the last.

    Returns:
        uint8 [b, stored, stored].
    """
    whole = manifest.splits[split]
    ends = np.cumsum([0] + [shard.examples for shard in whole.shards]) * count // whole.examples
    example = _example(manifest, "index")
    records = tf.data.Dataset.from_tensor_slices((whole.paths(folder), np.diff(ends))).flat_map(
        lambda path, taken: tf.data.TFRecordDataset(path, buffer_size=READ_BYTES).take(taken)
    )
    pictures = records.map(
        lambda record: example(record, np.int64(0))["pixels"], num_parallel_calls=tf.data.AUTOTUNE
    )
    return pictures.batch(size).prefetch(tf.data.AUTOTUNE)


def _example(
    manifest: Manifest, place: str, *attributes: str, teacher: Lookup | None = None
) -> Example:
    """Returns what makes an example of a record and its number, which is kept under `place`."""

    def example(record: tf.Tensor, number: tf.Tensor) -> dict[str, tf.Tensor]:
        wanted = ("image", *attributes, *(["id"] if teacher else []))
        parsed = schema.parse(record, findings=len(manifest.findings), attributes=wanted)
        pixels = image_graph.stored(parsed.pop("image"), manifest.stored_size, manifest.encoding)
        if teacher is not None:
            parsed["teacher"] = teacher(parsed.pop("id"))
        return {"pixels": pixels, **parsed, place: number}

    return example


def _batches(
    pairs: tf.data.Dataset,
    example: Example,
    manifest: Manifest,
    *,
    size: int,
    deterministic: bool = True,
) -> tf.data.Dataset:
    calls = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": deterministic}
    if manifest.encoding == "raw":
        # One call a batch: to decode a raw record costs less than to hand it over.
        made = pairs.batch(size, drop_remainder=True).map(example, **calls)
    else:
        made = pairs.map(example, **calls).batch(size, drop_remainder=True)
    return made.prefetch(tf.data.AUTOTUNE)
