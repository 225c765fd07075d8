# SPDX-License-Identifier: MIT
"""Reads one archive, or some DICOM files, once, and leaves the stored pictures in run files."""

import dataclasses
import json
from collections.abc import Iterator, Sequence

from preprocessing.contract import radiographs
from preprocessing.contract.archives import archives
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.pictures.image import ImageError
from preprocessing.contract.radiographs import Picture
from preprocessing.staging import staging
from preprocessing.staging.staging import Staged, StageTask

# Stored pictures kept in memory before they are sorted and written as one run.
_RUN_BYTES = 64 << 20


def stage(task: StageTask) -> int:
    """Stages the pictures of a task, going on where an earlier run was stopped.

    What is wrong with an archive is left in a note for `failures`: an error that a worker raises
    would reach the user as the runner's traceback.

    Returns:
        Number of images staged by this call.
    """
    if staging.read_note(task, staging.note_path(task, "end")) is not None:
        return 0
    try:
        return _stage(task)
    except DataError as error:
        note = {"fingerprint": task.fingerprint, "text": str(error)}
        storage.write_text(staging.note_path(task, "failed"), json.dumps(note), private=True)
        return 0


def _stage(task: StageTask) -> int:
    runs = staging.finished_runs(task)
    done = {staged.id for run in runs for staged in run}
    waiting: list[tuple[Staged, bytes]] = []
    seen: set[str] = set()
    others: list[str] = []
    number, size = len(runs), 0
    for staged, picture in _images(task, done, seen, others):
        waiting.append((staged, picture.data if picture else b""))
        size += len(waiting[-1][1])
        if size >= _RUN_BYTES:
            _write_run(task, number, waiting)
            number, size, waiting = number + 1, 0, []
    if waiting:
        _write_run(task, number, waiting)
    note = {"fingerprint": task.fingerprint, "not_needed": len(others), "near": _near(task, others)}
    storage.write_text(staging.note_path(task, "end"), json.dumps(note), private=True)
    return len(seen)


def _near(task: StageTask, others: Sequence[str]) -> dict[str, str]:
    """Returns id -> place of the other files whose names differ in suffix or case alone."""
    if not others:
        return {}
    wanted = staging.read_wanted(task.output)
    near = {wanted.near(name): f"{task.archive}!{name}" for name in reversed(others)}
    return {name: place for name, place in near.items() if name is not None}


def _images(
    task: StageTask, done: set[str], seen: set[str], others: list[str]
) -> Iterator[tuple[Staged, Picture | None]]:
    """Yields what the images of a task that are not done yet became."""
    for name, origin, data, problem in _files(task, done, others):
        if name in seen:
            raise DataError(f"{name} lies twice in {task.archive or 'the files given'}: keep one")
        seen.add(name)
        if name in done:
            continue
        try:
            if problem:
                raise ImageError(problem[0], problem[1])
            picture = _picture(task, name, data or b"")
        except ImageError as error:
            yield Staged(name, origin, refused=(error.reason, str(error))), None
            continue
        facts = dataclasses.asdict(picture)
        del facts["data"]
        yield Staged(name, origin, facts=facts), picture


def _picture(task: StageTask, name: str, data: bytes) -> Picture:
    if task.kind == "dicom":
        return radiographs.from_dicom(data, storage.basename(name), task.recipe)
    return radiographs.from_file(data, task.recipe)


def _files(
    task: StageTask, done: set[str], others: list[str]
) -> Iterator[tuple[str, str, bytes | None, tuple[str, ...]]]:
    """Yields id, origin, content and problem of each image of the index in a task."""
    if not task.archive:
        left = [(name, path) for name, path in task.files if name not in done]
        contents = radiographs.read_all([path for _, path in left])
        for (name, path), data in zip(left, contents, strict=True):
            if isinstance(data, ImageError):
                yield name, path, None, (data.reason, str(data))
            else:
                yield name, path, data, ()
        return
    wanted = staging.read_wanted(task.output)

    def is_needed(path: str) -> bool:
        name = wanted.find(path)
        return name is not None and name not in done

    for member in archives.members(task.archive, is_needed, check_md5=task.check_md5):
        found = wanted.find(member.name)
        if found is None:
            others.append(member.name)
        else:
            yield found, f"{task.archive}!{member.name}", member.data, member.problem


def _write_run(task: StageTask, number: int, images: Sequence[tuple[Staged, bytes]]) -> None:
    """Writes stored pictures in the order of the shards' hash, then the note that counts them."""
    name = f"{task.name}-{number:04d}.pictures"
    notes, offset = [], 0
    ordered = sorted(images, key=lambda pair: staging.rank(pair[0].id))
    with storage.open_write(storage.join(task.output, staging.FOLDER, name)) as file:
        for staged, data in ordered:
            file.write(data)
            if not staged.refused:
                staged = dataclasses.replace(staged, uri=name, offset=offset, bytes=len(data))
            notes.append(dataclasses.asdict(staged))
            offset += len(data)
    text = json.dumps({"fingerprint": task.fingerprint, "images": notes})
    storage.write_text(staging.note_path(task, f"{number:04d}"), text, private=True)
