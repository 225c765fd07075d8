# SPDX-License-Identifier: MIT
"""The sections: unknown labels, rare findings, and what became of the rows."""

import dataclasses

import pytest

from preprocessing.card import records, sections
from preprocessing.contract.manifest import Manifest
from preprocessing.verify import Reading


@pytest.fixture
def manifest(finished) -> Manifest:  # type: ignore[no-untyped-def]
    return dataclasses.replace(finished.manifest, findings=["Mass", "Pleural_Thickening", "Hernia"])


def _build(manifest, targets, count: int = 120) -> dict[str, sections.Section]:  # type: ignore[no-untyped-def]
    from preprocessing.verify import Brief

    def briefs(split: str) -> list[Brief]:
        return [
            Brief(f"{split}{n}", f"{split}{n}", targets, "PA", "F", 50, 0, 9, 9, (), (), "", 12, 1)
            for n in range(count)
        ]

    readings = [Reading(split, "a", True, briefs(split), []) for split in ("train", "test")]
    found = records.read(readings, manifest.findings)
    return {one.title: one for one in sections.build(manifest, found, [])}


def test_unknown_labels_have_a_table_only_where_there_are_any(manifest, shown) -> None:
    known, unknown = _build(manifest, (1, 0, 0)), _build(manifest, (1, 0, -1))
    assert len(known["Findings"].tables) == 2
    assert shown(unknown["Findings"].tables[2]) == [
        ["Mass", "0", "0"],
        ["Pleural Thickening", "0", "0"],
        ["Hernia", "120", "120"],
    ]
    assert shown(unknown["Findings"].tables[0])[2] == ["Hernia", *["not defined"] * 2]


def test_rare_findings_are_named(manifest) -> None:
    words = _build(manifest, (1, 0, 0))["Findings"].words[1]
    assert "Pleural Thickening, Hernia" in words and "Mass" not in words
    assert "each of the findings" in _build(manifest, (1, 0, 0), 5)["Findings"].words[1]
    assert len(_build(manifest, (1, 1, 1))["Findings"].words) == 1


def test_without_boxes_there_is_no_section_of_boxes(manifest) -> None:
    assert "Boxes" not in _build(manifest, (1, 0, 0))


def test_every_counter_and_reason_is_told(manifest, shown) -> None:
    counters = {
        "images_found": 8,
        "images_missing": 2,
        "images_rejected": 3,
        "rejected_wrong_size": 3,
        "duplicate_groups_across_splits": 1,
        "a_new_counter": 7,
    }
    section = _build(dataclasses.replace(manifest, counters=counters), (1, 0, 0))[
        "From the label file to records"
    ]
    rows = {row[0].strip(): row[1] for row in shown(section.tables[0])}
    assert rows["images rejected, listed in rejected.csv"] == "3"
    assert rows["of these: wrong size"] == "3"
    assert rows["a new counter"] == "7"
    assert "8 of 10 images were there" in section.words[0]
    assert "in two splits under different names" in section.words[1]


def test_a_finding_that_no_image_shows_divides_nothing(manifest, shown) -> None:
    table = _build(manifest, (0, 0, 0))["Findings together"].tables[0]
    assert shown(table)[0] == ["Mass", "0", "", ""]
