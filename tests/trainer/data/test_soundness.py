# SPDX-License-Identifier: MIT
"""A data set that cannot be trained on is refused by its manifest and the sizes of its shards."""

import dataclasses
from typing import Any

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer.data import soundness


def validation_with(manifest: Manifest, positives: int, known: int) -> Manifest:
    split = dataclasses.replace(
        manifest.splits["validation"],
        positives=dict.fromkeys(manifest.findings, positives),
        known=dict.fromkeys(manifest.findings, known),
    )
    return dataclasses.replace(manifest, splits={**manifest.splits, "validation": split})


def test_a_validation_split_without_any_auc_is_refused(data_set: Any) -> None:
    soundness.check_validation(validation_with(data_set.manifest, 1, 2))
    for positives, known in [(0, 5), (5, 5), (0, 0)]:
        with pytest.raises(DataError, match="no AUC is defined"):
            soundness.check_validation(validation_with(data_set.manifest, positives, known))


@pytest.mark.parametrize(("size", "words"), [(None, "is missing"), (7, "has 7 bytes")])
def test_a_shard_that_is_not_as_the_manifest_says_is_named(
    data_set: Any, size: int | None, words: str
) -> None:
    sizes: dict[str, int | None] = dict(storage.sizes(data_set.folder))
    soundness.check_sizes(data_set.folder, data_set.manifest, sizes)
    path = f"{data_set.folder}/test-00001-of-00002.tfrecord"
    for changed in ({**sizes, path: size}, {key: sizes[key] for key in sizes if key != path}):
        with pytest.raises(DataError, match=f"shard {path} {words}|{path} is missing"):
            soundness.check_sizes(data_set.folder, data_set.manifest, changed)
