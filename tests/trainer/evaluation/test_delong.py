# SPDX-License-Identifier: MIT
"""DeLong's variance, interval and test equal the defining sums and what R gives for real data."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trainer.evaluation.auc import auroc
from trainer.evaluation.delong import (
    deviations,
    interval,
    mean_interval,
    midranks,
    on_logit_scale,
    paired_test,
)
from trainer.evaluation.intervals import Interval

# Albumin, total protein, K-G score and outcome of 43 patients with ovarian cancer: the data of
# DeLong et al. 1988 as the SAS/STAT User's Guide prints them in the chapter on PROC LOGISTIC,
# example "Comparing Receiver Operating Characteristic Curves".
PATIENTS = """
3.0 5.8 10 0   3.2 6.3  5 1   3.9 6.8  3 1   2.8 4.8  6 0   3.2 5.8  3 1   0.9 4.0  5 0
2.5 5.7  8 0   1.6 5.6  5 1   3.8 5.7  5 1   3.7 6.7  6 1   3.2 5.4  4 1   3.8 6.6  6 1
4.1 6.6  5 1   3.6 5.7  5 1   4.3 7.0  4 1   3.6 6.7  4 0   2.3 4.4  6 1   4.2 7.6  4 0
4.0 6.6  6 0   3.5 5.8  6 1   3.8 6.8  7 1   3.0 4.7  8 0   4.5 7.4  5 1   3.7 7.4  5 1
3.1 6.6  6 1   4.1 8.2  6 1   4.3 7.0  5 1   4.3 6.5  4 1   3.2 5.1  5 1   2.6 4.7  6 1
3.3 6.8  6 0   1.7 4.0  7 0   3.7 6.1  5 1   3.3 6.3  7 1   4.2 7.7  6 1   3.5 6.2  5 1
2.9 5.7  9 0   2.1 4.8  7 1   2.8 6.2  8 0   4.0 7.0  7 1   3.3 5.7  6 1   3.7 6.9  5 1
3.6 6.6  5 1
"""


def slow(labels: np.ndarray, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Areas and their covariances from the table of all pairs, as the paper defines them."""
    tables = [
        (one[labels == 1][:, None] > one[labels == 0])
        + 0.5 * (one[labels == 1][:, None] == one[labels == 0])
        for one in scores
    ]
    of_positives = np.cov([table.mean(axis=1) for table in tables])
    of_negatives = np.cov([table.mean(axis=0) for table in tables])
    m, n = tables[0].shape
    return np.array([table.mean() for table in tables]), of_positives / m + of_negatives / n


def made(count: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(8)
    labels = (generator.random(count) < 0.3).astype(np.float64)
    first = np.round(labels + generator.normal(0, 1, count), 1)
    second = np.round(first + generator.normal(0, 0.8, count), 1)
    labels[::17] = np.nan
    return labels, first, second


def test_variance_and_covariance_equal_the_defining_sums() -> None:
    labels, first, second = made()
    _, expected = slow(labels, [first, second])
    pulls = np.array([deviations(labels, first), deviations(labels, second)])
    np.testing.assert_allclose(pulls @ pulls.T, expected, rtol=1e-12)
    assert (pulls[:, np.isnan(labels)] == 0).all()


# What pROC 1.18.0 on R 4.2.2 returns for them: area and `sqrt(var(roc, method="delong"))`.
REFERENCE = {
    "albumin": (0.736559139784946, 0.0926943460524027),
    "K-G": (0.725806451612903, 0.102821608980048),
    "protein": (0.647849462365591, 0.100047375583742),
}
# And `roc.test(first, second, paired=TRUE, method="delong")`: z and p.
REFERENCE_TESTS = {
    ("albumin", "K-G"): (0.112778269044526, 0.910206347201035),
    ("protein", "K-G"): (-0.745218389657993, 0.456139707507474),
    ("protein", "albumin"): (-1.59002925832072, 0.111828210120696),
}


def published() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Outcomes and scores of the published example."""
    albumin, protein, score, outcome = np.array(PATIENTS.split(), dtype=float).reshape(-1, 4).T
    assert (len(outcome), outcome.sum()) == (43, 31)
    return outcome, {"albumin": albumin, "K-G": 10 - score, "protein": protein}


@pytest.mark.parametrize("name", REFERENCE)
def test_area_and_error_are_those_of_another_program(name: str) -> None:
    outcome, scores = published()
    error = math.sqrt((deviations(outcome, scores[name]) ** 2).sum())
    assert auroc(outcome, scores[name]) == pytest.approx(REFERENCE[name][0], rel=1e-13)
    assert error == pytest.approx(REFERENCE[name][1], rel=1e-13)


@pytest.mark.parametrize("pair", REFERENCE_TESTS)
def test_the_paired_test_is_that_of_another_program(pair: tuple[str, str]) -> None:
    outcome, scores = published()
    first, second = (scores[name] for name in pair)
    found = paired_test(
        auroc(outcome, first) - auroc(outcome, second),
        deviations(outcome, first) - deviations(outcome, second),
    )
    assert (found.z, found.p_value) == pytest.approx(REFERENCE_TESTS[pair], rel=1e-11)


def test_contrasts_of_the_published_example() -> None:
    """Both contrasts against the K-G score at once: chi-square 2.5340 with 2 degrees of freedom."""
    outcome, scores = published()
    area, pull = (
        {name: of(outcome, values) for name, values in scores.items()} for of in (auroc, deviations)
    )
    gaps = np.array([area[name] - area["K-G"] for name in ("albumin", "protein")])
    contrasts = np.array([pull[name] - pull["K-G"] for name in ("albumin", "protein")])
    chi_square = gaps @ np.linalg.inv(contrasts @ contrasts.T) @ gaps
    # Also what the covariances of pROC give.
    assert chi_square == pytest.approx(2.53397792621414, rel=1e-11)
    assert stats.chi2.sf(chi_square, 2) == pytest.approx(0.281678490488887, rel=1e-11)


def test_paired_test_follows_from_the_covariances() -> None:
    labels, first, second = made()
    areas, covariance = slow(labels, [first, second])
    found = paired_test(
        auroc(labels, second) - auroc(labels, first),
        deviations(labels, second) - deviations(labels, first),
    )
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert found.difference == pytest.approx(areas[1] - areas[0], abs=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-10)
    z = (areas[1] - areas[0]) / error
    assert found.z == pytest.approx(z, rel=1e-10)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_the_same_scores_do_not_differ() -> None:
    labels, first, _ = made()
    nothing = deviations(labels, first) - deviations(labels, first)
    found = paired_test(0.0, nothing)
    assert (found.standard_error, found.z, found.p_value) == (0.0, 0.0, 1.0)
    assert paired_test(0.5, nothing).p_value is None


def test_interval_is_symmetric_on_the_logit_scale() -> None:
    labels, first, _ = made()
    area, covariance = slow(labels, [first, first])
    found = interval(labels, first)
    logit = math.log(area[0] / (1 - area[0]))
    reach = stats.norm.ppf(0.975) * math.sqrt(covariance[0, 0]) / (area[0] * (1 - area[0]))
    ends = [1 / (1 + math.exp(-(logit + step))) for step in (-reach, reach)]
    assert found.value == auroc(labels, first)
    assert [found.low, found.high] == pytest.approx(ends, abs=1e-12)


def test_interval_of_the_mean_counts_the_covariances_between_findings() -> None:
    labels, first, second = made()
    both = np.column_stack([labels, labels])
    areas, covariance = slow(labels, [first, second])
    found = mean_interval(both, np.column_stack([first, second]))
    expected = on_logit_scale(areas.mean(), covariance.mean())
    for ours, theirs in zip(
        (found.value, found.low, found.high),
        (expected.value, expected.low, expected.high),
        strict=True,
    ):
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_finding_without_an_area_is_left_out_of_the_mean() -> None:
    labels, first, second = made()
    both = np.column_stack([labels, np.zeros(len(labels))])
    scores = np.column_stack([first, second])
    assert mean_interval(both, scores) == interval(labels, first)
    assert mean_interval(np.zeros_like(both), scores) == Interval(None, None, None)


def test_one_positive_has_an_area_but_no_variance() -> None:
    labels, scores = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.3, 0.2, 0.4, 0.1])
    assert np.isnan(deviations(labels, scores)).all()
    assert interval(labels, scores) == Interval(2 / 3, None, None)
    assert paired_test(0.1, deviations(labels, scores)).standard_error is None
    assert interval(np.zeros(4), scores) == Interval(None, None, None)


def test_a_perfect_score_has_no_interval_and_a_constant_one_no_width() -> None:
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    assert interval(labels, labels) == Interval(1.0, None, None)
    assert interval(labels, -labels) == Interval(0.0, None, None)
    assert interval(labels, np.ones(4)) == Interval(0.5, 0.5, 0.5)


def test_midranks_equal_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 9, 100) / 8
    np.testing.assert_array_equal(midranks(values), stats.rankdata(values))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(4, 40))
def test_interval_holds_the_area_and_stays_in_range(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.choice([0.0, 1.0, np.nan], count, p=[0.5, 0.4, 0.1])
    scores = generator.integers(0, 6, count) / 5
    found, mapped = interval(labels, scores), interval(labels, np.exp(2 * scores))
    assert found == mapped
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1
        turned = interval(1 - labels, scores)
        assert [1 - turned.high, 1 - turned.low] == pytest.approx([found.low, found.high])
