# SPDX-License-Identifier: MIT
"""A record may hold any value that the job writes, and no other."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract.schema import Record
from preprocessing.verify import record_checks

_GOOD = Record(id="a.png", patient="1", image=b"", targets=(1, 0, -1))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"view": "AP", "sex": "M", "age": 0, "follow_up": 183, "width": 9, "height": 9},
        {"age": 120},
        {"box_findings": (2,), "boxes": (0.0, 0.0, 1.0, 1.0)},
        {"box_findings": (0, 1), "boxes": (0.7, 0.1, 0.3, 0.2, 0.0, 0.5, 0.1, 0.5)},
    ],
)
def test_what_the_job_writes_is_right(changes: dict) -> None:
    assert record_checks.check(dataclasses.replace(_GOOD, **changes), 3) == []


def test_every_fault_of_a_record_is_told() -> None:
    bad = Record(
        id="",
        patient="",
        image=b"",
        targets=(1, 2),
        view="LL",
        sex="?",
        age=121,
        follow_up=-2,
        height=-5,
        box_findings=(2, -1),
        boxes=(0.5, 0.5, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1),
    )
    assert len(record_checks.check(bad, 2)) == 11
    assert "it has 2 targets, the data set has 3 findings" in record_checks.check(bad, 3)


@given(st.lists(st.floats(width=32), min_size=4, max_size=4))
def test_a_box_is_inside_or_it_is_told(box: list[float]) -> None:
    record = dataclasses.replace(_GOOD, box_findings=(0,), boxes=tuple(box))
    x, y, width, height = box
    clearly_inside = x >= 0 and y >= 0 and 0 < width <= 1 - x and 0 < height <= 1 - y
    clearly_outside = not (x >= -0.01 and y >= -0.01 and x + width <= 1.01 and y + height <= 1.01)
    found = record_checks.check(record, 3)
    assert not (found and clearly_inside) and (found or not clearly_outside)
