# SPDX-License-Identifier: MIT
"""Writes the phantom: the tree, the label files and the picture files of ChestX-ray14.

The pictures come first and the label files last, so a phantom with a label file is complete.
"""

import collections
import dataclasses
import multiprocessing
import os
from multiprocessing import resource_tracker
from typing import Any

import cv2
import numpy as np

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.contract.process import stopping
from preprocessing.phantom import labels, notes, population, render
from preprocessing.phantom.notes import Parameters
from preprocessing.phantom.population import Prevalence, Record

_FIRST_FOLDER, _OTHER_FOLDERS = 4_999, 10_000
# Under this many pictures, starting processes costs more than it saves.
_WORTH_PROCESSES = 48
# path, record, seed, side in pixels
_Task = tuple[str, Record, int, int]


@dataclasses.dataclass(frozen=True)
class PhantomSummary:
    """What a phantom holds.

    Attributes:
        output: its folder.
        images: rows of the label file.
        image_files: pictures on storage.
        patients: number of patients.
        train_val: images in train_val_list.txt.
        test: images in test_list.txt.
        rgba: picture files with four channels.
        boxes: rows of the box file.
        positives: images with each finding, by list (train_val, test) and finding.
        written: False if the same phantom was there already.
    """

    output: str
    images: int
    image_files: int
    patients: int
    train_val: int
    test: int
    rgba: int
    boxes: int
    positives: dict[str, dict[str, int]]
    written: bool


def write(
    output: str,
    *,
    images: int,
    seed: int,
    prevalence: Prevalence = "realistic",
    size_px: int = 1024,
    image_files: int | None = None,
    processes: int | None = None,
) -> PhantomSummary:
    """Writes a synthetic ChestX-ray14; goes on where an earlier call was interrupted.

    Args:
        output: folder, local or gs://, absent or with a phantom of the same parameters.
        images: rows of the label file, 4 or more.
        seed: non-negative; the same arguments give the same bytes.
        prevalence: realistic, as in ChestX-ray14; raised, 8% or more of each finding in each list.
        size_px: side of the pictures in pixels; boxes are in those of a 1024x1024 one always.
        image_files: write only the first so many pictures by name; the label files hold all rows.
        processes: one for each core if None; does not change the bytes.

    Raises:
        UsageError: an argument is out of range, or the folder holds something else.
    """
    wanted = images if image_files is None else image_files
    parameters = Parameters(images, seed, prevalence, size_px, wanted)
    _check(parameters)
    counts = notes.claim(output, parameters)
    if counts is not None:
        return PhantomSummary(output=output, written=False, **counts)
    counts = _make(output, parameters, processes or os.cpu_count() or 1)
    return PhantomSummary(output=output, written=True, **counts)


def _make(output: str, parameters: Parameters, processes: int) -> dict[str, Any]:
    """Writes all files and returns the counts."""
    records = population.draw(parameters.images, parameters.seed, parameters.prevalence)
    by_name = sorted(records, key=lambda record: record.name)[: parameters.image_files]
    _write_pictures(output, by_name, parameters, processes)
    texts = labels.texts(records, parameters.seed)
    for name, text in texts.items():
        storage.write_text(storage.join(output, name), text)
    counts = _counts(records, by_name, boxes=texts[labels.BOXES].count("\n") - 1)
    notes.finish(output, parameters, counts)
    return counts


def _check(parameters: Parameters) -> None:
    images, files = parameters.images, parameters.image_files
    if images < population.MIN_IMAGES:
        raise UsageError(
            f"A phantom of {images} images cannot be made: ask for {population.MIN_IMAGES} or more."
        )
    if parameters.seed < 0:
        raise UsageError(f"The seed of a phantom cannot be {parameters.seed}: give 0 or more.")
    if parameters.prevalence not in ("realistic", "raised"):
        raise UsageError(
            f"Unknown prevalence {parameters.prevalence!r}: choose realistic or raised."
        )
    if not 32 <= parameters.size_px <= 4096:
        raise UsageError(f"Pictures of {parameters.size_px} px cannot be made: choose 32 to 4096.")
    if not 0 <= files <= images:
        raise UsageError(f"{files} picture files of {images} images: ask for 0 to {images}.")


def folder_of(position: int) -> str:
    """Names the folder of a picture by its position among all names in order, from 0.

    It is images_001 for the first 4,999, then the next for each 10,000, as in ChestX-ray14.

    >>> [folder_of(position) for position in (0, 4998, 4999, 14999)]
    ['images_001', 'images_001', 'images_002', 'images_003']
    """
    if position < _FIRST_FOLDER:
        return "images_001"
    return f"images_{2 + (position - _FIRST_FOLDER) // _OTHER_FOLDERS:03d}"


def _write_pictures(
    output: str, by_name: list[Record], parameters: Parameters, processes: int
) -> None:
    """Writes the pictures that are not there yet; each is there whole or not at all."""
    folders: dict[str, set[str]] = {}
    tasks: list[_Task] = []
    for position, record in enumerate(by_name):
        folder = storage.join(output, folder_of(position), "images")
        if folder not in folders:
            storage.make_folder(folder)
            folders[folder] = _finished(folder)
        if record.name not in folders[folder]:
            path = storage.join(folder, record.name)
            tasks.append((path, record, parameters.seed, parameters.size_px))
    if processes == 1 or len(tasks) < _WORTH_PROCESSES:
        for task in tasks:
            _write_picture(task)
        return
    # A forked process would inherit the locks of threads which it does not have.
    spawn = multiprocessing.get_context("spawn")
    # Or Python's helper, which removes what a stopped phantom leaves behind, would complain of it.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    # Python's helper lets Ctrl-C through when it starts, so it starts before Ctrl-C is kept out.
    resource_tracker.ensure_running()
    with stopping.unheard_by_children():
        started = spawn.Pool(processes, cv2.setNumThreads, (1,))
    with started as pool:
        for _ in pool.imap_unordered(_write_picture, tasks, chunksize=8):
            pass


def _finished(folder: str) -> set[str]:
    """Names of the pictures that an earlier run finished; removes what it left half-written."""
    paths = storage.list_files(folder)
    for path in filter(storage.is_temporary, paths):
        storage.delete(path)
    return {storage.basename(path) for path in paths if not storage.is_temporary(path)}


def _write_picture(task: _Task) -> None:
    """Makes and writes one picture; runs in the processes of the pool."""
    path, record, seed, size_px = task
    picture = render.picture(record, seed, size_px)
    if record.rgba:
        picture = np.stack([picture, picture, picture, np.full_like(picture, 255)], axis=-1)
    # OpenCV's default is its fastest setting for such pictures, 2-3 times faster than level 1.
    encoded, data = cv2.imencode(".png", picture)
    if not encoded:
        raise RuntimeError("OpenCV could not encode a picture as PNG")
    storage.write_bytes(path, bytes(data))


def _counts(records: list[Record], by_name: list[Record], *, boxes: int) -> dict[str, Any]:
    """Counts what `PhantomSummary` says of a phantom, except for its folder."""
    parts = {s: [r for r in records if r.split == s] for s in ("train_val", "test")}
    return {
        "images": len(records),
        "image_files": len(by_name),
        "patients": len({record.patient for record in records}),
        "train_val": len(parts["train_val"]),
        "test": len(parts["test"]),
        "rgba": sum(record.rgba for record in by_name),
        "boxes": boxes,
        "positives": {split: _positives(part) for split, part in parts.items()},
    }


def _positives(part: list[Record]) -> dict[str, int]:
    counts = collections.Counter(name for record in part for name in record.findings)
    return {name: counts[name] for name in CHESTXRAY14_FINDINGS}
