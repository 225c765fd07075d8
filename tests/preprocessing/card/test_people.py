# SPDX-License-Identifier: MIT
"""Who is in the data set, and how test differs from train."""

import dataclasses

import pytest

from preprocessing.card import people, population
from preprocessing.card.population import Population
from preprocessing.verify import Reading


@pytest.fixture
def parts(finished, brief) -> list[Population]:  # type: ignore[no-untyped-def]
    readings = []
    for split, views in (("train", ["PA", "PA", "PA", "AP"]), ("test", ["AP", "AP", "PA", ""])):
        briefs = [dataclasses.replace(brief, view=view, sex="", age=-1) for view in views]
        readings.append(Reading(split, "a", True, briefs, []))
    return population.populations(readings, ["a", "b", "c"])


def test_what_is_not_known_is_a_row_of_its_own(parts) -> None:
    view, sex = people.people(parts).tables[:2]
    assert [list(row) for row in view.rows] == [
        ["PA", "75.0%", "25.0%"],
        ["AP", "25.0%", "50.0%"],
        ["unknown", "0.0%", "25.0%"],
    ]
    assert [list(row) for row in sex.rows] == [["unknown", "100.0%", "100.0%"]]


def test_a_distribution_loses_no_image(parts) -> None:
    for table in people.people(parts).tables:
        assert [sum(column) for column in zip(*table.bars, strict=True)] == [1.0, 1.0]


def test_the_shift_of_views_is_marked(finished, parts) -> None:
    manifest = dataclasses.replace(finished.manifest, findings=["a", "b", "c"])
    rows = {row[0]: list(row[1:]) for row in people.shift(manifest, parts).tables[0].rows}
    assert rows["AP films"] == ["25.0%", "50.0%", "* 2.00"]
    assert rows["a"] == ["100.0%", "100.0%", "1.00"]
    assert rows["b"] == ["0.0%", "0.0%", "-"]


def test_one_split_alone_is_not_compared(finished, parts) -> None:
    section = people.shift(finished.manifest, parts[:1])
    assert not section.tables and "no two splits" in section.words[0]


@pytest.mark.parametrize(
    ("official", "missing", "sentence"),
    [
        (True, 0, "may be compared with published ones"),
        (True, 3, "3 of the listed images are not here"),
        (False, 0, "is not ChestX-ray14's official one"),
    ],
)
def test_what_the_split_may_be_compared_with(
    finished, parts, official: bool, missing: int, sentence: str
) -> None:
    counters = {"images_missing": missing}
    manifest = dataclasses.replace(finished.manifest, official_split=official, counters=counters)
    assert sentence in people.splits(manifest, parts).words[1]
