# SPDX-License-Identifier: MIT
"""Judges the finished shards and writes what declares a data set complete: the manifest."""

import collections
import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence

from preprocessing import shards
from preprocessing.contract import manifest as manifests
from preprocessing.contract import storage
from preprocessing.contract.errors import DataError
from preprocessing.contract.labels import PRESENT, UNKNOWN
from preprocessing.contract.manifest import Manifest, Shard, Split

REJECTED = "rejected.csv"


def finish(
    output: str,
    tasks: Mapping[str, Sequence[shards.ShardTask]],
    *,
    draft: Manifest,
    allowed: float,
) -> Manifest:
    """Lists the rejected images, refuses too many of them, and writes the manifest last.

    Args:
        output: folder of the data set.
        tasks: split -> its tasks, all of them run.
        draft: the manifest as known before any image was read.
        allowed: share of the images that may be rejected, 0 to 1.

    Raises:
        DataError: a shard is not there, too many images are unusable, or all of a split.
    """
    every = [task for of_split in tasks.values() for task in of_split]
    notes = _notes(every)
    rejected = [item for note in notes.values() for item in note.rejected]
    _write_rejected(output, rejected)
    _judge(output, rejected, draft.counters["images_found"], allowed)
    counters = dict(draft.counters)
    counters["records_written"] = sum(note.examples for note in notes.values())
    counters["images_rejected"] = len(rejected)
    for reason, count in sorted(collections.Counter(item.reason for item in rejected).items()):
        counters[f"rejected_{reason}"] = count
    out = frozenset(item.id for item in rejected)
    finished = {split: _split(of, notes, out, draft.findings) for split, of in tasks.items()}
    for name, split in finished.items():
        if not split.examples:
            raise DataError(
                f"split {name} has no usable image: see {storage.join(output, REJECTED)}"
            )
    manifest = dataclasses.replace(draft, splits=finished, counters=counters)
    manifests.write(output, manifest)
    for task in every:
        storage.delete(shards.note_path(task))
    storage.remove_empty_folder(storage.join(output, shards.NOTES))
    return manifest


def _notes(tasks: Sequence[shards.ShardTask]) -> dict[str, shards.ShardNote]:
    notes = {task.name: shards.read_note(task) for task in tasks}
    lost = [name for name, note in notes.items() if note is None]
    if lost:
        raise DataError(f"{len(lost)} shards were not written, first {lost[0]}: run again")
    return {name: note for name, note in notes.items() if note is not None}


def _write_rejected(output: str, rejected: Sequence[shards.Rejection]) -> None:
    path = storage.join(output, REJECTED)
    if not rejected:
        storage.delete(path)
        return
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "reason", "text", "uri"])
    table.writerows(dataclasses.astuple(item) for item in rejected)
    storage.write_text(path, text.getvalue())


def _judge(output: str, rejected: Sequence[shards.Rejection], images: int, allowed: float) -> None:
    if len(rejected) > allowed * images:
        first = "; ".join(f"{item.uri}: {item.text}" for item in rejected[:3])
        raise DataError(
            f"{len(rejected)} of {images} images cannot be used, more than the allowed share "
            f"{allowed:g} ({first}): mend or remove them, all are listed in "
            f"{storage.join(output, REJECTED)}"
        )


def _split(
    tasks: Sequence[shards.ShardTask],
    notes: dict[str, shards.ShardNote],
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
        patients=len({row.patient for row in rows}),
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
