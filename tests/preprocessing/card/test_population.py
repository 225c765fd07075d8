# SPDX-License-Identifier: MIT
"""Counts of records, with what is unknown kept apart."""

import dataclasses

import pytest

from preprocessing.card import population
from preprocessing.verify import Reading


@pytest.fixture
def part(brief) -> population.Population:  # type: ignore[no-untyped-def]
    targets = [(1, 0, -1), (1, 1, 0), (0, 0, 0), (-1, 0, 0)]
    briefs = [
        dataclasses.replace(brief, id=str(at), patient=str(at // 2), targets=target, age=age)
        for at, (target, age) in enumerate(zip(targets, (10, 50, 70, -1), strict=True))
    ]
    (made,) = population.populations([Reading("train", "a", True, briefs, [])], ["a", "b", "c"])
    return made


def test_unknown_is_neither_positive_nor_negative(part) -> None:
    assert part.positives == [2, 1, 0]
    assert part.known == [3, 4, 3]
    assert part.without_finding == 1


def test_patients_count_once(part) -> None:
    assert part.per_patient == [2, 2]
    assert [part.positive_patients(at) for at in range(3)] == [1, 1, 0]


def test_findings_together(part) -> None:
    assert part.together().tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_the_median_age_leaves_unknown_ages_out(part) -> None:
    assert part.median_age() == 50
    unknown = [dataclasses.replace(brief, age=-1) for brief in part.briefs]
    assert dataclasses.replace(part, briefs=unknown).median_age() is None


@pytest.mark.parametrize(
    ("age", "band"),
    [(-1, "unknown"), (0, "under 18"), (17, "under 18"), (18, "18 to 29"), (29, "18 to 29")]
    + [(30, "30 to 39"), (79, "70 to 79"), (80, "80 or more"), (120, "80 or more")],
)
def test_every_age_has_its_band(brief, age: int, band: str) -> None:
    assert population.age_band(dataclasses.replace(brief, age=age)) == band
    assert band in population.age_bands()


@pytest.mark.parametrize(
    ("number", "band"),
    [(-1, "unknown"), (0, "0"), (1, "1 to 4"), (4, "1 to 4"), (5, "5 to 9"), (10, "10 to 29")]
    + [(29, "10 to 29"), (30, "30 or more"), (183, "30 or more")],
)
def test_every_follow_up_has_its_band(brief, number: int, band: str) -> None:
    assert population.follow_up_band(dataclasses.replace(brief, follow_up=number)) == band


def test_splits_are_put_together(part) -> None:
    both = population.whole([part, part])
    assert both.images == 8 and both.positives == [4, 2, 0]


def test_a_size_that_is_not_known_says_so(brief) -> None:
    assert population.original_size(brief) == "2500 x 2048"
    assert population.original_size(dataclasses.replace(brief, width=0)) == "unknown"
