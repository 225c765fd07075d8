# SPDX-License-Identifier: MIT
"""The AUC equals the count over all pairs, with ties and unknown labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from trainer.evaluation.auc import auroc, aurocs, mean_auc
from trainer.evaluation.curves import roc

# Few distinct values, so that ties are common.
CASES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, np.nan])),
        arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.2, 0.30000001, 0.9, 1.0])),
        arrays(np.float64, n, elements=st.integers(0, 4).map(float)),
    )
)


def over_all_pairs(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    won = pairs = 0.0
    for i in np.flatnonzero(labels == 1):
        for j in np.flatnonzero(labels == 0):
            mass = weights[i] * weights[j]
            won += mass * ((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
            pairs += mass
    return won / pairs if pairs else float("nan")


@given(CASES)
def test_auc_equals_the_count_over_all_pairs(case: tuple[np.ndarray, ...]) -> None:
    labels, scores, weights = case
    times = weights.astype(int)
    for repeats in (np.ones(len(labels), int), times):
        expected = over_all_pairs(labels, scores, repeats)
        found = auroc(np.repeat(labels, repeats), np.repeat(scores, repeats))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


@given(CASES)
def test_auc_turns_with_the_labels_and_ignores_monotone_maps(case: tuple[np.ndarray, ...]) -> None:
    labels, scores, _ = case
    area = auroc(labels, scores)
    np.testing.assert_allclose(auroc(1 - labels, scores), 1 - area, atol=1e-15)
    np.testing.assert_array_equal(auroc(labels, np.exp(5 * scores) - 3), area)


def test_auc_and_curve_equal_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 5000).astype(np.float64)
    for decimals in (1, 3, 12):
        scores = np.round(np.clip(generator.normal(0.4 + 0.1 * labels, 0.2), 0, 1), decimals)
        expected = metrics.roc_auc_score(labels, scores)
        assert auroc(labels, scores) == pytest.approx(expected, abs=1e-12)
        assert auroc(labels, scores.astype(np.float32)) == pytest.approx(expected, abs=1e-4)
        curve = roc(labels, scores)
        assert curve is not None
        all_x, all_y, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
        points = set(zip(all_x.round(12), all_y.round(12), strict=True))
        ours = zip(curve.x, curve.y, strict=True)
        assert {(x.round(12), y.round(12)) for x, y in ours} <= points


@pytest.mark.parametrize("labels", [[1.0, 1.0], [0.0, 0.0], [np.nan, 1.0], [np.nan, np.nan]])
def test_auc_is_not_defined_without_both_classes(labels: list[float]) -> None:
    assert np.isnan(auroc(np.array(labels), np.array([0.1, 0.2])))
    assert roc(np.array(labels), np.array([0.1, 0.2])) is None


def test_no_image_has_no_auc() -> None:
    assert np.isnan(auroc(np.zeros(0), np.zeros(0)))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [([0.0, 2.0], [0.1, 0.2], "labels must be 0, 1"), ([0.0, 1.0], [0.1, np.nan], "score is NaN")],
)
def test_what_has_no_rank_is_refused(
    labels: list[float], scores: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        auroc(np.array(labels), np.array(scores))


def test_mean_leaves_out_findings_without_an_auc() -> None:
    labels = np.array([[0.0, 1.0], [1.0, 1.0]])
    areas = dict(zip(("Mass", "Edema"), aurocs(labels, labels * 0.5), strict=True))
    assert mean_auc(areas) == 1.0
    assert np.isnan(mean_auc({"Edema": np.nan}))
