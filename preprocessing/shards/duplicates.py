# SPDX-License-Identifier: MIT
"""Finds stored pictures that are equal pixel for pixel under two names.

One film filed under two patients, or in train and in test, is a leak that no split by patient sees.
"""

import collections
from collections.abc import Iterator, Mapping, Sequence

from preprocessing.contract import patients
from preprocessing.shards.shards import ShardNote, ShardTask

# digest -> (id, patient, split) of each picture that has it
Twins = dict[str, list[tuple[str, str, str]]]


def find(tasks: Mapping[str, Sequence[ShardTask]], notes: Mapping[str, ShardNote]) -> Twins:
    """Groups the pictures of a data set by their pixels.

    Args:
        tasks: split -> its tasks.
        notes: name of a shard -> its note.

    Returns:
        Only the digests that two or more pictures share.
    """
    of: Twins = collections.defaultdict(list)
    for split, of_split in tasks.items():
        for task in of_split:
            note = notes[task.name]
            out = {item.id for item in note.rejected}
            written = [row for row in task.rows if row.id not in out]
            for row, digest in zip(written, note.digests, strict=True):
                of[digest].append((row.id, row.patient, split))
    return {digest: twins for digest, twins in of.items() if len(twins) > 1}


def table(twins: Twins) -> Iterator[tuple[str, str, str, str]]:
    """Yields the lines of duplicates.csv: digest, id, patient, split."""
    for digest in sorted(twins):
        for name, patient, split in sorted(twins[digest]):
            yield digest, name, patient, split


def count(twins: Twins) -> dict[str, int]:
    """Counts what the manifest says of pictures under more than one name."""
    groups = list(twins.values())
    return {
        "duplicate_pictures": sum(map(len, groups)),
        "duplicate_groups": len(groups),
        "duplicate_groups_across_patients": sum(
            patients.count(p for _, p, _ in g) > 1 for g in groups
        ),
        "duplicate_groups_across_splits": sum(len({s for _, _, s in g}) > 1 for g in groups),
    }
