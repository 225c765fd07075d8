# SPDX-License-Identifier: MIT
"""Tests of writing what the shards say of every image but its pixels."""

import dataclasses
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract import schema
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.manifest import Manifest, Shard, Split
from trainer.data import metadata_of_shards
from trainer.predictions import metadata

RECORDS = {
    "train": [
        schema.Record("t1", "1", (1, -1), "AP", "M", 60, 0, 2500, 2048, image=b"no picture"),
        schema.Record("t2", "1", (0, 1)),
    ],
    "validation": [schema.Record("v1", "2", (0, 0), "PA", "F", 5, 3, 10, 20)],
    "test": [schema.Record("s1", "3", (1, 1)), schema.Record("s2", "4", (0, 0))],
}


@pytest.fixture
def made(tmp_path: pathlib.Path) -> tuple[str, Manifest]:
    """A data set of records whose pictures nobody could decode, one record a shard."""
    folder, splits = str(tmp_path / "data"), {}
    for split, records in RECORDS.items():
        shards = []
        for at, record in enumerate(records):
            name = f"{split}-{at}.tfrecord"
            data = b"".join(tfrecord.framed(schema.encode(record)))
            storage.write_bytes(storage.join(folder, name), data)
            shards.append(Shard(name, 1, len(data), ""))
        splits[split] = Split(len(records), 1, {}, {}, {}, shards)
    facts: dict[str, Any] = {"official_split": False, "list_hashes": {}, "counters": {}}
    manifest = Manifest(
        1, ["Mass", "Edema"], 8, "png", splits, **facts, parameters={}, sources={}, writer="test"
    )
    return folder, manifest


def test_every_split_is_written_without_decoding_a_picture(
    made: tuple[str, Manifest], tmp_path: pathlib.Path
) -> None:
    path = metadata_of_shards.write(*made, str(tmp_path / "run"))
    assert path == str(tmp_path / "run" / "predictions" / "metadata.csv")
    found = metadata.read(path)
    assert found.ids.tolist() == ["t1", "t2", "v1", "s1", "s2"]
    assert found.splits.tolist() == ["train", "train", "validation", "test", "test"]
    assert found.patients.tolist() == ["1", "1", "2", "3", "4"]
    assert found.sex.tolist() == ["M", "", "F", "", ""]
    assert found.view.tolist() == ["AP", "", "PA", "", ""]
    assert found.age.tolist() == [60, -1, 5, -1, -1]
    assert found.follow_up.tolist() == [0, -1, 3, -1, -1]
    assert found.width.tolist() == [2500, 0, 10, 0, 0]
    assert found.findings == ("Mass", "Edema")
    np.testing.assert_array_equal(found.labels, [[1, np.nan], [0, 1], [0, 0], [1, 1], [0, 0]])


def test_it_is_written_once_and_again_for_another_data_set(
    made: tuple[str, Manifest], tmp_path: pathlib.Path
) -> None:
    folder, manifest = made
    path = metadata_of_shards.write(folder, manifest, str(tmp_path))
    first = storage.read_bytes(path)
    storage.write_text(path, "kept")
    metadata_of_shards.write(folder, manifest, str(tmp_path))
    assert storage.read_text(path) == "kept"
    metadata_of_shards.write(folder, dataclasses.replace(manifest, writer="other"), str(tmp_path))
    assert storage.read_bytes(path) == first


def test_a_shard_that_is_not_as_the_manifest_says_is_named(made: tuple[str, Manifest]) -> None:
    folder, manifest = made
    path = storage.join(folder, "test-1.tfrecord")
    whole = storage.read_bytes(path)
    storage.write_bytes(path, whole + whole)
    with pytest.raises(DataError, match=r"test-1\.tfrecord holds 2 records, the manifest says 1"):
        metadata_of_shards.of_data_set(folder, manifest)
    storage.write_bytes(path, whole[:-1])
    with pytest.raises(DataError, match=r"test-1\.tfrecord: record 0.* is cut short"):
        metadata_of_shards.of_data_set(folder, manifest)
    storage.delete(path)
    with pytest.raises(DataError, match=r"test-1\.tfrecord is missing"):
        metadata_of_shards.of_data_set(folder, manifest)


def test_it_needs_no_tensorflow(fresh_python: Callable[..., subprocess.CompletedProcess]) -> None:
    code = "import sys, trainer.data.metadata_of_shards; sys.exit('tensorflow' in sys.modules)"
    assert fresh_python("-c", code).returncode == 0


def test_a_data_set_that_preprocessing_wrote_is_read_whole(data_set: Any) -> None:
    found = metadata_of_shards.of_data_set(data_set.folder, data_set.manifest)
    targets = [data_set.targets[name] for name in found.ids.tolist()]
    assert len(targets) == 49
    expected = np.where(np.array(targets) == -1, np.nan, targets)
    np.testing.assert_array_equal(found.labels, expected)
