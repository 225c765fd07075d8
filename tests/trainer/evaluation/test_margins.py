# SPDX-License-Identifier: MIT
"""Claims by a margin equal slow references, are corrected together, and are never too many."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from trainer.evaluation.comparison import Scored, corrected, holm
from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.margins import UNTESTED, Claim, Within
from trainer.evaluation.resamples import resample

MARGIN = 0.04


def within(value: float, drawn: np.ndarray, margin: float = MARGIN) -> Within:
    return Within.of(percentile(value, drawn), drawn, margin)


@pytest.mark.parametrize("value", [-0.06, -0.03, -0.01, 0.0, 0.02, 0.035])
def test_claims_equal_tests_written_out(value: float) -> None:
    drawn = np.append(np.random.default_rng(1).normal(value, 0.012, 500), np.nan)
    found, usable = within(value, drawn), drawn[:-1]
    error = usable.std(ddof=1)
    # One-sided z-tests of either margin, and quantiles, by SciPy and NumPy.
    below, above = stats.norm.sf((value + MARGIN) / error), stats.norm.sf((MARGIN - value) / error)
    assert found.no_worse.p_value == pytest.approx(below, rel=1e-9)
    assert found.equivalent.p_value == pytest.approx(max(below, above), rel=1e-9)
    low, high = np.quantile(usable, [0.05, 0.95])
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-12)
    assert found.no_worse.inside == (np.quantile(usable, 0.025) > -MARGIN)
    assert found.equivalent.inside == (low > -MARGIN and high < MARGIN)


def test_a_claim_needs_its_interval_and_its_corrected_p() -> None:
    claim = Claim(0.025, inside=True, p_value=0.02)
    assert claim.shown and not dataclasses.replace(claim, inside=False).shown
    assert not dataclasses.replace(claim, p_value=0.03).shown
    assert not dataclasses.replace(claim, p_holm=0.04).shown
    assert not dataclasses.replace(claim, p_value=None).shown
    assert Claim(0.05, inside=True, p_value=0.03).shown


def test_what_cannot_be_tested_shows_nothing() -> None:
    assert within(0.1, np.full(20, 0.1)) == UNTESTED
    assert within(0.0, np.full(20, np.nan)) == UNTESTED
    assert within(0.0, np.array([0.0])) == UNTESTED
    assert Within.of(Interval(None, None, None), np.zeros(20), MARGIN) == UNTESTED
    assert not (UNTESTED.no_worse.shown or UNTESTED.equivalent.shown)
    same = within(0.0, np.zeros(20))
    assert same.no_worse.shown and same.equivalent.shown


def pair(seed: int, gap: float, patients: int = 150) -> tuple[np.ndarray, ...]:
    """One finding, patients of 1 to 6 images, and two models whose AUCs differ by `gap`."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), generator.integers(1, 7, patients))
    labels = (generator.random((patients, 1)) < 0.4).astype(np.float64)[patient]
    shared = generator.normal(0, 0.5, (patients, 1))[patient]
    shifts = [math.sqrt(2) * stats.norm.ppf(auc) for auc in (0.8, 0.8 + gap)]
    scores = [
        shift * labels
        + shared
        + generator.normal(0, 0.5, (patients, 1))[patient]
        + generator.normal(0, math.sqrt(0.5), labels.shape)
        for shift in shifts
    ]
    return labels, *scores, patient


def claims(seed: int, gap: float, margin: float) -> Within:
    labels, first, second, patients = pair(seed, gap)
    draws = resample(patients, labels, resamples=100, seed=seed)
    one, other = (Scored.of(labels, scores, draws) for scores in (first, second))
    found = other.against(one, margin).mean.within
    assert found is not None
    return found


def test_claims_are_rarely_made_of_models_that_are_worse_by_the_margin() -> None:
    """At the margin one in forty is called no worse and one in twenty equivalent, images or not."""
    at = [claims(seed, -0.1, 0.1) for seed in range(200)]
    assert np.mean([one.no_worse.shown for one in at]) < 0.06
    assert np.mean([one.equivalent.shown for one in at]) < 0.09
    above = [claims(seed, 0.1, 0.1) for seed in range(100)]
    assert np.mean([one.equivalent.shown for one in above]) < 0.1
    # Models of one quality are called no worse where the margin is wide for so many patients.
    alike = [claims(seed, 0.0, 0.1) for seed in range(40)]
    assert np.mean([one.no_worse.shown for one in alike]) > 0.6


def test_claims_of_several_models_are_corrected_together() -> None:
    labels, first, second, patients = pair(0, 0.0)
    third = second + 0.2 * np.random.default_rng(1).normal(size=second.shape)
    draws = resample(patients, labels, resamples=80, seed=0)
    one, *others = (Scored.of(labels, scores, draws) for scores in (first, second, third))
    alone = [other.against(one, 0.1) for other in others]
    assert alone[0].mean.within.no_worse.p_holm is None
    found = corrected(alone)
    for name in ("no_worse", "equivalent"):
        raw = [getattr(each.mean.within, name).p_value for each in alone]
        assert [getattr(each.mean.within, name).p_holm for each in found] == holm(raw)
        raw = [getattr(each.findings[0].within, name).p_value for each in alone]
        assert [getattr(each.findings[0].within, name).p_holm for each in found] == holm(raw)
    without = [other.against(one) for other in others]
    assert {each.mean.within for each in corrected(without)} == {None}
