# SPDX-License-Identifier: MIT
"""Identical pixels under two names are grouped, and counted by how much they leak."""

from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import duplicates
from preprocessing.shards.shards import Rejection, ShardNote, ShardTask
from preprocessing.sources.row import Row


def _task(split: str, *names: str) -> ShardTask:
    rows = tuple(Row(name, name[0], (0,)) for name in names)
    return ShardTask("out", f"{split}.tfrecord", Recipe(16, "png"), rows)


def test_groups_name_patients_and_splits_and_leave_rejected_images_out() -> None:
    tasks = {"train": [_task("train", "a1", "a2", "b1", "b2")], "test": [_task("test", "c1")]}
    out = [Rejection("b1", "damaged", "", "")]
    notes = {
        "train.tfrecord": ShardNote("", 3, 0, "", out, ["x", "x", "y"]),
        "test.tfrecord": ShardNote("", 1, 0, "", [], ["y"]),
    }
    twins = duplicates.find(tasks, notes)
    assert list(duplicates.table(twins)) == [
        ("x", "a1", "a", "train"),
        ("x", "a2", "a", "train"),
        ("y", "b2", "b", "train"),
        ("y", "c1", "c", "test"),
    ]
    assert duplicates.count(twins) == {
        "duplicate_pictures": 4,
        "duplicate_groups": 2,
        "duplicate_groups_across_patients": 1,
        "duplicate_groups_across_splits": 1,
    }
