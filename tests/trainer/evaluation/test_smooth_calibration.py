# SPDX-License-Identifier: MIT
"""The smooth calibration curve is the spline fit that scikit-learn finds, and its band covers."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from trainer.evaluation import smooth_calibration
from trainer.evaluation.intervals import percentile
from trainer.evaluation.logistic import logits, newton, sigmoid
from trainer.evaluation.resamples import resample


def truth_at(scores: np.ndarray) -> np.ndarray:
    """A bent calibration curve."""
    return np.asarray(sigmoid(0.3 + logits(scores) - 0.15 * (logits(scores) + 1.5) ** 2))


def made(seed: int, count: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two images of each patient, who resemble each other."""
    generator = np.random.default_rng(seed)
    patients = np.arange(count) // 2
    shared = generator.normal(size=count // 2)[patients]
    scores = sigmoid(-1.5 + 0.8 * shared + 0.6 * generator.normal(size=count))
    labels = (generator.random(count) < truth_at(scores)).astype(np.float64)
    return labels, scores, patients


def test_the_columns_are_those_of_the_published_spline() -> None:
    knots = np.array([0.0, 1.0, 3.0, 4.0, 6.0])
    values = np.linspace(-3, 9, 500)
    columns = smooth_calibration.spline(values, knots)
    assert columns.shape == (500, 5) and (columns[:, 0] == 1).all()
    np.testing.assert_array_equal(columns[:, 1], values)
    # Straight outside the knots; a cube over the width squared before the knot but one.
    outside = (values < 0) | (values > 6.05)
    bent = np.abs(np.diff(columns, 2, axis=0))
    assert bent[outside[1:-1] & outside[:-2] & outside[2:]].max() < 1e-10
    inside = (values > 1) & (values < 3)
    assert columns[inside, 2] == pytest.approx(values[inside] ** 3 / 36)
    # Smooth at the knots: the second differences never jump.
    assert np.abs(np.diff(columns, 3, axis=0)).max() < 1e-4


def test_the_curve_is_the_most_likely_one() -> None:
    labels, scores, patients = made(0)
    draws = resample(patients, labels[:, None], resamples=5, seed=0)
    found = smooth_calibration.curve(labels, scores, draws)
    assert found is not None
    values = logits(scores)
    knots = np.quantile(values, [0.05, 0.275, 0.5, 0.725, 0.95])
    design = smooth_calibration.spline(values, knots)[:, 1:]
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(design, labels)
    places = np.array(found["scores"])
    assert (places[0], places[-1]) == (np.quantile(scores, 0.01), np.sort(scores)[-5])
    assert len(places) == 50
    there = smooth_calibration.spline(logits(places), knots)[:, 1:]
    assert found["observed"] == pytest.approx(fitted.predict_proba(there)[:, 1], abs=1e-4)
    json.dumps(found, allow_nan=False)


def test_the_band_is_that_of_curves_fitted_again_to_the_drawn_images() -> None:
    labels, scores, patients = made(1)
    draws = resample(patients, labels[:, None], resamples=200, seed=0)
    found = smooth_calibration.curve(labels, scores, draws)
    assert found is not None
    values, places = logits(scores), np.array(found["scores"])[5:45:13]
    knots = np.quantile(values, [0.05, 0.275, 0.5, 0.725, 0.95])
    design = smooth_calibration.spline(values, knots)
    there = smooth_calibration.spline(logits(places), knots)
    again = np.empty((draws.number, len(places)))
    for number in range(draws.number):
        counts = draws.counts[draws.patient_of, number].astype(np.int64)
        again[number] = sigmoid(there @ newton(design, counts * labels, images=counts))
    for at, column in enumerate(again.T):
        place = 5 + 13 * at
        full = percentile(found["observed"][place], column)
        assert full.low is not None and full.high is not None
        width = full.high - full.low
        assert abs(found["low"][place] - full.low) < 0.1 * width
        assert abs(found["high"][place] - full.high) < 0.1 * width


def test_the_band_holds_the_truth_about_as_often_as_it_says() -> None:
    held = []
    for seed in range(20):
        labels, scores, patients = made(seed, 3000)
        draws = resample(patients, labels[:, None], resamples=100, seed=seed)
        found = smooth_calibration.curve(labels, scores, draws)
        assert found is not None
        truth = truth_at(np.array(found["scores"]))
        held.append((np.array(found["low"]) <= truth) & (truth <= np.array(found["high"])))
    # Of scores between the tails, where the spline can follow the truth.
    assert 0.87 < np.mean(held, axis=0)[3:40].mean() < 0.99


def test_unknown_labels_take_no_part() -> None:
    labels, scores, patients = made(2)
    unknown = np.random.default_rng(0).random(len(labels)) < 0.3
    draws = resample(patients, labels[:, None], resamples=20, seed=0)
    masked = np.where(unknown, np.nan, labels)
    other = smooth_calibration.curve(labels[~unknown], scores[~unknown], draws.select(~unknown))
    assert smooth_calibration.curve(masked, scores, draws) == other


def test_no_curve_is_drawn_of_too_little() -> None:
    labels, scores, patients = made(3)
    draws = resample(patients, labels[:, None], resamples=20, seed=0)
    few = np.flatnonzero(labels == 1)[: smooth_calibration.ENOUGH - 1]
    rare = np.where(np.isin(np.arange(len(labels)), few), 1.0, 0.0)
    assert smooth_calibration.curve(rare, scores, draws) is None
    assert smooth_calibration.curve(1 - rare, scores, draws) is None
    assert smooth_calibration.curve(labels, np.round(scores), draws) is None
    one = draws.select(np.where(labels == 1, 0, np.arange(len(labels))))
    assert smooth_calibration.curve(labels, scores, one) is None
    # Scores that part the labels have no most likely curve.
    assert smooth_calibration.curve((scores > 0.2).astype(float), scores, draws) is None
