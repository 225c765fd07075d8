# SPDX-License-Identifier: MIT
"""Judges the finished shards and writes what declares a data set complete: the manifest."""

import collections
import contextlib
import dataclasses
from collections.abc import Container, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from preprocessing.contract import lock, patients
from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.labels import PRESENT, UNKNOWN
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.contract.schema import Facts
from preprocessing.shards import shards, tables
from preprocessing.shards.shards import Rejection, ShardNote, ShardTask
from preprocessing.shards.tables import DUPLICATES, REJECTED, WARNINGS
from preprocessing.sources.row import Row
from preprocessing.staging import staging

PROGRESS = "_progress"


def finish(
    output: str,
    tasks: Mapping[str, Sequence[ShardTask]],
    *,
    draft: Manifest,
    allowed: float,
    rejected: Sequence[Rejection] = (),
    warnings: Sequence[tuple[str, str]] = (),
) -> Manifest:
    """Lists the rejected images, refuses too many of them, and writes the manifest last.

    Args:
        output: folder of the data set.
        tasks: split -> its tasks, all of them run.
        draft: the manifest as known before any image was read.
        allowed: share of the images that may be rejected, 0 to 1.
        rejected: images that are in no task because their patient is not known.
        warnings: (id, text) of what files leave open.

    Raises:
        DataError: a shard is not there, too many images are unusable, or all of a split.
    """
    # 1. Tables of all that went wrong, before anything is refused.
    every = [task for of_split in tasks.values() for task in of_split]
    notes = _notes(every)
    out = [*rejected, *(item for note in notes.values() for item in note.rejected)]
    list_rejected(output, out)
    warnings = [*warnings, *(pair for note in notes.values() for pair in note.warnings)]
    tables.write(output, WARNINGS, tables.frame(WARNINGS, warnings))
    _judge(output, out, draft.counters["images_found"], allowed)
    # 2. What was written: rows in the order of their records, whose digests are in the notes.
    written = _written(tasks, out)
    twins = _twins(tasks, notes, written)
    tables.write(output, DUPLICATES, twins)
    # 3. The manifest, which declares the data set complete.
    splits = _splits(output, written, draft.findings, tasks, notes)
    counters = _counters(draft, notes, out, warnings) | tables.count(twins)
    manifest = dataclasses.replace(draft, splits=splits, counters=counters)
    sweep(output, keep={task.name for task in every})
    manifests.write(output, manifest)
    remove_progress(output)
    return manifest


def _written(
    tasks: Mapping[str, Sequence[ShardTask]], rejected: Sequence[Rejection]
) -> dict[str, list[Row]]:
    """Returns split -> rows that have a record, in the order of the records."""
    out = {item.id for item in rejected}
    return {
        split: [row for task in of for row in task.rows if row.id not in out]
        for split, of in tasks.items()
    }


def _splits(
    output: str,
    written: Mapping[str, Sequence[Row]],
    findings: Sequence[str],
    tasks: Mapping[str, Sequence[ShardTask]],
    notes: Mapping[str, ShardNote],
) -> dict[str, Split]:
    for split, rows in written.items():
        if not rows:
            raise DataError(
                f"split {split} has no usable image: see {storage.join(output, REJECTED)}"
            )
    return {
        split: summary(written[split], findings, [_shard(one, notes[one.name]) for one in of])
        for split, of in tasks.items()
    }


def _twins(
    tasks: Mapping[str, Sequence[ShardTask]],
    notes: Mapping[str, ShardNote],
    written: Mapping[str, Sequence[Row]],
) -> pd.DataFrame:
    pictures: list[tuple[str, str, str, str]] = []
    for split, of in tasks.items():
        digests = (digest for task in of for digest in notes[task.name].digests)
        pairs = zip(digests, written[split], strict=True)
        pictures += [(digest, row.id, row.patient, split) for digest, row in pairs]
    return tables.duplicates(pictures)


def list_rejected(output: str, rejected: Sequence[Rejection]) -> None:
    """Writes the table of the images that cannot be used."""
    tables.write(output, REJECTED, tables.frame(REJECTED, map(dataclasses.astuple, rejected)))


def summary(images: Sequence[Facts], findings: Sequence[str], files: Sequence[Shard]) -> Split:
    """Counts what the manifest says of the images of a split."""
    targets = [image.targets for image in images if len(image.targets) == len(findings)]
    of = np.array(targets, np.int64).reshape(-1, len(findings))
    positives = dict(zip(findings, (of == PRESENT).sum(axis=0).tolist(), strict=True))
    known = dict(zip(findings, (of != UNKNOWN).sum(axis=0).tolist(), strict=True))
    return Split(
        examples=len(images),
        patients=patients.count(image.patient for image in images),
        positives=positives,
        known=known,
        prevalence={name: positives[name] / known[name] if known[name] else 0.0 for name in known},
        shards=list(files),
    )


@contextlib.contextmanager
def naming_rejected(
    output: str, rejected: Sequence[Rejection], present: Sequence[object]
) -> Iterator[None]:
    """Says of a plan that cannot be made how much of it is due to images that are refused.

    Raises:
        DataError: no image is left, or too few for the plan.
    """
    table = f"listed in {storage.join(output, REJECTED)}"
    if rejected and not present:
        reasons = collections.Counter(item.reason for item in rejected).most_common()
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons)
        first = f"{rejected[0].uri or rejected[0].id}: {rejected[0].text}"
        raise DataError(
            f"none of the {len(rejected)} images that were found can be used ({counts}; first "
            f"{first}): all are {table}"
        )
    try:
        yield
    except DataError as error:
        if not rejected:
            raise
        raise DataError(f"{error} ({len(rejected)} images were refused: {table})") from error


def sweep(output: str, keep: Container[str] | None) -> None:
    """Removes what runs that never finished left: half-written files, shards of another plan.

    Args:
        output: folder of the data set.
        keep: names of the planned shards; None if they are not known yet.
    """
    for path in storage.list_files(output):
        if storage.is_temporary(path):
            storage.delete(path)
    if keep is None:
        return
    for path in storage.list_files(storage.join(output, shards.NOTES)):
        name = storage.basename(path).removesuffix(".json")
        if name not in keep:
            storage.delete(storage.join(output, name))
            storage.delete(path)


def remove_staged(output: str) -> None:
    """Removes the notes and run files of archives and DICOM files."""
    for path in storage.list_files(storage.join(output, staging.FOLDER)):
        storage.delete(path)


def remove_progress(output: str) -> None:
    """Removes the notes of a finished job, but the lock, which its holder removes."""
    for path in storage.list_files(storage.join(output, PROGRESS)):
        if storage.basename(path) != lock.NAME:
            storage.delete(path)
    for folder in (staging.FOLDER, shards.NOTES, PROGRESS):
        storage.remove_empty_folder(storage.join(output, folder))


def _counters(
    draft: Manifest,
    notes: Mapping[str, ShardNote],
    rejected: Sequence[Rejection],
    warnings: Sequence[tuple[str, str]],
) -> dict[str, int]:
    counters = dict(draft.counters)
    counters["records_written"] = sum(note.examples for note in notes.values())
    counters["images_turned_upright"] += sum(note.turned for note in notes.values())
    counters["images_with_warnings"] = len({name for name, _ in warnings})
    counters["images_rejected"] = len(rejected)
    for reason, count in sorted(collections.Counter(item.reason for item in rejected).items()):
        counters[f"rejected_{reason}"] = count
    return counters


def _notes(tasks: Sequence[ShardTask]) -> dict[str, ShardNote]:
    notes = {task.name: shards.read_note(task) for task in tasks}
    lost = [name for name, note in notes.items() if note is None]
    if lost:
        raise DataError(f"{len(lost)} shards were not written, first {lost[0]}: run again")
    return {name: note for name, note in notes.items() if note is not None}


def _judge(output: str, rejected: Sequence[Rejection], images: int, allowed: float) -> None:
    if len(rejected) > allowed * images:
        first = "; ".join(f"{item.uri}: {item.text}" for item in rejected[:3])
        raise DataError(
            f"{len(rejected)} of {images} images cannot be used, more than the allowed share "
            f"{allowed:g} ({first}): fix or remove them, or raise max_rejected_fraction; "
            f"all are listed in {storage.join(output, REJECTED)}"
        )


def _shard(task: ShardTask, note: ShardNote) -> Shard:
    return Shard(task.name, note.examples, note.bytes, note.sha256)
