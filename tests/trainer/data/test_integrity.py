# SPDX-License-Identifier: MIT
"""Tests of the checks on a data set: whole, damaged, or of no use for choosing a network."""

import dataclasses
import os
import pathlib
import shutil
from typing import Any

import pytest
import tensorflow as tf

from preprocessing.contract.errors import DataError, UnavailableError
from trainer.data import dataset, integrity, local_copy


def test_a_whole_data_set_passes_the_check(data_set: Any) -> None:
    integrity.check_shards(data_set.folder, data_set.manifest)


@pytest.mark.parametrize(("keep", "words"), [(None, "is missing"), (1000, "has 1000 bytes")])
def test_a_missing_or_truncated_shard_is_named(
    data_set: Any, tmp_path: Any, keep: int | None, words: str
) -> None:
    folder = str(tmp_path / "copy")
    shutil.copytree(data_set.folder, folder)
    path = f"{folder}/validation-00001-of-00002.tfrecord"
    if keep is None:
        os.unlink(path)
    else:
        os.truncate(path, keep)
    with pytest.raises(DataError) as caught:
        integrity.check_shards(folder, data_set.manifest)
    assert str(caught.value).startswith(f"shard {path} {words}")


def test_a_flipped_byte_names_the_damaged_shard(data_set: Any, tmp_path: Any) -> None:
    folder = str(tmp_path / "copy")
    shutil.copytree(data_set.folder, folder)
    path = f"{folder}/{data_set.manifest.splits['validation'].shards[1].name}"
    flip(path)
    integrity.check_shards(folder, data_set.manifest)
    with (
        pytest.raises(DataError, match="is damaged") as caught,
        integrity.naming_damage(folder, data_set.manifest),
    ):
        dataset.read_truth(folder, data_set.manifest, "validation")
    assert path in str(caught.value)
    shutil.copytree(data_set.folder, folder, dirs_exist_ok=True)
    with (
        pytest.raises(UnavailableError, match="all are whole now: run the same command again"),
        integrity.naming_damage(folder, data_set.manifest),
    ):
        raise caught.value.__cause__  # as where the bytes went wrong on their way


def test_a_damaged_copy_is_removed_and_made_again_by_the_next_start(
    data_set: Any, tmp_path: Any
) -> None:
    where = str(tmp_path)
    copy = local_copy.local_copy(data_set.folder, data_set.manifest, where)
    path = f"{copy}/{data_set.manifest.splits['validation'].shards[1].name}"
    flip(path)
    with (
        pytest.raises(UnavailableError, match=f"the copy {path} .*run the same command again"),
        integrity.naming_damage(data_set.folder, data_set.manifest, where),
    ):
        dataset.read_truth(copy, data_set.manifest, "validation")
    local_copy.local_copy(data_set.folder, data_set.manifest, where)
    dataset.read_truth(copy, data_set.manifest, "validation")


def flip(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)
        file.seek(-100, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))


def test_a_shard_of_another_data_set_is_named_though_its_size_is_right(
    data_set: Any, tmp_path: Any
) -> None:
    folder = str(tmp_path / "copy")
    shutil.copytree(data_set.folder, folder)
    integrity.check_contents(folder, data_set.manifest, process=0, processes=1)
    shard = data_set.manifest.splits["train"].shards[1].name
    path = f"{folder}/{shard}"
    kept = pathlib.Path(path).read_bytes()
    other = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
    with tf.io.TFRecordWriter(path) as writer:
        for record in reversed(other):
            writer.write(record)
    assert os.path.getsize(path) == len(kept)
    integrity.check_shards(folder, data_set.manifest)
    found = []
    for process in range(2):
        try:
            integrity.check_contents(folder, data_set.manifest, process=process, processes=2)
        except DataError as error:
            found.append(str(error))
    assert [text.partition(":")[0] for text in found] == [
        f"shard {path} is damaged or belongs to another data set"
    ]


def test_findings_that_were_reordered_by_hand_are_refused(data_set: Any) -> None:
    first, *others = data_set.manifest.findings
    for findings in ([*others, first], ["Masse", *others]):
        manifest = dataclasses.replace(data_set.manifest, findings=findings)
        with pytest.raises(DataError, match="its manifest or shards were changed"):
            dataset.read_truth(data_set.folder, manifest, "validation")
