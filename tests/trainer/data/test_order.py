# SPDX-License-Identifier: MIT
"""Tests of the order of records: arithmetic that can be entered anywhere, and mixes well."""

import itertools
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.order import Order, reading

SHARDS = (7, 1, 12, 5, 9, 3)
EXAMPLES = sum(SHARDS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Shards whose records are the numbers 0, 1, 2 ... as text."""
    folder = tmp_path_factory.mktemp("numbers")
    numbers = itertools.count()
    paths = []
    for at, count in enumerate(SHARDS):
        paths.append(str(folder / f"{at}.tfrecord"))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for number in itertools.islice(numbers, count):
                writer.write(str(number).encode())
    return tuple(paths)


def order(files: tuple[str, ...], **changes: Any) -> Order:
    given = {"per_epoch": 36, "streams": 4, "window": 3, "seed": 1, **changes}
    return Order(files=files, examples=SHARDS, **given)


def numbers(records: tf.data.Dataset, count: int) -> list[int]:
    return [int(record) for record in records.take(count).as_numpy_iterator()]


@given(
    streams=st.integers(1, 9),
    window=st.integers(1, 9),
    batch=st.sampled_from([1, 2, 3, 4, 6, 12]),
    step=st.integers(0, 40),
)
@settings(max_examples=8, deadline=None)
def test_entered_anywhere_it_goes_on_as_from_the_beginning(
    files: tuple[str, ...], streams: int, window: int, batch: int, step: int
) -> None:
    whole = order(files, streams=streams, window=window)
    start = step * batch
    expected = numbers(whole.records(0), start + 40)[start:]
    assert numbers(whole.records(start), 40) == expected


@given(streams=st.integers(1, 9), processes=st.sampled_from([1, 2, 3, 4, 6]))
@settings(max_examples=6, deadline=None)
def test_processes_share_out_the_places(
    files: tuple[str, ...], streams: int, processes: int
) -> None:
    whole = order(files, streams=streams)
    expected = numbers(whole.records(12), 48)
    for process in range(processes):
        own = whole.records(12, processes=processes, process=process)
        assert numbers(own, 48 // processes) == expected[process::processes]


@pytest.mark.parametrize("streams", [1, 4, 5, 50])
def test_an_epoch_holds_no_record_twice(files: tuple[str, ...], streams: int) -> None:
    taken = numbers(order(files, streams=streams).records(0), 36 * 3)
    for epoch in range(3):
        part = taken[36 * epoch : 36 * (epoch + 1)]
        assert len(set(part)) == 36
        assert set(part) <= set(range(EXAMPLES))


def test_every_record_comes_in_some_epoch(files: tuple[str, ...]) -> None:
    assert set(numbers(order(files).records(0), 36 * 8)) == set(range(EXAMPLES))


def test_epochs_and_seeds_differ(files: tuple[str, ...]) -> None:
    first = numbers(order(files).records(0), 72)
    assert first[:36] != first[36:]
    assert numbers(order(files, seed=2).records(0), 36) != first[:36]
    assert first[:36] != sorted(first[:36])


def test_without_determinism_streams_may_drift_but_records_come_as_often(
    files: tuple[str, ...],
) -> None:
    """On average 36 of 37 records an epoch; nothing is promised of a single one."""
    loose = numbers(order(files, deterministic=False).records(0), 36 * 10)
    counts = np.bincount(loose, minlength=EXAMPLES)
    assert len(counts) == EXAMPLES
    assert counts.min() >= 5
    assert counts.max() <= 15


def test_a_process_opens_only_the_shards_of_its_streams(
    files: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    """In the last stream of an epoch a restart needs no shard that is behind it."""
    whole = Order(files=files, examples=SHARDS, per_epoch=36, streams=1, window=1, seed=1)
    ahead = numbers(whole.records(30), 6)
    needed = {int(np.searchsorted(np.cumsum(SHARDS), number, side="right")) for number in ahead}
    broken = [
        path if at in needed else str(tmp_path / f"missing-{at}") for at, path in enumerate(files)
    ]
    assert len(needed) < len(files)
    entered = Order(files=tuple(broken), examples=SHARDS, per_epoch=36, streams=1, window=1, seed=1)
    assert numbers(entered.records(30), 6) == ahead


@given(begin=st.integers(0, EXAMPLES), length=st.integers(0, EXAMPLES))
@settings(max_examples=10, deadline=None)
def test_a_range_is_read_across_shards(files: tuple[str, ...], begin: int, length: int) -> None:
    end = min(begin + length, EXAMPLES)
    records = reading(list(files), list(SHARDS), begin, end)
    assert [int(one) for one in records.as_numpy_iterator()] == list(range(begin, end))
