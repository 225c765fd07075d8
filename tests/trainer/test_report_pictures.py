# SPDX-License-Identifier: MIT
"""Pictures of a report show its numbers where they belong."""

from typing import Any

import numpy as np
import pytest

from trainer.report_pictures import COLOURS, Sheet, forest, reliability, roc


def area(value: float | None, half: float | None = None) -> dict[str, Any]:
    ends = (None, None) if value is None or half is None else (value - half, value + half)
    return {"value": value, "low": ends[0], "high": ends[1], "dropped_resamples": 0}


def finding(value: float | None, half: float | None = 0.02) -> dict[str, Any]:
    curve = {"false_positive_rates": [0.0, 0.25, 1.0], "true_positive_rates": [0.0, 0.75, 1.0]}
    return {"auc": area(value, half), "roc": None if value is None else curve}


def report(*splits: str) -> dict[str, Any]:
    bins = {"scores": [0.01, 0.2, 0.9], "observed": [0.02, 0.3, 0.7]}
    findings = {"Mass": 0.9, "Pleural_Thickening": 0.6, "Hernia": None}
    return {
        "findings": list(findings),
        "splits": {
            split: {
                "mean_auc": area(0.75, 0.01),
                "findings": {name: finding(value) for name, value in findings.items()},
            }
            for split in splits
        },
        "calibration": {
            "available": True,
            "splits": list(splits),
            "findings": {
                name: {s: {"reliability": None if value is None else bins} for s in splits}
                for name, value in findings.items()
            },
        },
    }


def has(picture: np.ndarray, split: str) -> bool:
    """Whether a pixel of the picture has the colour of a split."""
    return bool((picture == COLOURS[split]).all(axis=2).any())


def test_colours_tell_the_splits_that_are_there() -> None:
    for draw in (roc, reliability, lambda content: forest(content, "test")):
        both, alone = draw(report("validation", "test")), draw(report("test"))
        assert both.dtype == np.uint8 and both.ndim == 3 and (both[0, 0] == 255).all()
        assert has(both, "test") and has(both, "validation")
        assert has(alone, "test") and not has(alone, "validation")


def test_a_whisker_lies_at_its_values() -> None:
    picture = forest(report("test"), "test")
    rows = (picture == COLOURS["test"]).all(axis=2)
    line = np.flatnonzero(rows[55])  # the highest AUC, 0.9, comes first
    left, right = 210, 860 - 190
    ends = [left + (value - 0.5) / 0.5 * (right - left) for value in (0.88, 0.92)]
    assert line.min() == pytest.approx(ends[0], abs=3)
    assert line.max() == pytest.approx(ends[1], abs=3)


def test_a_curve_passes_through_its_points() -> None:
    picture = roc(report("test"))
    left, bottom, side = 26, 46 + 40 + 190, 190
    x, y = round(left + 0.25 * side), round(bottom - 0.75 * side)
    near = picture[y - 2 : y + 3, x - 2 : x + 3]
    assert (near == COLOURS["test"]).all(axis=2).any()


def test_values_below_a_half_and_undefined_ones_find_room() -> None:
    low = report("test")
    low["splits"]["test"]["findings"]["Mass"] = finding(0.12)
    low["splits"]["test"]["mean_auc"] = area(None)
    assert has(forest(low, "test"), "test")
    nothing = report("validation")
    for entry in nothing["splits"]["validation"]["findings"].values():
        entry["auc"], entry["roc"] = area(None), None
    assert forest(nothing, "validation").shape == forest(report("validation"), "validation").shape
    assert roc(nothing).shape == roc(report("validation")).shape


def test_without_calibration_there_is_no_reliability() -> None:
    without = report("test") | {"calibration": {"available": False, "reason": "."}}
    assert reliability(without) is None
    del without["calibration"]
    assert reliability(without) is None


def test_words_are_cut_to_their_room_and_letters_replaced() -> None:
    sheet = Sheet(120, 40)
    sheet.text("Größe of a very long finding's name", 4, 24, room=60)
    drawn = np.flatnonzero((sheet.finished() < 128).all(axis=2).any(axis=0))
    assert 30 < drawn.max() <= 68
