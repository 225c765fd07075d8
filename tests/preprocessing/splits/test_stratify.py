# SPDX-License-Identifier: MIT
"""A carved part holds whole patients, and every finding in proportion, the rarest above all."""

import dataclasses
import pathlib

import numpy as np
import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.sources import nih as nih_files
from preprocessing.sources import text_files
from preprocessing.sources.row import Row
from preprocessing.splits import stratify


def _rows(seed: int, patients: int = 400) -> list[Row]:
    random = np.random.default_rng(seed)
    rates = np.array([0.3, 0.1, 0.02])
    rows = []
    for patient in range(patients):
        for image in range(int(random.geometric(0.3))):
            targets = tuple(int(hit) for hit in random.random(3) < rates)
            rows.append(Row(f"{patient}_{image}.png", str(patient), targets))
    return rows


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_findings_and_images_are_in_proportion(seed: int, fraction: float) -> None:
    rows = _rows(seed)
    chosen = stratify.carve(rows, fraction=fraction, salt="a")
    targets = np.array([row.targets for row in rows])
    inside = np.array([row.patient in chosen for row in rows])
    wanted = targets.sum(axis=0) * fraction
    np.testing.assert_allclose(targets[inside].sum(axis=0), wanted, atol=2.5)
    assert inside.sum() == pytest.approx(len(rows) * fraction, abs=3)


def test_the_choice_depends_on_rows_and_salt_alone() -> None:
    rows = _rows(1)
    first = stratify.carve(rows, fraction=0.2, salt="a")
    assert stratify.carve(rows[::-1], fraction=0.2, salt="a") == first
    assert stratify.carve(rows, fraction=0.2, salt="b") != first


def test_unknown_is_not_present() -> None:
    rows = [Row(f"{n}.png", str(n), (-1,)) for n in range(10)]
    absent = [Row(f"{n}.png", str(n), (0,)) for n in range(10)]
    chosen = stratify.carve(rows, fraction=0.3, salt="a")
    assert chosen == stratify.carve(absent, fraction=0.3, salt="a")
    assert len(chosen) == 3


@pytest.mark.parametrize(("patients", "inside"), [(1, 0), (2, 1), (3, 1)])
def test_few_patients_leave_none_of_the_parts_empty(patients: int, inside: int) -> None:
    rows = [Row(f"{n}.png", str(n), (1,)) for n in range(patients)]
    assert len(stratify.carve(rows, fraction=0.01, salt="a")) == inside


def test_hernia_keeps_its_share_of_chestxray14(nih: pathlib.Path) -> None:
    rows = nih_files.read_index(str(nih / "Data_Entry_2017_v2020.csv"), CHESTXRAY14_FINDINGS)
    names = set(text_files.read_names(str(nih / "train_val_list.txt")))
    train_val = [row for row in rows if row.id in names]
    chosen = stratify.carve(train_val, fraction=0.125, salt="cxr14")
    targets = np.array([row.targets for row in train_val])
    inside = np.array([row.patient in chosen for row in train_val])
    assert targets[:, -1].sum() == 141
    assert targets[inside, -1].sum() in (17, 18)
    shares = targets[inside].sum(axis=0) / targets.sum(axis=0)
    np.testing.assert_allclose(shares, 0.125, atol=0.004)


def test_every_spelling_of_a_patient_goes_to_the_same_part() -> None:
    rows = _rows(2, patients=60)
    for width in (1, 8):
        spelled = [
            dataclasses.replace(row, patient=row.patient.zfill(width) + (" " if n % 3 else ".0"))
            for n, row in enumerate(rows)
        ]
        inside = stratify.carve(spelled, fraction=0.3, salt="a")
        parts: dict[int, set[bool]] = {}
        for row in spelled:
            parts.setdefault(int(float(row.patient)), set()).add(row.patient in inside)
        assert all(len(part) == 1 for part in parts.values())
        assert 0.2 < sum(map(any, parts.values())) / len(parts) < 0.4
