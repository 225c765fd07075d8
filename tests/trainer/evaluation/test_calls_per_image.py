# SPDX-License-Identifier: MIT
"""Calls are counted image by image, whatever the number of findings."""

import numpy as np
import pytest

from trainer.evaluation.calls_per_image import per_image
from trainer.evaluation.resamples import resample

PATIENTS = np.array(["a", "a", "b", "c"])
LABELS = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0], [np.nan, 1, 0]])
SCORES = np.array([[0.9, 0.8, 0.9], [0.5, 0.1, 0.9], [0.1, 0.1, 0.9], [0.7, 0.2, 0.9]])


def test_counts_are_those_made_by_hand() -> None:
    draws = resample(PATIENTS, LABELS, resamples=200, seed=1)
    found = per_image(LABELS, SCORES, [0.5, 0.8, None], draws)
    assert found.pop("findings") == 2
    # Calls: two of the first image, one right; one of the second; one of an unknown label.
    values = {"called": 3 / 4, "calls": 4 / 4, "right": 1 / 3, "unlabelled_called": 1 / 2}
    assert {name: area["value"] for name, area in found.items()} == pytest.approx(values)
    # Calls of known labels are of one patient only.
    assert found.pop("right")["low"] is None
    assert all(area["low"] < area["value"] < area["high"] for area in found.values())


def test_shares_of_nothing_are_not_defined_and_one_patient_gives_no_interval() -> None:
    draws = resample(np.array(["a"] * 4), LABELS, resamples=20, seed=1)
    found = per_image(LABELS, SCORES, [None] * 3, draws)
    assert found["called"] == {"value": 0.0, "low": None, "high": None, "dropped_resamples": 20}
    assert found["right"]["value"] is None and found["findings"] == 0
