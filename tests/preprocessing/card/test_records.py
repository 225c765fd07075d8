# SPDX-License-Identifier: MIT
"""Counts of records, with what is unknown kept apart."""

import dataclasses
import subprocess
import sys

import pytest

from preprocessing.card import people, records
from preprocessing.card.records import Records
from preprocessing.verify import Brief, Reading


def _read(briefs: list[Brief], split: str = "train") -> Records:
    return records.read([Reading(split, "a", True, briefs, [])], ["a", "b", "c"])


@pytest.fixture
def briefs(brief) -> list[Brief]:  # type: ignore[no-untyped-def]
    targets = [(1, 0, -1), (1, 1, 0), (0, 0, 0), (-1, 0, 0)]
    return [
        dataclasses.replace(brief, id=str(at), patient=str(at // 2), targets=target, age=age)
        for at, (target, age) in enumerate(zip(targets, (10, 50, 70, -1), strict=True))
    ]


def test_unknown_is_neither_positive_nor_negative(briefs) -> None:
    found = _read(briefs)
    assert found.positives["train"].tolist() == [2, 1, 0]
    assert found.known["train"].tolist() == [3, 4, 3]
    assert found.without_finding.sum() == 1


def test_patients_count_once(briefs, finished, shown) -> None:
    spelled = [*briefs[:3], dataclasses.replace(briefs[3], patient="01.0")]
    found = _read(spelled)
    assert found.positive_patients["train"].tolist() == [1, 1, 0]
    facts = dict(shown(people.splits(finished.manifest, found).tables[0]))
    assert (facts["patients"], facts["images a patient, most"]) == ("2", "2")


def test_the_median_age_leaves_unknown_ages_out(briefs, finished, shown) -> None:
    unknown = [dataclasses.replace(brief, age=-1) for brief in briefs]
    for own, median in ((briefs, "50"), (unknown, "unknown")):
        facts = dict(shown(people.splits(finished.manifest, _read(own)).tables[0]))
        assert facts["median age, years"] == median


@pytest.mark.parametrize(
    ("age", "band"),
    [(-1, "unknown"), (0, "under 18"), (17, "under 18"), (18, "18 to 29"), (29, "18 to 29")]
    + [(30, "30 to 39"), (79, "70 to 79"), (80, "80 or more"), (120, "80 or more")],
)
def test_every_age_has_its_band(brief, age: int, band: str) -> None:
    assert list(_read([dataclasses.replace(brief, age=age)]).bands()["age"]) == [band]


@pytest.mark.parametrize(
    ("number", "band"),
    [(-1, "unknown"), (0, "0"), (1, "1 to 4"), (4, "1 to 4"), (5, "5 to 9"), (10, "10 to 29")]
    + [(29, "10 to 29"), (30, "30 or more"), (183, "30 or more")],
)
def test_every_follow_up_has_its_band(brief, number: int, band: str) -> None:
    found = _read([dataclasses.replace(brief, follow_up=number)])
    assert list(found.bands()["number"]) == [band]


def test_splits_are_put_together(briefs) -> None:
    pair = [Reading(split, "a", True, briefs, []) for split in ("train", "test")]
    both = records.read(pair, ["a", "b", "c"])
    assert both.splits == ["train", "test"] and len(both.images) == 8
    assert both.positives.sum(axis=1).tolist() == [4, 2, 0]


def test_a_size_that_is_not_known_says_so_and_rare_ones_are_other(brief) -> None:
    assert list(_read([brief]).bands()["size"]) == ["2500 x 2048"]
    assert list(_read([dataclasses.replace(brief, width=0)]).bands()["size"]) == ["unknown"]
    many = [dataclasses.replace(brief, width=1 + at // 2) for at in range(17)]
    sizes = list(_read(many).bands()["size"])
    assert sizes[:2] == ["1 x 2048"] * 2 and sizes[16] == "other" and sizes.count("other") == 1


def test_names_stay_text_and_no_word_becomes_nan(brief) -> None:
    for name in ("NA", "null", "007", "1e5"):
        found = _read([dataclasses.replace(brief, patient=name), brief])
        assert found.images["patient"].nunique() == 2
        assert isinstance(found.images["patient"][0], str)


def test_the_commands_load_pandas_only_when_they_run() -> None:
    code = "import sys, preprocessing.commands; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
