# SPDX-License-Identifier: MIT
"""Every image has one row and a patient, and no patient is in two splits."""

import numpy as np
import pytest

from trainer.predictions import rules


def _leaks(*patients: str) -> list[str]:
    splits = np.array((["validation", "test"] * len(patients))[: len(patients)])
    return list(rules.leaks(np.array(patients), splits))


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("P7", "P7 ", r"'P7' or 'P7 '"),
        ("P7", "P7\xa0", r"'P7' or 'P7\xa0'"),
        ("7", "0000007", "'0000007' or '7'"),
        ("7", "7.0", "'7' or '7.0'"),
        ("P7", "P7", "P7"),
    ],
)
def test_a_patient_in_two_splits_is_named_with_both_spellings(
    one: str, other: str, shown: str
) -> None:
    (problem,) = _leaks(one, other)
    assert f"1 patient(s) are in more than one split, as {shown} (test and validation); " in problem


def test_patients_of_one_split_each_are_no_leak() -> None:
    assert _leaks("P7", "P8", "P7 ", "8") == []


def test_rows_without_a_patient_are_counted_and_the_first_named() -> None:
    ids = np.array(["a", "b", "c"])
    splits = np.array(["test"] * 3)
    (problem,) = rules.rows(ids, np.array(["P1", "nan", "null"]), splits)
    assert problem.startswith(
        "column patient: 'nan' in row 2 (id 'b') does not name a patient (2 such row"
    )
    assert not list(rules.rows(ids, np.array(["0", "nana", "P1"]), splits))


def test_only_a_file_that_may_say_less_may_leave_the_split_empty() -> None:
    ids, patients, splits = np.array(["a", "b"]), np.array(["1", "2"]), np.array(["test", ""])
    assert not list(rules.rows(ids, patients, splits, unknown_split=True))
    empty, other = rules.rows(ids, patients, splits)
    assert empty == "column split is empty in row 2; every image needs one"
    assert other.endswith("(id 'b') is not a split; use train, validation, test")
