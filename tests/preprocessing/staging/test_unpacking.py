# SPDX-License-Identifier: MIT
"""Archives are read once, go on where they were stopped, and change no byte of a shard."""

import dataclasses
import pathlib
import tarfile
import zipfile

import cv2
import numpy as np
import pytest

from preprocessing import transforms
from preprocessing.contract import radiographs
from preprocessing.contract.files import storage
from preprocessing.contract.radiographs import Recipe
from preprocessing.staging import staging, unpacking
from preprocessing.staging.staging import StageTask

_RECIPE = Recipe(32, "png")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Ten pictures in a folder and in a tar.gz, one of them broken, and one stranger."""
    random = np.random.default_rng(3)
    (tmp_path / "images").mkdir()
    for n in range(10):
        pixels = random.integers(0, 256, (48, 48), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{n}.png"), pixels)
    (tmp_path / "images" / "4.png").write_bytes(b"text")
    (tmp_path / "images" / "stranger.png").write_bytes(b"text")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "images", "images")
    return tmp_path


def _task(folder: pathlib.Path, **changes: object) -> StageTask:
    output = str(folder / "out")
    staging.write_wanted(output, [f"{n}.png" for n in range(10)])
    task = StageTask(
        output=output,
        name="archive-000",
        archive=str(folder / "a.tar.gz"),
        files=(),
        kind="picture",
        recipe=_RECIPE,
        identity="1",
    )
    return dataclasses.replace(task, **changes)  # type: ignore[arg-type]


def _check(folder: pathlib.Path, task: StageTask) -> None:
    found = staging.read_staged(task)
    assert found is not None
    assert found.not_needed == 1
    assert sorted(image.id for image in found.images) == [f"{n}.png" for n in range(10)]
    for image in found.images:
        assert image.origin == f"{task.archive}!images/{image.id}"
        if image.id == "4.png":
            assert image.refused[0] == "not_a_picture"
            continue
        stored = storage.read_range(image.uri, image.offset, image.bytes)
        whole = radiographs.from_file((folder / "images" / image.id).read_bytes(), _RECIPE)
        assert (stored, image.facts["digest"]) == (whole.data, whole.digest)


def test_every_picture_of_an_archive_is_stored_as_from_its_file(folder: pathlib.Path) -> None:
    task = _task(folder)
    assert staging.read_staged(task) is None
    assert unpacking.stage(task) == 10
    _check(folder, task)
    assert unpacking.stage(task) == 0


def test_many_runs_are_sorted_by_the_hash_that_cuts_shards(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_RUN_BYTES", 4000)
    task = _task(folder)
    unpacking.stage(task)
    _check(folder, task)
    runs = staging.finished_runs(task)
    assert len(runs) > 2
    for run in runs:
        ranks = [staging.rank(image.id) for image in run]
        assert ranks == sorted(ranks)


def test_a_stopped_task_goes_on_behind_its_last_finished_run(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_RUN_BYTES", 4000)
    task = _task(folder)
    made: list[int] = []
    write = unpacking._write_run

    def stop(task: StageTask, number: int, images: object) -> None:
        if number == 2 and not made:
            made.append(number)
            raise KeyboardInterrupt
        write(task, number, images)  # type: ignore[arg-type]

    monkeypatch.setattr(unpacking, "_write_run", stop)
    with pytest.raises(KeyboardInterrupt):
        unpacking.stage(task)
    assert staging.read_staged(task) is None
    first = [path.stat().st_mtime_ns for path in (folder / "out" / staging.FOLDER).iterdir()]
    assert len(first) == 4  # two runs and their notes
    unpacking.stage(task)
    _check(folder, task)
    after = {path.stat().st_mtime_ns for path in (folder / "out" / staging.FOLDER).iterdir()}
    assert set(first) <= after


def test_another_archive_is_read_again(folder: pathlib.Path) -> None:
    unpacking.stage(_task(folder))
    assert staging.read_staged(_task(folder, identity="2")) is None
    assert staging.read_staged(_task(folder, recipe=Recipe(48, "png"))) is None


def test_a_damaged_archive_is_said_by_a_note_once(folder: pathlib.Path) -> None:
    archive = folder / "a.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-30])
    task = _task(folder)
    assert unpacking.stage(task) == 0
    assert staging.read_staged(task) is None
    (text,) = staging.failures([task])
    assert text.startswith(f"archive {archive} is cut short")
    assert staging.failures([task]) == []


def test_one_name_twice_in_an_archive_is_named(folder: pathlib.Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for place in ("x", "y"):
            archive.write(folder / "images" / "1.png", f"{place}/1.png")
    task = _task(folder, archive=str(folder / "a.zip"))
    unpacking.stage(task)
    assert "1.png lies twice in" in staging.failures([task])[0]


def test_loose_files_are_staged_likewise(folder: pathlib.Path) -> None:
    files = tuple((f"{n}.png", str(folder / "images" / f"{n}.png")) for n in range(3))
    task = _task(folder, archive="", files=(*files, ("gone.png", str(folder / "gone.png"))))
    assert transforms.unpack(transforms.pack(task)) == task
    assert unpacking.stage(task) == 4
    found = staging.read_staged(task)
    assert found is not None
    assert {image.id: image.refused[:1] for image in found.images} == {
        "0.png": (),
        "1.png": (),
        "2.png": (),
        "gone.png": ("vanished",),
    }
