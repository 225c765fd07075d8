# SPDX-License-Identifier: MIT
"""A split's calibration holds its own values, and a shift is said where there is one."""

import json

import numpy as np
import pytest

from trainer.evaluation.calibration import MEASURES, measure
from trainer.evaluation.calibration_intervals import Described, describe, mean, shift
from trainer.evaluation.logistic import logits, sigmoid
from trainer.evaluation.resamples import resample


def made(
    seed: int, *, intercept: float = 0.0, slope: float = 1.0, count: int = 1500
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = sigmoid(generator.normal(-1, 1.2, count))
    chance = sigmoid(intercept + slope * logits(scores))
    labels = (generator.random(count) < chance).astype(np.float64)
    return labels, scores, np.arange(count) // 3


def described(labels: np.ndarray, scores: np.ndarray, patients: np.ndarray) -> Described:
    draws = resample(patients, labels[:, None], resamples=200, seed=0)
    return describe(labels, scores, draws)


def test_figures_are_those_of_the_images_and_lie_in_their_intervals() -> None:
    labels, scores, patients = made(1)
    entry = described(labels, scores, patients).entry
    found = measure(labels, scores)
    assert found is not None
    for name in MEASURES:
        assert entry[name]["value"] == getattr(found, name)
        assert entry[name]["low"] < entry[name]["value"] < entry[name]["high"]
    assert entry["slope"]["low"] < 1 < entry["slope"]["high"]
    assert entry["mean_score"] == pytest.approx(scores.mean())
    parts = entry["reliability"]
    ends = zip(parts["low"], parts["observed"], parts["high"], strict=True)
    assert all(0 <= low <= value <= high <= 1 for low, value, high in ends)
    json.dumps(entry, allow_nan=False)


def test_unknown_labels_take_no_part() -> None:
    labels, scores, patients = made(1)
    unknown = np.random.default_rng(0).random(len(labels)) < 0.3
    masked = np.where(unknown, np.nan, labels)
    draws = resample(patients, labels[:, None], resamples=50, seed=0)
    other = describe(labels[~unknown], scores[~unknown], draws.select(~unknown))
    assert describe(masked, scores, draws).entry == other.entry


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([np.nan] * 6, "no label is known"),
        ([0.0] * 6, "no image is known to have the finding"),
        ([1.0] * 6, "no image is known to be without the finding"),
        ([0.0, 0, 0, 1, 1, 1], "parts the labels"),
    ],
)
def test_what_is_not_defined_says_why(labels: list[float], reason: str) -> None:
    entry = described(np.array(labels), np.linspace(0.1, 0.6, 6), np.arange(6)).entry
    assert reason in entry["reason"] and entry["slope"]["value"] is None
    json.dumps(entry, allow_nan=False)


def test_one_patient_gives_values_without_intervals() -> None:
    labels, scores, _ = made(1, count=60)
    entry = described(labels, scores, np.zeros(60)).entry
    assert all(entry[name]["value"] is not None for name in MEASURES)
    assert all(entry[name]["low"] is None for name in MEASURES)
    assert set(entry["reliability"]["low"]) == {None}


def test_positives_of_one_patient_give_intervals_only_to_what_needs_no_other() -> None:
    labels, scores, patients = made(1, count=60)
    labels[:] = 0
    labels[[30, 32]] = 1
    entry = described(labels, scores, patients).entry
    ended = {name for name in MEASURES if entry[name]["low"] is not None}
    assert ended == {"brier", "log_loss"}


def test_a_shift_is_found_where_there_is_one() -> None:
    validation = described(*made(1))
    assert shift(validation, described(*made(2)))["moved"] == {}
    more = shift(validation, described(*made(3, intercept=0.6)))
    assert more["moved"]["in_the_large"] == "up" and "in_the_large" in more["worse"]
    assert more["in_the_large"]["value"] == pytest.approx(0.6, abs=0.2)
    assert more["in_the_large"]["low"] < 0.6 < more["in_the_large"]["high"]
    assert more["ece"] > 0
    flat = shift(validation, described(*made(4, intercept=-0.4, slope=0.5)))
    assert flat["moved"]["slope"] == "down" and "slope" in flat["worse"]


def test_a_shift_towards_perfect_is_not_called_worse() -> None:
    found = shift(described(*made(1, intercept=-0.8)), described(*made(2)))
    assert found["moved"] == {"in_the_large": "up"} and found["worse"] == []


def test_a_shift_of_what_is_not_defined_is_none() -> None:
    nothing = described(np.zeros(30), np.linspace(0.1, 0.9, 30), np.arange(30))
    found = shift(described(*made(1)), nothing)
    assert found["slope"]["value"] is None and found["moved"] == {} and found["worse"] == []
    unknown = described(np.full(30, np.nan), np.linspace(0.1, 0.9, 30), np.arange(30))
    assert shift(unknown, nothing)["ece"] is None


def test_mean_leaves_out_what_is_not_defined() -> None:
    one, two = described(*made(1)), described(*made(2))
    nothing = described(np.zeros(1500), made(1)[1], made(1)[2])
    found = mean([one, two, nothing])
    skills = [each.entry["brier_skill"]["value"] for each in (one, two)]
    assert found["brier_skill"]["value"] == pytest.approx(sum(skills) / 2)
    assert found["brier_skill"]["low"] < found["brier_skill"]["value"]
    eces = [each.entry["ece"] for each in (one, two, nothing)]
    assert found["ece"] == pytest.approx(sum(eces) / 3)
    assert mean([nothing])["brier_skill"]["value"] is None
