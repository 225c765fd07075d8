# SPDX-License-Identifier: MIT
"""Who is in the data set, and how test differs from train."""

import dataclasses

import pytest

from preprocessing.card import people, records
from preprocessing.card.records import Records
from preprocessing.verify import Reading


@pytest.fixture
def read(brief) -> Records:  # type: ignore[no-untyped-def]
    readings = []
    for split, views in (("train", ["PA", "PA", "PA", "AP"]), ("test", ["AP", "AP", "PA", ""])):
        briefs = [dataclasses.replace(brief, view=view, sex="", age=-1) for view in views]
        readings.append(Reading(split, "a", True, briefs, []))
    return records.read(readings, ["a", "b", "c"])


def test_what_is_not_known_is_a_row_of_its_own(read, shown) -> None:
    view, sex = people.people(read).tables[:2]
    assert shown(view) == [
        ["PA", "75.0%", "25.0%"],
        ["AP", "25.0%", "50.0%"],
        ["unknown", "0.0%", "25.0%"],
    ]
    assert shown(sex) == [["unknown", "100.0%", "100.0%"]]


def test_a_distribution_loses_no_image(read, shown) -> None:
    for table in people.people(read).tables:
        percents = [[float(cell.rstrip("%")) for cell in row[1:]] for row in shown(table)]
        assert [sum(column) for column in zip(*percents, strict=True)] == [100, 100]


def test_the_shift_of_views_is_marked(read, shown) -> None:
    rows = {row[0]: row[1:] for row in shown(people.shift(read).tables[0])}
    assert rows["AP films"] == ["25.0%", "50.0%", "* 2.00"]
    assert rows["a"] == ["100.0%", "100.0%", "1.00"]
    assert rows["b"] == ["0.0%", "0.0%", "not defined"]


def test_one_split_alone_is_not_compared(brief) -> None:
    section = people.shift(records.read([Reading("test", "a", True, [brief], [])], ["a", "b", "c"]))
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
    finished, read, official: bool, missing: int, sentence: str
) -> None:
    counters = {"images_missing": missing}
    manifest = dataclasses.replace(finished.manifest, official_split=official, counters=counters)
    assert sentence in people.splits(manifest, read).words[1]
