# SPDX-License-Identifier: MIT
"""Tests of dividing images into groups."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation import grouping
from trainer.evaluation.grouping import UNKNOWN, Division


def members(division: Division) -> dict[str, list[int]]:
    return {name: np.flatnonzero(found).tolist() for name, found in division.groups.items()}


def test_codes_stand_in_their_order_and_others_are_unknown() -> None:
    found = grouping.by_code("sex", np.array(["M", "", "F", "M"]), {"F": "female", "M": "male"})
    assert members(found) == {"female": [2], "male": [0, 3], UNKNOWN: [1]}
    assert list(members(found)) == ["female", "male", UNKNOWN]
    assert found.known == ["female", "male"]


def test_bands_hold_both_of_their_ends() -> None:
    ages = np.array([-1, 0, 17, 18, 39, 40, 59, 60, 74, 75, 95])
    assert members(grouping.by_band("age", ages, grouping.AGE_BANDS, " years")) == {
        "under 18 years": [1, 2],
        "18 to 39 years": [3, 4],
        "40 to 59 years": [5, 6],
        "60 to 74 years": [7, 8],
        "75 years and over": [9, 10],
        UNKNOWN: [0],
    }
    numbers = np.array([0, 1, 4, 5, 19, 20, 183])
    assert members(grouping.by_band("follow_up", numbers, grouping.FOLLOW_UPS)) == {
        "0": [0],
        "1 to 4": [1, 2],
        "5 to 19": [3, 4],
        "20 and over": [5, 6],
    }


def test_a_size_counts_the_same_upright_and_lying() -> None:
    width = np.array([2500] * 3 + [2048] * 2 + [10, 0])
    height = np.array([2048] * 3 + [2500] * 2 + [10, 10])
    found = members(grouping.by_size("detector", width, height))
    assert found == {"2500 x 2048": [0, 1, 2, 3, 4], "10 x 10": [5], UNKNOWN: [6]}


def test_only_the_most_common_sizes_are_named() -> None:
    width = np.repeat([100, 200, 300, 400, 500, 600], [30, 25, 20, 15, 8, 2])
    found = members(grouping.by_size("detector", width, np.full(100, 50)))
    assert list(found) == [f"{n}00 x 50" for n in (1, 2, 3, 4)] + [grouping.OTHER]
    rare = grouping.by_size("detector", np.arange(1, 101), np.full(100, 50))
    assert list(members(rare)) == [grouping.OTHER]


def test_nothing_known_is_one_group_of_unknown_images() -> None:
    for division in grouping.divisions(
        sex=np.full(3, ""),
        age=np.full(3, -1),
        view=np.full(3, ""),
        follow_up=np.full(3, -1),
        width=np.zeros(3, int),
        height=np.zeros(3, int),
    ):
        assert members(division) == {UNKNOWN: [0, 1, 2]} and division.known == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["M", "F", ""]),
            st.integers(-1, 120),
            st.sampled_from(["AP", "PA", ""]),
            st.integers(-1, 200),
            st.integers(0, 5),
            st.integers(0, 5),
        ),
        min_size=1,
    )
)
def test_every_image_is_in_exactly_one_group_of_each_division(rows: list[tuple]) -> None:
    names = ("sex", "age", "view", "follow_up", "width", "height")
    columns = {name: np.array([row[at] for row in rows]) for at, name in enumerate(names)}
    found = grouping.divisions(**columns)
    assert [division.name for division in found] == ["sex", "age", "view", "follow_up", "detector"]
    for division in found:
        stacked = np.stack(list(division.groups.values()))
        assert (stacked.sum(axis=0) == 1).all() and stacked.any(axis=1).all()
