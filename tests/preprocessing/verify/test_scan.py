# SPDX-License-Identifier: MIT
"""Shards are read by Beam, and nothing is left behind."""

import pathlib
import tempfile

import pytest

from preprocessing.contract import manifest
from preprocessing.contract.errors import UsageError
from preprocessing.verify import scan


def _scan(finished, *arguments: str):  # type: ignore[no-untyped-def]
    folder = str(finished.folder)
    return scan.read_all(folder, manifest.read(folder), arguments, title="reading")


def test_readings_come_in_the_order_of_the_manifest(finished) -> None:
    stated = finished.manifest["splits"]
    names = [shard["name"] for split in stated.values() for shard in split["shards"]]
    assert [reading.name for reading in _scan(finished)] == names


def test_a_temporary_folder_of_beam_is_used_and_left_empty(finished, tmp_path) -> None:
    given = tmp_path / "temp"
    given.mkdir()
    assert len(_scan(finished, f"--temp_location={given}")) > 3
    assert list(given.iterdir()) == []


def test_the_folder_for_the_readings_is_removed(finished, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _scan(finished)
    assert not [path for path in pathlib.Path(tmp_path).glob("cxr14-read-*")]


def test_a_flag_that_nobody_knows_is_refused(finished) -> None:
    with pytest.raises(UsageError, match="knows --nonsense"):
        _scan(finished, "--nonsense=1")


def test_local_files_are_refused_where_workers_are_elsewhere(finished) -> None:
    arguments = ["--runner=FlinkRunner", "--flink_master=cluster.example:8081"]
    with pytest.raises(UsageError, match="cannot see"):
        _scan(finished, *arguments)
