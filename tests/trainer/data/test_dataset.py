# SPDX-License-Identifier: MIT
"""Tests of the batches: exact order and restart in training, every example once in evaluation."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, DataError
from trainer.config import DataConfig
from trainer.data import dataset

Batch = dict[str, np.ndarray]


class OneOfSeveral:
    """Stands in for a strategy in one of several processes: makes that process's data set."""

    def __init__(self, pipelines: int, pipeline: int, replicas: int) -> None:
        self.num_replicas_in_sync = replicas
        self.replicas_here = replicas // pipelines
        self._context = tf.distribute.InputContext(pipelines, pipeline, replicas)

    def distribute_datasets_from_function(self, make: Any) -> Any:
        return make(self._context)


def settings(global_batch_size: int = 4) -> DataConfig:
    return DataConfig(global_batch_size=global_batch_size, shuffle_buffer=6, open_shards=2)


def train(
    data_set: Any,
    steps: int,
    *,
    start: int = 0,
    seed: int = 0,
    batch: int = 4,
    strategy: Any = None,
    config: DataConfig | None = None,
    parts: int = 1,
) -> list[Batch]:
    """Returns the first batches of a stream as NumPy arrays."""
    batches = dataset.train_batches(
        strategy or tf.distribute.OneDeviceStrategy("/CPU:0"),
        folder=data_set.folder,
        manifest=data_set.manifest,
        config=config or settings(batch),
        seed=seed,
        start_step=start,
        parts=parts,
    )
    taken = itertools.islice(iter(batches), steps)
    return [{name: part.numpy() for name, part in batch.items()} for batch in taken]


def evaluation(data_set: Any, split: str, batch: int, strategy: Any) -> list[Batch]:
    batches = dataset.evaluation_batches(
        strategy,
        folder=data_set.folder,
        manifest=data_set.manifest,
        split=split,
        global_batch=batch,
    )
    # A stand-in for one of several processes gives the batches of its replicas one by one.
    replicas = getattr(strategy, "replicas_here", 1)
    count = -(-data_set.manifest.splits[split].examples // batch) * replicas
    taken = itertools.islice(iter(batches), count)
    return [{name: part.numpy() for name, part in batch.items()} for batch in taken]


def ids_of(data_set: Any, batches: list[Batch]) -> list[str]:
    """Recognises the pictures of batches, in order."""
    known = {pixels.tobytes(): name for name, pixels in data_set.pixels.items()}
    return [known[picture.tobytes()] for batch in batches for picture in batch["pixels"]]


@pytest.fixture(scope="module")
def stream(data_set: Any) -> list[Batch]:
    """Three epochs of seven steps and one more step."""
    return train(data_set, 22)


@pytest.mark.parametrize("start", [1, 5, 6, 7, 8, 13, 14, 15, 20])
def test_a_restart_at_any_step_goes_on_with_the_same_batches(
    data_set: Any, stream: list[Batch], start: int
) -> None:
    expected = stream[start : start + 9]
    restarted = train(data_set, len(expected), start=start)
    for old, new in zip(expected, restarted, strict=True):
        for name in old:
            np.testing.assert_array_equal(old[name], new[name])


def test_an_epoch_takes_each_record_at_most_once_and_only_of_train(
    data_set: Any, stream: list[Batch]
) -> None:
    train_ids = set(dataset.read_truth(data_set.folder, data_set.manifest, "train").ids)
    for first in (0, 7, 14):
        ids = ids_of(data_set, stream[first : first + 7])
        assert len(set(ids)) == len(ids) == 28
        assert set(ids) <= train_ids


def test_order_differs_between_epochs_and_between_seeds(data_set: Any, stream: list[Batch]) -> None:
    first, second = ids_of(data_set, stream[:7]), ids_of(data_set, stream[7:14])
    other = ids_of(data_set, train(data_set, 7, seed=1))
    assert first != second
    assert first != other
    assert sorted(first) != first


def test_the_order_of_records_does_not_depend_on_the_batch_size(
    data_set: Any, stream: list[Batch]
) -> None:
    expected = ids_of(data_set, stream[:7])
    assert ids_of(data_set, train(data_set, 14, batch=2)) == expected
    assert ids_of(data_set, train(data_set, 4, batch=7)) == expected


def test_pixels_and_targets_belong_together(data_set: Any, stream: list[Batch]) -> None:
    targets = np.concatenate([batch["targets"] for batch in stream])
    expected = [data_set.targets[name] for name in ids_of(data_set, stream)]
    np.testing.assert_array_equal(targets, expected)
    assert (targets == -1).any()


def test_positions_number_each_global_batch(stream: list[Batch]) -> None:
    for batch in stream:
        assert batch["positions"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize(("processes", "streams"), [(2, 2), (2, 3), (4, 4), (4, 6)])
def test_processes_share_out_each_global_batch(
    data_set: Any, start: int, processes: int, streams: int
) -> None:
    """Also where streams do not divide over the processes, so that each must read all."""
    config = dataclasses.replace(settings(), open_shards=streams)
    whole = train(data_set, 4, start=start, config=config)
    shares = [
        train(data_set, 4, start=start, config=config, strategy=OneOfSeveral(processes, at, 4))
        for at in range(processes)
    ]
    replicas = 4 // processes
    for step in range(4 // replicas):
        parts = [
            share[at] for share in shares for at in range(step * replicas, (step + 1) * replicas)
        ]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in whole[step]}
        by_position = np.argsort(joined["positions"])
        for name, expected in whole[step].items():
            np.testing.assert_array_equal(joined[name][by_position], expected)


def test_the_streams_are_known_to_have_no_end(data_set: Any) -> None:
    """Or processes would agree before every step that each has another batch."""
    made = dataset.train_batches(
        OneOfSeveral(2, 0, 2),
        folder=data_set.folder,
        manifest=data_set.manifest,
        config=settings(),
        seed=0,
        start_step=0,
    )
    assert made.cardinality() == tf.data.INFINITE_CARDINALITY
    made = dataset.evaluation_batches(
        OneOfSeveral(2, 0, 2),
        folder=data_set.folder,
        manifest=data_set.manifest,
        split="validation",
        global_batch=4,
    )
    assert made.cardinality() == tf.data.INFINITE_CARDINALITY


def test_a_share_comes_in_parts(data_set: Any, stream: list[Batch]) -> None:
    parts = train(data_set, 6, parts=2)
    for step in range(3):
        for name, whole in stream[step].items():
            halves = [part[name] for part in parts[2 * step : 2 * step + 2]]
            np.testing.assert_array_equal(np.concatenate(halves), whole)


def test_the_ids_of_a_step_can_be_named(data_set: Any, stream: list[Batch]) -> None:
    for step in (0, 9):
        named = dataset.ids_of_step(
            data_set.folder, data_set.manifest, settings(), seed=0, step=step
        )
        assert named == ids_of(data_set, stream[step : step + 1])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("batch", "processes", "replicas"),
    [(4, 1, 1), (11, 1, 1), (64, 1, 1), (6, 1, 2), (6, 1, 3), (8, 2, 4), (6, 3, 3)],
)
def test_evaluation_yields_every_index_once_and_fills_up_with_minus_one(
    data_set: Any, split: str, batch: int, processes: int, replicas: int
) -> None:
    truth = dataset.read_truth(data_set.folder, data_set.manifest, split)
    seen: list[int] = []
    for process in range(processes):
        strategy = OneOfSeveral(processes, process, replicas)
        for part in evaluation(data_set, split, batch, strategy):
            assert part["pixels"].shape == (batch // replicas, 40, 40)
            seen += part["index"].tolist()
            real = part["index"] >= 0
            named = ids_of(data_set, [{"pixels": part["pixels"][real]}])
            assert named == truth.ids[part["index"][real]].tolist()
    examples = len(truth.ids)
    assert sorted(index for index in seen if index >= 0) == list(range(examples))
    assert len(seen) == -(-examples // batch) * batch
    assert set(seen) - set(range(examples)) <= {-1}


@pytest.mark.distributed
@pytest.mark.slow
def test_evaluation_on_two_devices_yields_every_index_once(two_devices: dict[str, Any]) -> None:
    for split, examples in {"train": 29, "validation": 11, "test": 9}.items():
        seen = two_devices["indices"][split]
        assert [index for index in seen if index >= 0] == list(range(examples))
        assert len(seen) == -(-examples // 6) * 6


def test_the_truth_holds_what_was_preprocessed(data_set: Any) -> None:
    truth = dataset.read_truth(data_set.folder, data_set.manifest, "validation")
    assert len(truth.ids) == 11
    assert truth.targets.tolist() == [list(data_set.targets[name]) for name in truth.ids]
    assert {name.partition("-")[0] for name in truth.patients} == {"validation"}


def test_a_split_that_is_not_what_the_manifest_says_is_refused(data_set: Any) -> None:
    splits = dict(data_set.manifest.splits)
    splits["test"] = dataclasses.replace(splits["test"], examples=10)
    manifest = dataclasses.replace(data_set.manifest, splits=splits)
    with pytest.raises(DataError, match="test in .* holds 9 records with 9 ids, .* says 10"):
        dataset.read_truth(data_set.folder, manifest, "test")
    twice = dataclasses.replace(splits["test"], examples=18, shards=splits["test"].shards * 2)
    manifest = dataclasses.replace(data_set.manifest, splits={**splits, "test": twice})
    with pytest.raises(DataError, match="18 records with 9 ids"):
        dataset.read_truth(data_set.folder, manifest, "test")


def test_a_batch_that_does_not_divide_over_the_replicas_is_refused(data_set: Any) -> None:
    strategy = OneOfSeveral(1, 0, 3)
    with pytest.raises(ConfigError, match=r"data\.global_batch_size 4 .* 3 replicas: use 3 or 6"):
        train(data_set, 1, strategy=strategy)
    with pytest.raises(ConfigError, match=r"evaluation\.global_batch_size 4 .* use 3 or 6"):
        evaluation(data_set, "test", 4, strategy)


def test_the_order_of_shards_differs_between_epochs(data_set: Any) -> None:
    """A buffer of one record mixes nothing, so what differs is the order of shards."""
    batches = dataset.train_batches(
        tf.distribute.OneDeviceStrategy("/CPU:0"),
        folder=data_set.folder,
        manifest=data_set.manifest,
        config=DataConfig(global_batch_size=4, shuffle_buffer=1, open_shards=1),
        seed=0,
        start_step=0,
    )
    taken = [{"pixels": b["pixels"].numpy()} for b in itertools.islice(iter(batches), 21)]
    firsts = [ids_of(data_set, taken[step : step + 1])[0] for step in (0, 7, 14)]
    assert len(set(firsts)) > 1


def test_raw_records_give_the_batches_of_png_records(
    data_set: Any, raw_data_set: Any, stream: list[Batch]
) -> None:
    assert (data_set.manifest.encoding, raw_data_set.manifest.encoding) == ("png", "raw")
    for raw, png in zip(train(raw_data_set, 3), stream, strict=False):
        assert {name: part.tolist() for name, part in raw.items()} == {
            name: part.tolist() for name, part in png.items()
        }
    strategy = tf.distribute.OneDeviceStrategy("/CPU:0")
    for raw, png in zip(
        evaluation(raw_data_set, "test", 4, strategy),
        evaluation(data_set, "test", 4, strategy),
        strict=True,
    ):
        np.testing.assert_array_equal(raw["pixels"], png["pixels"])


@pytest.mark.parametrize("count", [1, 5, 28, 29])
def test_a_sample_comes_from_the_heads_of_all_shards(data_set: Any, count: int) -> None:
    shards = data_set.manifest.splits["train"].shards
    batches = dataset.sample_batches(data_set.folder, data_set.manifest, "train", count, size=4)
    found = np.concatenate(list(batches.as_numpy_iterator()))
    assert len(found) == count
    everything = dataset.read_pictures(data_set.folder, data_set.manifest, "train", 29)
    numbers = [int(np.flatnonzero((everything == one).all((1, 2)))[0]) for one in found]
    starts = np.cumsum([0, *(shard.examples for shard in shards)])
    for start, end in zip(starts, starts[1:], strict=False):
        own = [number - start for number in numbers if start <= number < end]
        assert own == list(range(len(own)))
        assert abs(len(own) - count * (end - start) / 29) < 1
