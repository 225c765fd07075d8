# SPDX-License-Identifier: MIT
"""Tests of the published figures: all boxes are there, and each is a share of whole boxes."""

import pytest

from trainer.report.sections import wang2017

# BBox_List_2017.csv: boxes of each finding.
COUNTS = {
    "Atelectasis": 180,
    "Cardiomegaly": 146,
    "Effusion": 153,
    "Infiltration": 123,
    "Mass": 85,
    "Nodule": 79,
    "Pneumonia": 120,
    "Pneumothorax": 98,
}


def test_all_boxes_are_accounted_for() -> None:
    assert sum(COUNTS.values()) == wang2017.BOXES


@pytest.mark.parametrize(("finding", "count"), COUNTS.items())
def test_every_figure_is_a_whole_number_of_boxes_and_falls_with_the_threshold(
    finding: str, count: int
) -> None:
    found = wang2017.accuracy(finding)
    assert found is not None
    assert [len(found[name]) for name in ("iou", "iobb")] == [7, 5]
    for values in found.values():
        shares = list(values.values())
        assert shares == sorted(shares, reverse=True)
        for share in shares:
            # Printed with four digits, some of them cut and not rounded.
            boxes = round(share * count + 0.004)
            assert share == pytest.approx(boxes / count, abs=1.1e-4)


def test_other_findings_have_no_figures() -> None:
    assert wang2017.accuracy("Hernia") is None
