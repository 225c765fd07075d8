# SPDX-License-Identifier: MIT
"""Tests of the choice of cases, against reading the ranking by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.explanation.cases import choose
from trainer.predictions.table import Predictions


def made(labels: list[float], scores: list[float], patients: str) -> Predictions:
    count = len(labels)
    return Predictions(
        ids=np.array([f"i{at}" for at in range(count)]),
        patients=np.array(list(patients)),
        splits=np.full(count, "test"),
        labels=np.array(labels, np.float32)[:, None],
        scores=np.array(scores, np.float32)[:, None],
        findings=("Mass",),
    )


def rows(predictions: Predictions, count: int, kind: str) -> list[int]:
    return [one.row for one in choose(predictions, count) if one.kind == kind]


def test_the_most_extreme_come_first_and_a_patient_once() -> None:
    scores = [0.9, 0.8, 0.7, 0.6, 0.95, 0.5, 0.1, 0.05, 0.2]
    labels = [0, 0, 0, 0, 1, 1, 1, 1, np.nan]
    given = made(labels, scores, "aabcdefgh")
    assert rows(given, 2, "false_alarm") == [0, 2]  # 1 is of the same patient as 0
    assert rows(given, 2, "hit") == [4, 5]
    assert rows(given, 2, "miss") == [7, 6]
    assert rows(given, 9, "false_alarm") == [0, 2, 3]


def test_an_image_is_not_both_a_hit_and_a_miss() -> None:
    assert rows(made([1], [0.4], "a"), 3, "hit") == [0]
    assert rows(made([1], [0.4], "a"), 3, "miss") == []
    three = made([1, 1, 1], [0.4, 0.2, 0.6], "abc")
    assert (rows(three, 3, "hit"), rows(three, 3, "miss")) == ([2, 0], [1])


def test_no_pictures_are_chosen_where_none_are_wanted() -> None:
    assert choose(made([1, 0], [0.4, 0.2], "ab"), 0) == []


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1.0, np.nan]), st.integers(0, 9), st.sampled_from("abcdef")
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 4),
)
def test_no_better_case_was_left_out(cases: list[tuple[float, int, str]], count: int) -> None:
    labels, tenths, patients = zip(*cases, strict=True)
    made_up = made(list(labels), [value / 10 for value in tenths], "".join(patients))
    found = choose(made_up, count)
    assert len({one.row for one in found}) == len(found)
    for kind, sign, label in (("false_alarm", 1, 0), ("hit", 1, 1), ("miss", -1, 1)):
        own = [one.row for one in found if one.kind == kind]
        assert all(labels[row] == label for row in own)
        assert len({patients[row] for row in own}) == len(own) <= count
        values = [sign * tenths[row] for row in own]
        assert values == sorted(values, reverse=True)
        if kind != "false_alarm":
            continue
        taken = {patients[row] for row in own}
        for row, value in enumerate(tenths):
            if labels[row] == label and patients[row] not in taken:
                assert len(own) == count and value <= min(values)
