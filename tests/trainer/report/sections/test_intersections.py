# SPDX-License-Identifier: MIT
"""What pages say of groups of sex, age and view: which differ, which are too small."""

import copy
from typing import Any

import pytest

from trainer.report import parts
from trainer.report.sections import intersections


def area(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "dropped_resamples": 0}


def group(name: str, gap: float, p: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "images": 1500,
        "patients": 300,
        "findings": 12,
        "mean": {key: area(0.7) for key in ("auc", "tpr", "fpr")},
        "minus_others": {key: area(gap) for key in ("auc", "tpr", "fpr")},
        "p_holm": {"auc": p, "tpr": 0.5, "fpr": 0.04},
    }


@pytest.fixture
def found() -> dict[str, Any]:
    return {
        "formed": 3,
        "tests": 6,
        "groups": [group("male, PA", 0.05, 0.2), group("female, AP", -0.05, 0.0001)],
        "too_small": [{"name": "male, AP", "images": 1234, "patients": 5}],
    }


def rendered(found: dict[str, Any], measures: tuple[str, ...] = ("auc", "tpr", "fpr")) -> str:
    return parts.html("x", "X", intersections.parts(found, measures))


def test_groups_that_differ_are_named_and_the_lowest_stands_first(found: dict[str, Any]) -> None:
    page = rendered(found)
    assert "3 groups were formed, 2 of them large enough" in page
    assert "After correction for 6 tests, these differ: male, PA (false positive rate" in page
    assert "female, AP (AUC \N{MINUS SIGN}0.050" in page and "&lt; 0.001" in page
    assert page.index(">female, AP<") < page.index(">male, PA<")
    assert "Too small for figures: male, AP (1,234 images of 5 patients)." in page
    assert page.count('<svg class="row mean"') == 2


def test_without_thresholds_only_the_auc_is_shown(found: dict[str, Any]) -> None:
    for each in found["groups"]:
        each["p_holm"] |= {"tpr": None, "fpr": None, "auc": 0.3}
    page = rendered(found, ("auc",))
    assert "none differs" in page and "False positive rate" not in page


def test_no_group_that_is_large_enough_is_said(found: dict[str, Any]) -> None:
    nothing = copy.deepcopy(found) | {"groups": [], "tests": 0}
    nothing["too_small"][0]["patients"] = 1
    page = rendered(nothing)
    assert "3 groups were formed, none of them large enough" in page and "<table" not in page
    # Nothing is explained that is not there.
    assert page.endswith(
        ">Too small for figures: male, AP (1,234 images of 1 patient).</p>\n</section>\n</details>"
    )
