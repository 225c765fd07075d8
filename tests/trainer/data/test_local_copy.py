# SPDX-License-Identifier: MIT
"""Tests of copies of the shards: the same bytes, kept for the next start, whole."""

import itertools
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.files import storage
from trainer.config import DataConfig
from trainer.data import dataset, local_copy


def first_batch(data_set: Any, folder: str) -> dict[str, np.ndarray]:
    batches = dataset.train_batches(
        tf.distribute.OneDeviceStrategy("/CPU:0"),
        folder=folder,
        manifest=data_set.manifest,
        config=DataConfig(global_batch_size=8, shuffle_buffer=6, open_shards=3),
        seed=0,
        start_step=0,
    )
    (batch,) = itertools.islice(iter(batches), 1)
    return {name: part.numpy() for name, part in batch.items()}


def test_without_a_place_shards_stay_where_they_are(data_set: Any) -> None:
    assert local_copy.local_copy(data_set.folder, data_set.manifest, "") == data_set.folder


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_copy_gives_the_same_batches(data_set: Any, tmp_path: pathlib.Path, where: str) -> None:
    place = where if where == "memory" else str(tmp_path / "copy")
    copy = local_copy.local_copy(data_set.folder, data_set.manifest, place)
    assert copy != data_set.folder
    expected, found = first_batch(data_set, data_set.folder), first_batch(data_set, copy)
    for name, part in expected.items():
        np.testing.assert_array_equal(found[name], part)


def test_a_later_start_copies_only_what_is_cut_short(data_set: Any, tmp_path: pathlib.Path) -> None:
    copy = pathlib.Path(local_copy.local_copy(data_set.folder, data_set.manifest, str(tmp_path)))
    shards = sorted(copy.glob("**/*.tfrecord*"))
    names = {
        shard.name
        for split in ("train", "validation")
        for shard in data_set.manifest.splits[split].shards
    }
    assert {path.name for path in shards} == {storage.basename(name) for name in names}
    shards[0].write_bytes(b"cut")
    times = {path: path.stat().st_mtime_ns for path in shards[1:]}
    assert local_copy.local_copy(data_set.folder, data_set.manifest, str(tmp_path)) == str(copy)
    assert {path: path.stat().st_mtime_ns for path in shards[1:]} == times
    assert shards[0].stat().st_size > 3
    assert not list(copy.glob("**/*.tmp"))
