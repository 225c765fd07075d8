# SPDX-License-Identifier: MIT
"""A shard depends on its rows alone, appears whole or not at all, and is written once."""

import dataclasses
import pathlib
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import tensorflow as tf

from preprocessing import transforms
from preprocessing.contract import radiographs, schema
from preprocessing.contract.files import storage
from preprocessing.contract.pictures import image
from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import shards
from preprocessing.shards.shards import ShardTask
from preprocessing.sources.row import SIZE_OF_PICTURE, Row


def _plan(rows: list[Row], output: str = "out", per_shard: int = 7) -> list[ShardTask]:
    return shards.plan(
        rows,
        split="train",
        output=output,
        recipe=Recipe(16, "png"),
        examples_per_shard=per_shard,
    )


def _row(path: pathlib.Path, n: int) -> Row:
    facts = {"view": "PA", "sex": "F", "age": 40 + n, "follow_up": n, "width": 99, "height": 98}
    return Row(path.name, str(n), (n % 2, 1), uri=str(path), **facts)  # type: ignore[arg-type]


@pytest.fixture
def rows(tmp_path: pathlib.Path) -> list[Row]:
    """Five rows whose pictures are there."""
    random = np.random.default_rng(1)
    made = []
    for n in range(5):
        path = tmp_path / f"{n}.png"
        cv2.imwrite(str(path), random.integers(0, 256, (40, 40), np.uint8))
        made.append(_row(path, n))
    boxed = dataclasses.replace(made[2], box_findings=(1,), boxes=(0.25, 0.5, 0.125, 0.5))
    return [*made[:2], boxed, *made[3:]]


@pytest.fixture
def task(rows: list[Row], tmp_path: pathlib.Path) -> ShardTask:
    (only,) = _plan(rows, str(tmp_path / "out"))
    return only


def _file(task: ShardTask) -> pathlib.Path:
    return pathlib.Path(task.output) / task.name


@pytest.mark.parametrize("count", [1, 6, 7, 8, 50, 100])
def test_sizes_differ_by_one_at_most_and_keep_the_bound(count: int) -> None:
    tasks = _plan([Row(f"{n}.png", str(n), (0,)) for n in range(count)])
    sizes = [len(task.rows) for task in tasks]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 7
    assert len(tasks) == -(-count // 7)
    names = [task.name for task in tasks]
    assert names[-1] == f"train-{len(tasks) - 1:05d}-of-{len(tasks):05d}.tfrecord"
    assert len(set(names)) == len(names)


def test_the_order_of_the_index_decides_nothing() -> None:
    rows = [Row(f"{n}.png", str(n), (0,)) for n in range(50)]
    assert _plan(rows) == _plan(rows[::-1])


def test_shards_mix_what_lay_together_in_the_index() -> None:
    rows = [Row(f"{n:03d}.png", str(n), (0,)) for n in range(140)]
    for task in _plan(rows, per_shard=35):
        ids = [row.id for row in task.rows]
        assert ids == sorted(ids)
        assert min(ids) < "035.png"
        assert max(ids) > "104.png"


def test_a_task_survives_the_way_to_a_worker(task: ShardTask) -> None:
    assert transforms.unpack(transforms.pack(task)) == task


@pytest.mark.parametrize(
    "change",
    [{"recipe": Recipe(17, "png")}, {"recipe": Recipe(16, "raw")}, {"name": "b"}, {"rows": ()}],
)
def test_the_fingerprint_is_of_what_decides_the_bytes(
    task: ShardTask, change: dict[str, object]
) -> None:
    assert dataclasses.replace(task, **change).fingerprint != task.fingerprint
    elsewhere = [dataclasses.replace(row, uri="gs://elsewhere") for row in task.rows]
    moved = dataclasses.replace(task, output="gs://other", rows=tuple(elsewhere))
    assert moved.fingerprint == task.fingerprint


def test_tensorflow_reads_every_record_as_it_was_in_the_index(
    task: ShardTask, rows: list[Row]
) -> None:
    note = shards.write(task)
    assert (note.examples, note.rejected) == (5, [])
    read = tf.data.TFRecordDataset(str(_file(task)))
    parsed = [schema.parse(record, findings=2) for record in read]
    assert [record["id"].numpy().decode() for record in parsed] == [row.id for row in rows]
    for record, row in zip(parsed, rows, strict=True):
        assert record["targets"].numpy().tolist() == list(row.targets)
        assert record["age"] == row.age
        assert record["width"] == row.width
        assert record["boxes"].numpy().tolist() == list(row.boxes)
        canonical = image.canonical(storage.read_bytes(row.uri), 16)
        np.testing.assert_array_equal(tf.io.decode_png(record["image"].numpy())[..., 0], canonical)


def test_the_note_tells_size_and_checksum_of_the_file(task: ShardTask) -> None:
    note = shards.write(task)
    assert note.bytes == _file(task).stat().st_size
    assert note.sha256 == storage.sha256_of(str(_file(task)))
    assert shards.read_note(task) == note


def test_the_same_task_gives_the_same_bytes_anywhere(
    task: ShardTask, tmp_path: pathlib.Path
) -> None:
    again = dataclasses.replace(task, output=str(tmp_path / "again"))
    assert shards.write(task) == shards.write(again)
    assert _file(task).read_bytes() == _file(again).read_bytes()


def test_a_finished_shard_is_not_written_again(task: ShardTask) -> None:
    note = shards.write(task)
    before = _file(task).stat()
    assert shards.write(task) == note
    assert _file(task).stat().st_ino == before.st_ino


def _cut(task: ShardTask) -> None:
    _file(task).write_bytes(_file(task).read_bytes()[:-9])


def _flip(task: ShardTask) -> None:
    data = bytearray(_file(task).read_bytes())
    data[50] ^= 1
    _file(task).write_bytes(data)


def _garble_note(text: bytes) -> Callable[[ShardTask], None]:
    return lambda task: storage.write_bytes(shards.note_path(task), text)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_cut, id="shard cut"),
        pytest.param(_flip, id="shard bit"),
        pytest.param(lambda task: _file(task).unlink(), id="shard gone"),
        pytest.param(lambda task: storage.delete(shards.note_path(task)), id="note gone"),
        pytest.param(_garble_note(b"{"), id="note cut"),
        pytest.param(_garble_note(b"[]"), id="note list"),
        pytest.param(_garble_note(b"3"), id="note number"),
        pytest.param(_garble_note(b"\xff"), id="note bytes"),
    ],
)
def test_a_damaged_shard_is_written_again(
    task: ShardTask, damage: Callable[[ShardTask], None]
) -> None:
    note = shards.write(task)
    whole = _file(task).read_bytes()
    damage(task)
    assert shards.write(task) == note
    assert _file(task).read_bytes() == whole
    assert shards.read_note(task) == note


def test_a_shard_of_another_plan_is_written_again(task: ShardTask) -> None:
    shards.write(task)
    smaller = dataclasses.replace(task, rows=task.rows[:3])
    assert shards.read_note(smaller) is None
    assert shards.write(smaller).examples == 3


def test_unusable_images_are_named_with_their_reason_and_the_others_written(
    task: ShardTask,
) -> None:
    pathlib.Path(task.rows[1].uri).write_bytes(b"text")
    pathlib.Path(task.rows[3].uri).unlink()
    note = shards.write(task)
    assert note.examples == 3
    assert [(item.id, item.reason, item.uri) for item in note.rejected] == [
        ("1.png", "not_a_picture", task.rows[1].uri),
        ("3.png", "vanished", task.rows[3].uri),
    ]
    assert shards.read_note(task) == note


def test_an_image_that_was_mended_is_used_the_next_time(task: ShardTask) -> None:
    path = pathlib.Path(task.rows[1].uri)
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    assert shards.write(task).examples == 4
    path.write_bytes(whole)
    assert shards.write(task).examples == 5


def test_pictures_that_earlier_work_left_are_taken_as_they_are(
    task: ShardTask, tmp_path: pathlib.Path
) -> None:
    note = shards.write(task)
    found = [radiographs.from_file(storage.read_bytes(row.uri), task.recipe) for row in task.rows]
    run, offset, rows = tmp_path / "run", 0, []
    for row, picture in zip(task.rows, found, strict=True):
        piece = (offset, len(picture.data))
        rows.append(dataclasses.replace(row, uri=str(run), piece=piece, digest=picture.digest))
        offset += len(picture.data)
    run.write_bytes(b"".join(picture.data for picture in found))
    staged = dataclasses.replace(task, output=str(tmp_path / "staged"), rows=tuple(rows))
    assert shards.write(staged) == note
    assert _file(staged).read_bytes() == _file(task).read_bytes()


def test_what_earlier_work_refused_is_refused_with_its_reason(task: ShardTask) -> None:
    refused = dataclasses.replace(task.rows[0], uri="a.zip!0.png", refused=("damaged", "it is"))
    note = shards.write(dataclasses.replace(task, rows=(refused, *task.rows[1:])))
    assert note.rejected == [shards.Rejection("0.png", "damaged", "it is", "a.zip!0.png")]
    assert note.examples == len(note.digests) == 4


def test_the_size_of_the_picture_stands_in_where_the_index_has_none(task: ShardTask) -> None:
    row = dataclasses.replace(task.rows[0], width=SIZE_OF_PICTURE, height=SIZE_OF_PICTURE)
    shards.write(dataclasses.replace(task, rows=(row,)))
    (record,) = tf.data.TFRecordDataset(str(_file(task)))
    parsed = schema.parse(record, findings=2)
    assert (parsed["width"], parsed["height"]) == (40, 40)


_STOPS_IN_ITS_MIDDLE = """
import pickle, sys, time
from preprocessing.contract import radiographs
from preprocessing.shards import shards

read_all = radiographs.read_all
def slowly(uris):
    for at, data in enumerate(read_all(uris)):
        if at == 4:
            time.sleep(600)
        yield data

radiographs.read_all = slowly
shards.write(pickle.loads(bytes.fromhex(sys.argv[1])))
"""


def test_a_kill_in_the_middle_leaves_no_file_under_the_final_name(
    task: ShardTask, pytestconfig: pytest.Config
) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", _STOPS_IN_ITS_MIDDLE, pickle.dumps(task).hex()],
        cwd=pytestconfig.rootpath,
    )
    try:
        deadline = time.monotonic() + 30
        while not storage.list_files(task.output) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
    (left,) = storage.list_files(task.output)
    assert storage.is_temporary(left)
    assert not _file(task).exists()
    assert shards.read_note(task) is None
    assert shards.write(task).examples == 5
