# SPDX-License-Identifier: MIT
"""The mean of predictions files is of the same images, or there is none."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions import averaged, table
from trainer.predictions.table import Predictions

FINDINGS = ("Mass", "Edema")


def made(seed: int) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = (np.arange(24).reshape(12, 2) % 3 == 0).astype(np.float32)
    labels[4, 1] = np.nan
    return Predictions(
        ids=np.array([f"{row:02d}.png" for row in range(12)]),
        patients=np.array([f"p{row // 2}" for row in range(12)]),
        splits=np.repeat(np.array(["validation", "test"]), 6),
        labels=labels,
        scores=generator.random((12, 2)).astype(np.float32),
        findings=FINDINGS,
    )


@pytest.fixture
def files(tmp_path: pathlib.Path) -> list[str]:
    """Three, the second in another order of rows and findings, the third of another format."""
    paths = [f"{tmp_path}/{name}" for name in ("a.csv", "b.csv", "c.npz")]
    order = np.random.default_rng(9).permutation(12)
    for seed, path in enumerate(paths):
        one = made(seed)
        if seed == 1:
            rows = {
                name: getattr(one, name)[order] for name in ("ids", "patients", "splits", "scores")
            }
            one = dataclasses.replace(one, **rows, labels=one.labels[order])
            one = dataclasses.replace(
                one, labels=one.labels[:, ::-1], scores=one.scores[:, ::-1], findings=FINDINGS[::-1]
            )
        table.write(path, one)
    return paths


def test_scores_are_averaged_image_by_image_and_finding_by_finding(files: list[str]) -> None:
    found = averaged.read(",".join(files))
    expected = np.mean([made(seed).scores.astype(np.float64) for seed in range(3)], axis=0)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-8)
    first = made(0)
    assert (found.ids == first.ids).all() and found.findings == FINDINGS
    np.testing.assert_array_equal(found.labels, first.labels)


def test_one_file_is_read_as_it_is(files: list[str]) -> None:
    found = averaged.read(files[0])
    assert found.scores.dtype == table.read(files[0]).scores.dtype
    np.testing.assert_array_equal(found.scores, table.read(files[0]).scores)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"ids": np.array(["x.png", *made(0).ids[1:]])},
            r"1 images are only in .*a\.csv.*'00.png'",
        ),
        ({"findings": ("Mass", "Hernia")}, r"1 findings are only in .*a\.csv.*'Edema'"),
        ({"labels": 1 - made(0).labels}, r"labels differ from those of .*a\.csv.*Mass of 00\.png"),
        ({"patients": np.array([f"q{row // 2}" for row in range(12)])}, r"another patient than in"),
        (
            {"splits": np.repeat("test", 12)},
            r"6 of 12 images have another split .*a\.csv, the first 00\.png \(test instead of val",
        ),
    ],
    ids=["images", "findings", "labels", "patients", "splits"],
)
def test_a_file_of_other_images_or_labels_is_named_with_the_first_difference(
    files: list[str], tmp_path: pathlib.Path, changed: dict[str, Any], told: str
) -> None:
    other = f"{tmp_path}/other.csv"
    table.write(other, dataclasses.replace(made(0), **changed))
    with pytest.raises(DataError, match=rf"other\.csv: .*{told}.*; average predictions "):
        averaged.read(f"{files[0]},{other}")


def test_a_file_that_is_missing_is_named(files: list[str]) -> None:
    with pytest.raises(DataError, match=r"none\.csv: there is no such predictions file"):
        averaged.read(f"{files[0]},{files[0]}.none.csv")
