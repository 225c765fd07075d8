# SPDX-License-Identifier: MIT
"""Two predictions files are brought into one order, and differences are told with an example."""

import dataclasses

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions.pairing import aligned
from trainer.predictions.table import Predictions


def made() -> Predictions:
    generator = np.random.default_rng(0)
    labels = (generator.random((12, 3)) < 0.5).astype(np.float32)
    labels[4, 1] = np.nan
    return Predictions(
        ids=np.array([f"{row:02d}.png" for row in range(12)]),
        patients=np.array([f"p{row // 2}" for row in range(12)]),
        splits=np.repeat(np.array(["test"]), 12),
        labels=labels,
        scores=generator.random((12, 3)).astype(np.float32),
        findings=("Mass", "Edema", "Hernia"),
    )


def reordered(whole: Predictions, rows: np.ndarray, columns: list[int]) -> Predictions:
    return Predictions(
        ids=whole.ids[rows],
        patients=whole.patients[rows],
        splits=whole.splits[rows],
        labels=whole.labels[np.ix_(rows, columns)],
        scores=whole.scores[np.ix_(rows, columns)],
        findings=tuple(whole.findings[column] for column in columns),
    )


def test_rows_and_findings_in_another_order_are_brought_into_that_of_the_first() -> None:
    first = made()
    other = reordered(first, np.random.default_rng(1).permutation(12), [2, 0, 1])
    np.testing.assert_array_equal(aligned(first, other, name="b.csv"), first.scores)


def test_missing_and_additional_images_are_counted_and_the_first_named() -> None:
    first = made()
    fewer = reordered(first, np.arange(3, 12), [0, 1, 2])
    with pytest.raises(DataError, match=r"b\.csv: 3 images are only in the predictions.*'00\.png'"):
        aligned(first, fewer, name="b.csv")
    with pytest.raises(DataError, match=r"b\.csv: 3 images are only in this file.*'00\.png'"):
        aligned(fewer, first, name="b.csv")


def test_other_findings_are_named() -> None:
    first = made()
    renamed = dataclasses.replace(first, findings=("Mass", "Oedema", "Hernia"))
    with pytest.raises(DataError, match=r"1 findings are only in the predictions.*'Edema'"):
        aligned(first, renamed, name="b.csv")
    part = reordered(first, np.arange(12), [0, 1])
    with pytest.raises(DataError, match=r"1 findings are only in this file.*'Hernia'"):
        aligned(part, first, name="b.csv")


def test_another_patient_is_told_with_its_image() -> None:
    first = made()
    patients = first.patients.copy()
    patients[[3, 7]] = "p9"
    with pytest.raises(DataError, match=r"2 of 12 images .*the first 03\.png \(p9 instead of p1\)"):
        aligned(first, dataclasses.replace(first, patients=patients), name="b.csv")


def test_another_label_is_told_with_its_image_and_finding() -> None:
    first = made()
    labels = first.labels.copy()
    labels[5, 2] = 1 - labels[5, 2]
    labels[8, 0] = 1 - labels[8, 0]
    told = rf"2 labels differ.*Hernia of 05\.png \({labels[5, 2]:.0f} instead of"
    with pytest.raises(DataError, match=told):
        aligned(first, dataclasses.replace(first, labels=labels), name="b.csv")


def test_a_label_known_in_one_file_only_differs() -> None:
    first = made()
    labels = first.labels.copy()
    labels[4, 1] = 0
    with pytest.raises(DataError, match=r"1 labels .*Edema of 04\.png \(0 instead of unknown\)"):
        aligned(first, dataclasses.replace(first, labels=labels), name="b.csv")
