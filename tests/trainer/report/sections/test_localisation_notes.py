# SPDX-License-Identifier: MIT
"""Tests that the words about localisation follow its figures."""

import copy
from typing import Any

from trainer.report.sections.localisation_notes import notes


def gain(low: float | None) -> dict[str, Any]:
    interval = {"value": 0.1, "low": low, "high": None if low is None else 0.3}
    return {"methods": {"heat_map": {"pointing_minus_average_box": interval}}}


SECTION: dict[str, Any] = {
    "boxes": 30,
    "images": 28,
    "patients": 20,
    "cells": 7,
    "cell_share": 0.125,
    "thresholds": [60 / 255, 180 / 255],
    "findings": {"Mass": gain(0.05), "Nodule": gain(-0.1), "Effusion": gain(None)},
    "findings_in_mean": 3,
    "maps_without_heat": 0,
    "outside": {"boxes_cut": 0, "boxes_lost": 0, "mean_share": 0.0},
    "published": {"comparable": True, "reason": None},
}


def test_a_lead_counts_only_if_its_interval_lies_above_zero() -> None:
    text = " ".join(notes(SECTION))
    assert "for 1 of 3 findings: Mass." in text
    assert "30 boxes of 3 findings on 28 test images of 20 patients" in text
    assert "A cell is 12% of the picture wide" in text
    assert "maps of 32 x 32 cells" in text
    assert "above 60 and above 180 of 255" in text


def test_what_did_not_happen_is_not_mentioned() -> None:
    text = " ".join(notes(SECTION))
    for words in ("no heat at all", "reach out", "No published figures", "Means are over"):
        assert words not in text


def test_what_happened_is_mentioned_with_its_number() -> None:
    section = copy.deepcopy(SECTION)
    section |= {"maps_without_heat": 4, "findings_in_mean": 2}
    section["outside"] = {"boxes_cut": 3, "boxes_lost": 1, "mean_share": 0.021}
    section["published"] = {"comparable": False, "reason": "other boxes"}
    text = " ".join(notes(section))
    assert "4 maps hold no heat at all" in text
    assert "3 boxes reach out of it, 1 lie wholly outside, and 2.1% of the area" in text
    assert "No published figures are shown: other boxes." in text
    assert "Means are over the 2 findings" in text
