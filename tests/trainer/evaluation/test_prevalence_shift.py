# SPDX-License-Identifier: MIT
"""Prevalence is compared by patients, and PPV follows it by Bayes' theorem."""

from typing import Any

import numpy as np
import pytest

from trainer.evaluation import intervals, prevalence_shift

PATIENTS = np.repeat(np.arange(50).astype(str), 4)


def shift(
    labels: np.ndarray, scores: np.ndarray, threshold: float | None, own: float | None, draws: Any
) -> dict[str, Any]:
    columns = labels[:, None], scores[:, None]
    (found,) = prevalence_shift.shifts(*columns, [threshold], [own], draws)
    return found


def test_a_shift_is_that_of_counting() -> None:
    generator = np.random.default_rng(1)
    labels = (generator.random(200) < 0.4).astype(np.float32)
    labels[::9] = np.nan
    scores = np.where(labels == 1, 0.3, 0) + generator.random(200)
    draws = intervals.resample(PATIENTS, labels[:, None], resamples=300, seed=0)
    found = shift(labels, scores, 0.7, 0.1, draws)
    known = labels[~np.isnan(labels)]
    assert found["prevalence"]["value"] == pytest.approx(known.mean())
    weights = draws.counts[draws.patient_of].astype(float)
    drawn = weights.T @ np.nan_to_num(labels) / (weights.T @ ~np.isnan(labels))
    ends = np.quantile(drawn / 0.1, [0.025, 0.975])
    assert found["ratio"]["value"] == pytest.approx(known.mean() / 0.1)
    assert [found["ratio"]["low"], found["ratio"]["high"]] == pytest.approx(ends)
    called = scores >= 0.7
    assert found["ppv"]["here"] == pytest.approx((labels[called & ~np.isnan(labels)]).mean())
    hit, false = called[labels == 1].mean(), called[labels == 0].mean()
    assert found["ppv"]["there"] == pytest.approx(0.1 * hit / (0.1 * hit + 0.9 * false))


def test_what_is_not_known_is_none() -> None:
    labels = np.array([1.0, 0.0] * 100)
    draws = intervals.resample(PATIENTS, labels[:, None], resamples=20, seed=0)
    found = shift(labels, labels, None, None, draws)
    assert found["ratio"]["value"] is found["ratio"]["low"] is None
    assert found["ppv"] == {"here": None, "there": None}
    found = shift(labels, labels, 0.5, None, draws)
    assert found["ppv"] == {"here": 1.0, "there": None}
    unknown = shift(labels * np.nan, labels, 0.5, 0.1, draws)
    assert unknown["prevalence"]["value"] is unknown["ppv"]["here"] is None
