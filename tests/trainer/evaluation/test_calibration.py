# SPDX-License-Identifier: MIT
"""Calibration figures are those of scikit-learn, and those of resamples are as if drawn out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from trainer.evaluation.calibration import BINS, equal_mass, log_losses, measure, resampled
from trainer.evaluation.logistic import logits, sigmoid
from trainer.evaluation.resamples import resample


def made(
    seed: int = 0, count: int = 2000, intercept: float = -0.5, slope: float = 0.7
) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = sigmoid(generator.normal(-1.5, 1.2, count))
    chance = sigmoid(intercept + slope * logits(scores))
    return (generator.random(count) < chance).astype(np.float64), scores


@pytest.mark.parametrize("bins", [1, 5, 10, 15])
@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_reliability_is_that_of_scikit_learn(bins: int, decimals: int) -> None:
    labels, scores = made()
    scores = scores.round(decimals)
    found = measure(labels, scores, bins=bins)
    observed, predicted = calibration_curve(labels, scores, n_bins=bins, strategy="quantile")
    assert found is not None
    np.testing.assert_allclose(found.reliability.observed, observed, rtol=1e-12)
    np.testing.assert_allclose(found.reliability.scores, predicted, rtol=1e-12)


def test_scores_and_lines_are_those_of_scikit_learn() -> None:
    labels, scores = made()
    found = measure(labels, scores)
    assert found is not None
    assert found.brier == pytest.approx(brier_score_loss(labels, scores), rel=1e-12)
    assert found.log_loss == pytest.approx(log_loss(labels, scores), rel=1e-12)
    share = labels.mean()
    constant = brier_score_loss(labels, np.full(len(labels), share))
    assert found.brier_skill == pytest.approx(1 - found.brier / constant, rel=1e-12)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(logits(scores)[:, None], labels)
    assert found.slope == pytest.approx(other.coef_[0, 0], abs=1e-5)
    assert found.intercept == pytest.approx(other.intercept_[0], abs=1e-5)


def test_ece_is_the_mean_distance_over_images() -> None:
    labels, scores = made()
    found = measure(labels, scores, bins=10)
    assert found is not None
    observed, predicted = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    # 2,000 different scores fill ten bins evenly.
    assert found.reliability.counts.tolist() == [200] * 10
    assert found.ece == pytest.approx(np.abs(observed - predicted).mean(), rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.integers(0, 5).map(lambda score: score / 5), min_size=1, max_size=60),
    bins=st.integers(1, 20),
)
def test_equal_scores_share_a_bin_and_bins_rise(scores: list[float], bins: int) -> None:
    values = np.array(scores)
    place = equal_mass(values, bins)
    order = np.argsort(values, kind="stable")
    assert (np.diff(place[order]) >= 0).all()
    assert all(len(set(place[values == score].tolist())) == 1 for score in scores)
    assert sorted(set(place.tolist())) == list(range(place.max() + 1))
    assert place.max() + 1 <= min(bins, len(set(scores)))


def test_perfect_scores_have_no_error() -> None:
    labels = np.array([0.0, 0, 0, 1, 0, 1, 1, 1])
    scores = np.array([0.25] * 4 + [0.75] * 4)
    found = measure(labels, scores)
    assert found is not None
    assert (found.ece, found.in_the_large) == pytest.approx((0, 0), abs=1e-12)
    assert (found.slope, found.intercept) == pytest.approx((1, 0), abs=1e-9)
    assert found.brier_skill == pytest.approx(1 - (3 / 16) / (1 / 4))


def test_calibration_in_the_large_finds_a_shift_of_log_odds() -> None:
    labels, scores = made(count=200_000, intercept=0.8, slope=1.0)
    found = measure(labels, scores)
    assert found is not None
    assert found.in_the_large == pytest.approx(0.8, abs=0.03)
    assert found.slope == pytest.approx(1, abs=0.03)


def test_chance_alone_gives_the_ece_that_is_said() -> None:
    generator = np.random.default_rng(8)
    scores = sigmoid(generator.normal(-1, 1, 3000))
    draws = [
        measure((generator.random(3000) < scores).astype(np.float64), scores) for _ in range(60)
    ]
    eces = [found.ece for found in draws if found is not None]
    assert draws[0] is not None
    assert draws[0].ece_floor == pytest.approx(np.mean(eces), rel=0.05)


def test_scores_of_zero_and_one_are_limited_and_counted() -> None:
    labels = np.array([0.0, 1, 0, 1, 1])
    scores = np.array([0.0, 1.0, 1.0, 0.4, 0.0], np.float32)
    found = measure(labels, scores)
    assert found is not None and found.clipped == 4
    assert all(math.isfinite(value) for value in (found.log_loss, found.slope, found.in_the_large))
    assert found.brier == pytest.approx((1 + 0.36 + 1) / 5)
    losses = log_losses(labels, scores.astype(np.float64))
    assert losses.max() == pytest.approx(-math.log(1e-7)) and losses[0] < 1e-6


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_of_one_kind_only_what_needs_no_other_is_defined(label: float) -> None:
    found = measure(np.full(4, label), np.array([0.1, 0.2, 0.3, 0.4]))
    assert found is not None
    assert math.isfinite(found.brier) and math.isfinite(found.ece)
    assert math.isnan(found.brier_skill) and math.isnan(found.in_the_large)
    assert math.isnan(found.slope) and math.isnan(found.intercept)


def test_constant_scores_and_one_image_and_none() -> None:
    constant = measure(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    assert constant is not None and constant.reliability.counts.tolist() == [2]
    assert constant.brier_skill == 0 and math.isnan(constant.slope)
    single = measure(np.array([1.0]), np.array([0.3]))
    assert single is not None and single.ece == pytest.approx(0.7)
    assert measure(np.zeros(0), np.zeros(0)) is None


def test_every_resample_is_measured_as_if_its_images_lay_there() -> None:
    labels, scores = made(count=3000)
    patients = np.arange(3000) // 3
    draws = resample(patients, labels[:, None], resamples=40, seed=2)
    found = measure(labels, scores)
    assert found is not None
    drawn, shares = resampled(labels, scores, found, draws)
    assert shares.shape == (40, BINS)
    errors: dict[str, list[float]] = {name: [] for name in ("in_the_large", "intercept", "slope")}
    for row in range(40):
        times = draws.counts[draws.patient_of, row]
        truth, chance = np.repeat(labels, times), np.repeat(scores, times)
        slow = measure(truth, chance)
        assert slow is not None
        for name in ("brier", "brier_skill", "log_loss"):
            assert drawn[name][row] == pytest.approx(getattr(slow, name), rel=1e-12)
        for name, found_errors in errors.items():
            found_errors.append(drawn[name][row] - getattr(slow, name))
        members = np.repeat(found.reliability.bin_of, times)
        expected = [truth[members == place].mean() for place in range(BINS)]
        np.testing.assert_allclose(shares[row], expected, rtol=1e-12)
    # One step instead of a whole fit: far nearer than one resample is to another.
    for name, found_errors in errors.items():
        assert np.sqrt(np.mean(np.square(found_errors))) < 0.1 * drawn[name].std()


def test_a_resample_without_a_positive_has_no_line() -> None:
    labels, scores = np.zeros(40), np.linspace(0.1, 0.9, 40)
    labels[35] = 1
    patients = np.arange(40)
    draws = resample(patients, labels[:, None], resamples=50, seed=0)
    found = measure(labels, scores)
    assert found is not None
    drawn, _ = resampled(labels, scores, found, draws)
    without = draws.counts[35] == 0
    assert without.any() and not without.all()
    for name in ("brier_skill", "in_the_large", "slope", "intercept"):
        assert np.isnan(drawn[name][without]).all()
    assert np.isfinite(drawn["brier"]).all()


def test_a_resample_whose_scores_are_all_0_has_no_ratio_to_what_they_expect() -> None:
    labels = np.array([0.0, 1.0, 0.0, 1.0])
    scores = np.array([0.0, 0.0, 0.0, 1.0])
    draws = resample(np.arange(4), labels[:, None], resamples=50, seed=0)
    found = measure(labels, scores)
    assert found is not None
    ratios = resampled(labels, scores, found, draws)[0]["observed_expected"]
    assert np.isnan(ratios).any() and not np.isinf(ratios).any()
