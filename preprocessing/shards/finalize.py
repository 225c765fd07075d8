# SPDX-License-Identifier: MIT
"""Judges the finished shards and writes what declares a data set complete: the manifest."""

import collections
import contextlib
import csv
import dataclasses
import io
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from preprocessing.contract import cells, lock, patients
from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.labels import PRESENT, UNKNOWN
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.shards import duplicates, shards
from preprocessing.shards.shards import Rejection, ShardNote, ShardTask
from preprocessing.staging import staging

REJECTED, WARNINGS, DUPLICATES = "rejected.csv", "warnings.csv", "duplicates.csv"
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
    every = [task for of_split in tasks.values() for task in of_split]
    notes = _notes(every)
    out = [*rejected, *(item for note in notes.values() for item in note.rejected)]
    list_rejected(output, out)
    warnings = [*warnings, *(pair for note in notes.values() for pair in note.warnings)]
    _write_table(output, WARNINGS, ["id", "text"], warnings)
    _judge(output, out, draft.counters["images_found"], allowed)
    twins = duplicates.find(tasks, notes)
    table = duplicates.table(twins)
    _write_table(output, DUPLICATES, ["digest", "id", "patient", "split"], table)
    counters = _counters(draft, notes, out, warnings) | duplicates.count(twins)
    ids = frozenset(item.id for item in out)
    finished = {split: _split(of, notes, ids, draft.findings) for split, of in tasks.items()}
    for name, split in finished.items():
        if not split.examples:
            raise DataError(
                f"split {name} has no usable image: see {storage.join(output, REJECTED)}"
            )
    manifest = dataclasses.replace(draft, splits=finished, counters=counters)
    sweep(output, keep={task.name for task in every})
    manifests.write(output, manifest)
    remove_progress(output)
    return manifest


def list_rejected(output: str, rejected: Sequence[Rejection]) -> None:
    """Writes the table of the images that cannot be used."""
    lines = map(dataclasses.astuple, rejected)
    _write_table(output, REJECTED, ["id", "reason", "text", "uri"], lines)


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
    """Removes what archives and DICOM files were found to hold."""
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


def _write_table(
    output: str, name: str, header: Sequence[str], lines: Iterable[Sequence[object]]
) -> None:
    """Writes a table beside the shards; without lines there is none."""
    path = storage.join(output, name)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    head = text.tell()
    table.writerows([cells.harmless(storage.shown(str(cell))) for cell in line] for line in lines)
    if text.tell() == head:
        storage.delete(path)
    else:
        storage.write_text(path, text.getvalue(), private=True)


def _judge(output: str, rejected: Sequence[Rejection], images: int, allowed: float) -> None:
    if len(rejected) > allowed * images:
        first = "; ".join(f"{item.uri}: {item.text}" for item in rejected[:3])
        raise DataError(
            f"{len(rejected)} of {images} images cannot be used, more than the allowed share "
            f"{allowed:g} ({first}): fix or remove them, or raise max_rejected_fraction; "
            f"all are listed in {storage.join(output, REJECTED)}"
        )


def _split(
    tasks: Sequence[ShardTask],
    notes: dict[str, ShardNote],
    rejected: frozenset[str],
    findings: Sequence[str],
) -> Split:
    rows = [row for task in tasks for row in task.rows if row.id not in rejected]
    positives, known = {}, {}
    for at, finding in enumerate(findings):
        positives[finding] = sum(row.targets[at] == PRESENT for row in rows)
        known[finding] = sum(row.targets[at] != UNKNOWN for row in rows)
    return Split(
        examples=len(rows),
        patients=patients.count(row.patient for row in rows),
        positives=positives,
        known=known,
        prevalence={name: positives[name] / known[name] if known[name] else 0.0 for name in known},
        shards=[
            Shard(
                task.name,
                notes[task.name].examples,
                notes[task.name].bytes,
                notes[task.name].sha256,
            )
            for task in tasks
        ],
    )
