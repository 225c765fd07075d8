# SPDX-License-Identifier: MIT
"""Paired differences equal slow references, and their p-values are right when nothing differs."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from trainer.evaluation.comparison import Comparison, Scored, holm, p_value
from trainer.evaluation.intervals import Interval
from trainer.evaluation.resamples import Resamples, resample


def made(
    seed: int = 0, patients: int = 80, *, better: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels of two findings, scores of two models, patients of 1 to 6 images."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), generator.integers(1, 7, patients))
    labels = (generator.random((patients, 2)) < [0.5, 0.3]).astype(np.float64)[patient]
    shared = generator.normal(0, 0.7, (patients, 2))[patient]
    first, second = (
        (0.7 + gain) * labels
        + shared
        + generator.normal(0, 0.7, (patients, 2))[patient]
        + generator.normal(0, 0.5, labels.shape)
        for gain in (0.0, better)
    )
    return labels, first, second, patient


def compare(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, draws: Resamples
) -> Comparison:
    one, other = (Scored.of(labels, scores, draws) for scores in (first, second))
    return other.against(one)


def test_differences_equal_a_slow_reference_with_the_same_draws() -> None:
    labels, first, second, patients = made()
    labels[::9, 1] = np.nan
    draws = resample(patients, labels, resamples=80, seed=3)
    found = compare(labels, first, second, draws)
    gaps = []
    for number in range(80):
        images = np.repeat(np.arange(len(patients)), draws.counts[draws.patient_of, number])
        row = []
        for column in (0, 1):
            known = images[~np.isnan(labels[images, column])]
            pair = [
                roc_auc_score(labels[known, column], scores[known, column])
                for scores in (first, second)
            ]
            row.append(pair[1] - pair[0])
        gaps.append([*row, np.mean(row)])
    for at, difference in enumerate((*found.findings, found.mean)):
        spread = np.array(gaps)[:, at]
        ends = np.quantile(spread, [0.025, 0.975])
        interval = difference.difference
        np.testing.assert_allclose([interval.low, interval.high], ends, rtol=0, atol=1e-12)
        p = 2 * stats.norm.sf(abs(interval.value) / spread.std(ddof=1))
        assert difference.p_value == pytest.approx(p, rel=1e-9)
        assert difference.difference.value == pytest.approx(
            difference.second - difference.first, abs=1e-12
        )
    known = ~np.isnan(labels[:, 1])
    expected = roc_auc_score(labels[known, 1], second[known, 1])
    assert found.findings[1].second == pytest.approx(expected, abs=1e-12)


def test_a_better_model_is_found_and_turning_the_models_turns_the_sign() -> None:
    labels, first, second, patients = made(better=1.0)
    draws = resample(patients, labels, resamples=200, seed=0)
    found, turned = compare(labels, first, second, draws), compare(labels, second, first, draws)
    for one, other in zip(
        (*found.findings, found.mean), (*turned.findings, turned.mean), strict=True
    ):
        assert one.difference.low > 0 and one.p_value < 0.001
        assert other.difference.value == pytest.approx(-one.difference.value)
        assert other.difference.high == pytest.approx(-one.difference.low)
        assert other.p_value == pytest.approx(one.p_value)
        assert other.delong.z == pytest.approx(-one.delong.z)
        assert other.clustered.z == pytest.approx(-one.clustered.z)
        assert one.clustered.p_value < 0.001
    raw = [one.p_value for one in found.findings]
    assert [one.p_holm for one in found.findings] == holm(raw) != raw
    assert found.mean.p_holm is None


def test_p_values_are_even_when_nothing_differs() -> None:
    """Where both models are equally good, one in twenty tests is below 0.05; DeLong's are more."""
    ours, closed, theirs = [], [], []
    for seed in range(300):
        labels, first, second, patients = made(seed)
        found = compare(
            labels[:, :1],
            first[:, :1],
            second[:, :1],
            resample(patients, labels, resamples=200, seed=seed),
        ).findings[0]
        ours.append(found.p_value)
        closed.append(found.clustered.p_value)
        theirs.append(found.delong.p_value)
    for chances in (ours, closed):
        assert 0.02 <= (np.array(chances) < 0.05).mean() <= 0.09
        assert stats.kstest(chances, "uniform").pvalue > 0.001
    assert (np.array(theirs) < 0.05).mean() > 0.12


def test_equal_scores_differ_by_nothing() -> None:
    labels, first, _, patients = made()
    draws = resample(patients, labels, resamples=20, seed=0)
    for found in (*compare(labels, first, np.exp(first), draws).findings,):
        assert found.difference == Interval(0.0, 0.0, 0.0, 0)
        assert (found.p_value, found.p_holm, found.delong.p_value) == (1.0, 1.0, 1.0)
        assert found.clustered.p_value == 1.0


def test_a_finding_without_positives_is_named_by_none() -> None:
    labels, first, second, patients = made()
    labels[:, 1] = 0
    draws = resample(patients, labels, resamples=20, seed=0)
    found = compare(labels, first, second, draws)
    empty = found.findings[1]
    assert (empty.first, empty.second, empty.p_value, empty.p_holm, empty.delong) == (None,) * 5
    assert empty.clustered is None
    assert empty.difference.value is None
    # One finding was tested, so that nothing is to be corrected.
    assert found.findings[0].p_holm == found.findings[0].p_value
    assert found.mean.difference.value == found.findings[0].difference.value
    labels[:, 0] = 0
    nothing = compare(labels, first, second, draws).mean
    assert nothing.difference.value is None and nothing.p_value is None and nothing.delong is None


def test_one_patient_has_a_difference_but_no_test() -> None:
    labels, first, second, _ = made()
    draws = resample(np.zeros(len(labels)), labels, resamples=20, seed=0)
    found = compare(labels, first, second, draws)
    for one in (*found.findings, found.mean):
        assert one.difference.value is not None
        assert (one.difference.low, one.p_value, one.p_holm) == (None, None, None)
        assert one.clustered.p_value is None and one.delong.p_value is not None


def test_holm_equals_the_textbook() -> None:
    raw = [0.01, 0.04, 0.03, 0.005, None]
    assert holm(raw) == pytest.approx([0.03, 0.06, 0.06, 0.02, None])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None] and holm([]) == []


def test_p_value_of_unusable_draws_is_none() -> None:
    assert p_value(0.1, np.full(3, np.nan)) is None
    assert p_value(0.1, np.array([0.1, np.nan])) is None
    assert p_value(0.0, np.zeros(9)) == 1.0
    assert p_value(0.1, np.full(9, 0.1)) is None
    draws = np.array([np.nan, -1.0, 0.0, 1.0])
    assert p_value(0.5, draws) == pytest.approx(2 * stats.norm.sf(0.5))
