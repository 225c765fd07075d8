# SPDX-License-Identifier: MIT
"""A reading travels as bytes, and says where each record lies."""

import dataclasses
import pathlib
import tempfile

import pytest

from preprocessing import transforms
from preprocessing.contract import manifest, schema
from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.pictures import image
from preprocessing.verify import shard_reading
from preprocessing.verify.shard_reading import Reading, ReadTask


def _tasks(finished) -> list[ReadTask]:  # type: ignore[no-untyped-def]
    folder = str(finished.folder)
    return shard_reading.tasks(folder, manifest.read(folder), "/notes")


def test_there_is_a_task_for_each_shard_with_a_note_of_its_own(finished) -> None:
    tasks = _tasks(finished)
    assert sorted(task.name for task in tasks) == sorted(
        path.name for path in finished.folder.glob("*.tfrecord")
    )
    assert len({task.note for task in tasks}) == len(tasks)
    assert all(transforms.unpack(transforms.pack(task)) == task for task in tasks)


def test_a_reading_survives_its_way_back(finished) -> None:
    for task in _tasks(finished):
        reading = shard_reading.read(task)
        assert reading.whole and not reading.problems
        assert Reading.from_bytes(reading.to_bytes()) == reading
    empty = Reading("train", "a", False, [], ["a is missing"])
    assert Reading.from_bytes(empty.to_bytes()) == empty


def test_each_record_can_be_read_alone_from_where_it_lies(finished) -> None:
    task = _tasks(finished)[0]
    path = storage.join(task.folder, task.name)
    records = finished.records(task.name)
    for brief, record in zip(shard_reading.read(task).briefs, records, strict=True):
        found = schema.decode(storage.read_range(path, brief.start, brief.length))
        assert found == record
        pixels = image.decode_stored(found.image, task.stored_size, task.encoding)
        assert brief.digest == image.digest(pixels)
        assert (brief.id, brief.targets, brief.boxes) == (record.id, record.targets, record.boxes)


def test_what_comes_before_the_damage_is_kept(finished) -> None:
    task = _tasks(finished)[0]
    path = finished.folder / task.name
    path.write_bytes(path.read_bytes()[:-1])
    reading = shard_reading.read(task)
    assert not reading.whole and len(reading.problems) == 1
    assert len(reading.briefs) == task.shard.examples - 1


def test_raw_pixels_are_read_too(finished) -> None:
    task = _tasks(finished)[0]
    pixels = image.decode_stored(finished.records(task.name)[0].image, 32, "png")
    records = [
        dataclasses.replace(record, image=pixels.tobytes())
        for record in finished.records(task.name)
    ]
    finished.rewrite(task.name, records)
    finished.change_manifest(lambda values: values.update(encoding="raw"))
    reading = shard_reading.read(_tasks(finished)[0])
    assert reading.whole and not reading.problems
    assert {brief.digest for brief in reading.briefs} == {image.digest(pixels)}


def _scan(finished, *arguments: str):  # type: ignore[no-untyped-def]
    folder = str(finished.folder)
    return shard_reading.read_all(folder, manifest.read(folder), arguments, title="reading")


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
