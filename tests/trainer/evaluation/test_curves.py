# SPDX-License-Identifier: MIT
"""Curves hold the exact areas and scikit-learn's points, with ties and unknown labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, precision_recall_curve

from trainer.evaluation.auc import auroc
from trainer.evaluation.curves import precision_recall, roc, thin
from trainer.evaluation.ranking import average_precision

# Few distinct values, so that ties are common.
CASES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, np.nan])),
        arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.2, 0.30000001, 0.9, 1.0])),
        arrays(np.float64, n, elements=st.integers(0, 4).map(float)),
    )
)


def area_under(y: np.ndarray, x: np.ndarray) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


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
    found = precision_recall(labels, scores)
    precisions, recalls, thresholds = precision_recall_curve(labels[known], scores[known])
    theirs = {float(t): (r, p) for t, r, p in zip(thresholds, recalls, precisions, strict=False)}
    assert len(found.thresholds) == len(np.unique(scores[labels == 1]))
    for recall, precision, threshold in zip(found.x, found.y, found.thresholds, strict=True):
        np.testing.assert_allclose((recall, precision), theirs[float(threshold)], atol=1e-12)
    steps = np.diff(found.x, prepend=0.0)
    area = average_precision(labels, scores)
    assert (steps * found.y).sum() == pytest.approx(area, abs=1e-12)


def test_thinned_curve_keeps_true_points_and_both_ends() -> None:
    labels, scores, _ = made(3, 5000, 10_000)
    whole = precision_recall(labels, scores)
    drawn = thin(whole, 100, whole.x)
    assert 50 < len(drawn.x) <= 100 < len(whole.x)
    pairs = set(zip(whole.x, whole.y, whole.thresholds, strict=True))
    assert set(zip(drawn.x, drawn.y, drawn.thresholds, strict=True)) <= pairs
    assert (drawn.x[0], drawn.x[-1]) == (whole.x[0], 1.0)
    assert (np.diff(drawn.x) > 0).all()
    assert thin(whole, 10_000, whole.x) is whole


def test_no_positive_or_no_negative_has_no_curve() -> None:
    scores = np.array([0.1, 0.2])
    for value in (0.0, 1.0, np.nan):
        assert precision_recall(np.full(2, value), scores) is None
        assert np.isnan(average_precision(np.full(2, value), scores))


@given(CASES)
def test_curve_holds_the_area_and_no_point_on_a_line(case: tuple[np.ndarray, ...]) -> None:
    labels, scores, _ = case
    curve = roc(labels, scores)
    if curve is None:
        assert np.isnan(auroc(labels, scores))
        return
    x, y = curve.x, curve.y
    np.testing.assert_allclose(area_under(y, x), auroc(labels, scores), atol=1e-12)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    bend = np.diff(x)[:-1] * np.diff(y)[1:] - np.diff(x)[1:] * np.diff(y)[:-1]
    assert (np.abs(bend) > 1e-12).all()
    for right, up, threshold in zip(x, y, curve.thresholds, strict=True):
        called = scores >= threshold
        assert right == pytest.approx(called[labels == 0].mean())
        assert up == pytest.approx(called[labels == 1].mean())


@pytest.mark.parametrize("limit", [2, 3, 50, 200])
def test_a_thinned_roc_curve_keeps_true_points_and_both_ends(limit: int) -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 3000).astype(np.float64)
    curve = roc(labels, generator.normal(labels, 1.0))
    assert curve is not None and len(curve.thresholds) > 200
    few = thin(curve, limit, curve.x + curve.y)
    assert len(few.thresholds) <= limit and np.isin(few.thresholds, curve.thresholds).all()
    assert few.y[0] == 0 and few.y[-1] == 1
    if limit == 200:
        areas = [area_under(each.y, each.x) for each in (few, curve)]
        assert areas[0] == pytest.approx(areas[1], abs=1e-3)
