# SPDX-License-Identifier: MIT
"""The order of films decides what is first and what comes later; the order of rows does not."""

import numpy as np

from trainer.evaluation import follow_ups

NAN = np.nan
# Patients 0 to 2, rows in no order.
PATIENT = np.array([0, 1, 0, 0, 2, 1, 1])
NUMBER = np.array([2, 0, 0, 1, 0, 5, 3])
LABELS = np.array([1, 0, 0, 1, 1, NAN, 1], dtype=np.float64)[:, None]


def test_patients_count_with_their_first_film_and_all_numbers() -> None:
    patient = np.array([0, 0, 1, 1, 2, 2, 3])
    number = np.array([1, 0, 1, 2, 0, -1, 0])
    found = follow_ups.complete(number, patient)
    assert found.tolist() == [True, True, False, False, False, False, True]


def test_the_earliest_positive_film_is_the_first_appearance() -> None:
    first, again = follow_ups.appearances(LABELS, NUMBER, PATIENT)
    # Patient 1 has one positive film and patient 2 too: nothing is repeated there.
    np.testing.assert_array_equal(first[:, 0], [NAN, 0, 0, 1, NAN, NAN, NAN])
    np.testing.assert_array_equal(again[:, 0], [1, 0, 0, NAN, NAN, NAN, NAN])


def test_appearances_equal_those_of_a_walk_through_each_patient() -> None:
    generator = np.random.default_rng(2)
    patient = generator.integers(0, 12, 90)
    number = np.zeros(90, dtype=np.int64)
    for one in range(12):
        number[patient == one] = generator.permutation((patient == one).sum())
    labels = generator.choice([0.0, 1.0, NAN], (90, 3))
    first, again = follow_ups.appearances(labels, number, patient)
    for column in range(3):
        for one in range(12):
            rows = np.flatnonzero(patient == one)
            found = [row for row in rows[np.argsort(number[rows])] if labels[row, column] == 1]
            both = len(found) > 1
            assert sorted(np.flatnonzero((first[:, column] == 1) & (patient == one))) == (
                found[:1] if both else []
            )
            repeats = np.flatnonzero((again[:, column] == 1) & (patient == one))
            assert sorted(repeats) == (sorted(found[1:]) if both else [])
        for kind in (first, again):
            np.testing.assert_array_equal(kind[:, column] == 0, labels[:, column] == 0)
