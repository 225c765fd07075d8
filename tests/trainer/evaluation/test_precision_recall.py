# SPDX-License-Identifier: MIT
"""Average precision and its curve equal scikit-learn, with ties and unknown labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from trainer.evaluation.precision_recall import average_precision, curve, thin


def made(seed: int, count: int, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.choice([0.0, 1.0, np.nan], count, p=[0.6, 0.3, 0.1])
    return labels, generator.integers(0, levels, count) / levels, ~np.isnan(labels)


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([2, 5, 1000]))
def test_average_precision_equals_scikit_learn(seed: int, count: int, levels: int) -> None:
    labels, scores, known = made(seed, count, levels)
    found = average_precision(labels, scores)
    if len(set(labels[known])) < 2:
        assert np.isnan(found)
    else:
        assert abs(found - average_precision_score(labels[known], scores[known])) < 1e-12
        assert 0 < found <= 1
        assert found == average_precision(labels, np.exp(scores))


def test_constant_scores_reach_the_prevalence() -> None:
    labels = np.array([1.0, 0.0, 0.0, 0.0, 1.0])
    assert average_precision(labels, np.full(5, 0.2)) == pytest.approx(0.4, abs=1e-15)


def test_curve_holds_scikit_learns_points_at_the_positives() -> None:
    labels, scores, known = made(3, 400, 50)
    found = curve(labels, scores)
    precisions, recalls, thresholds = precision_recall_curve(labels[known], scores[known])
    theirs = {float(t): (r, p) for t, r, p in zip(thresholds, recalls, precisions, strict=False)}
    assert len(found.thresholds) == len(np.unique(scores[labels == 1]))
    for recall, precision, threshold in zip(
        found.recalls, found.precisions, found.thresholds, strict=True
    ):
        np.testing.assert_allclose((recall, precision), theirs[float(threshold)], atol=1e-12)
    steps = np.diff(found.recalls, prepend=0.0)
    area = average_precision(labels, scores)
    assert (steps * found.precisions).sum() == pytest.approx(area, abs=1e-12)


def test_thinned_curve_keeps_true_points_and_both_ends() -> None:
    labels, scores, _ = made(3, 5000, 10_000)
    whole = curve(labels, scores)
    drawn = thin(whole, 100)
    assert 50 < len(drawn.recalls) <= 100 < len(whole.recalls)
    pairs = set(zip(whole.recalls, whole.precisions, whole.thresholds, strict=True))
    assert set(zip(drawn.recalls, drawn.precisions, drawn.thresholds, strict=True)) <= pairs
    assert (drawn.recalls[0], drawn.recalls[-1]) == (whole.recalls[0], 1.0)
    assert (np.diff(drawn.recalls) > 0).all()
    assert thin(whole, 10_000) is whole


def test_no_positive_or_no_negative_has_no_curve() -> None:
    scores = np.array([0.1, 0.2])
    for value in (0.0, 1.0, np.nan):
        assert curve(np.full(2, value), scores) is None
        assert np.isnan(average_precision(np.full(2, value), scores))
