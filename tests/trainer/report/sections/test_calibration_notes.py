# SPDX-License-Identifier: MIT
"""The words on calibration follow what was found."""

from typing import Any

import pytest

from trainer.report.sections.calibration_notes import notes_on


def section(*, moved: dict[str, str], worse: list[str], clipped: int = 0) -> dict[str, Any]:
    nothing = {"value": None, "low": None, "high": None}
    figures = {"in_the_large": nothing, "slope": nothing}
    entry = {"test": {"reason": None, "clipped": clipped, "reliability": None, **figures}}
    return {
        "split": "test",
        "findings": {
            "Mass": {**entry, "shift": {"moved": moved, "worse": worse}},
            "Edema": {**entry, "shift": {"moved": {}, "worse": []}},
        },
        "recalibration": {"available": False, "reason": "It was not fitted."},
    }


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ({"in_the_large": "up"}, "more positives on test (Mass)"),
        ({"in_the_large": "down"}, "fewer positives on test (Mass)"),
        ({"slope": "up"}, "a steeper rise on test (Mass)"),
        ({"slope": "down"}, "a flatter rise on test (Mass)"),
    ],
)
def test_a_shift_is_a_warning_that_names_findings_and_direction(
    moved: dict[str, str], words: str
) -> None:
    first = notes_on(section(moved=moved, worse=list(moved)))[0]
    assert first.startswith("Warning") and words in first
    assert "worse on test than on validation for Mass." in first and "Edema" not in first
    kinder = notes_on(section(moved=moved, worse=[]))[0]
    assert "worse on test than on validation for no finding." in kinder


def test_a_shift_of_every_finding_names_none() -> None:
    found = section(moved={"slope": "up"}, worse=["slope"])
    found["findings"]["Edema"] = found["findings"]["Mass"]
    first = notes_on(found)[0]
    assert "(all findings)" in first and "for all findings." in first and "Mass" not in first


@pytest.mark.parametrize(
    ("figure", "low", "high", "words"),
    [
        ("in_the_large", 0.1, 0.3, "too low"),
        ("in_the_large", -0.3, -0.1, "too high"),
        ("slope", 1.1, 1.3, "too timid"),
        ("slope", 0.7, 0.9, "too extreme"),
    ],
)
def test_scores_that_are_off_are_named(figure: str, low: float, high: float, words: str) -> None:
    found = section(moved={}, worse=[])
    mass = found["findings"]["Mass"] = dict(found["findings"]["Mass"])
    mass["test"] = {**mass["test"], figure: {"low": low, "high": high}}
    assert notes_on(found)[0].endswith(f"scores are {words} for Mass.")
    mass["test"][figure] = {"low": -0.1, "high": 1.1}
    assert "by more than resampling explains, scores are" not in notes_on(found)[0]


def test_smooth_curves_that_leave_the_diagonal_are_named() -> None:
    found = section(moved={}, worse=[])
    curve = {"scores": [0.1, 0.2], "observed": [0.1, 0.3], "low": [0.05, 0.1], "high": [0.2, 0.4]}
    for name, low in {"Mass": [0.05, 0.25], "Edema": [0.05, 0.1]}.items():
        test = found["findings"][name]["test"] | {"reliability": {"smooth": curve | {"low": low}}}
        found["findings"][name] = found["findings"][name] | {"test": test}
    notes = "\n".join(notes_on(found))
    assert "the line of perfect calibration somewhere for Mass." in notes
    assert "Without a smooth curve" not in notes
    found["findings"]["Edema"]["test"]["reliability"] = None
    assert "Without a smooth curve: Edema. A curve takes 200 images" in "\n".join(notes_on(found))


def test_what_is_stored_is_counted() -> None:
    found = section(moved={}, worse=[])
    entry = {"chosen": "platt", "reason": None}
    found["recalibration"] = {
        "available": True,
        "findings": {"Mass": entry, "Edema": {"chosen": "none", "reason": "it is so"}},
    }
    words = " ".join(notes_on(found))
    assert "as they are for 1, Platt for 1 of 2 findings" in words
    assert "Edema: not every method could be fitted, because it is so." in words


def test_without_a_shift_there_is_no_warning() -> None:
    notes = notes_on(section(moved={}, worse=[]))
    assert "Warning" not in " ".join(notes) and "as far as resampling can tell" in notes[0]
    assert "It was not fitted." in notes


def test_limited_scores_are_counted() -> None:
    assert "14 scores lie within" in notes_on(section(moved={}, worse=[], clipped=7))[-1]
    assert "scores lie within" not in " ".join(notes_on(section(moved={}, worse=[])))
