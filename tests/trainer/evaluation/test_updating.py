# SPDX-License-Identifier: MIT
"""Recalibration on some patients is judged on others, and equals what brute force makes of it."""

import numpy as np
import pytest
from scipy import optimize

from trainer.evaluation import intervals, updating
from trainer.evaluation.calibration import measure
from trainer.evaluation.logistic import logits, sigmoid

PATIENTS = np.repeat([f"P{number}" for number in range(120)], 3)
SHARES = updating.deal(PATIENTS, 4, seed=3)


def made() -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores that are too high and too extreme; some labels of the second unknown."""
    generator = np.random.default_rng(5)
    chance = generator.beta(1, 3, (len(PATIENTS), 2))
    labels = (generator.random(chance.shape) < chance).astype(np.float32)
    labels[::7, 1] = np.nan
    return labels, sigmoid(1.8 * logits(chance) + 0.8)


def test_patients_are_dealt_whole_evenly_and_blind_to_all_but_their_names() -> None:
    for patient in set(PATIENTS.tolist()):
        assert len(set(SHARES[patient == PATIENTS].tolist())) == 1
    assert np.bincount(SHARES).tolist() == [90] * 4
    assert (updating.deal(PATIENTS, 4, seed=3) == SHARES).all()
    assert (updating.deal(PATIENTS, 4, seed=4) != SHARES).any()


def by_brute_force(method: str, labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Intercept and slope by a search that knows no derivatives."""

    def loss(line: np.ndarray) -> float:
        shown = line[0] + (line[1] if method == "logistic" else 1.0) * values
        return float((np.logaddexp(0, shown) - labels * shown).sum())

    start = np.array([0.0, 1.0][: 1 + (method == "logistic")])
    options = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000}
    found = optimize.minimize(loss, start, method="Nelder-Mead", options=options).x
    return np.append(found, 1.0)[:2]


@pytest.mark.parametrize("method", updating.METHODS)
def test_each_image_is_scored_by_the_line_of_another_share(method: str) -> None:
    labels, scores = made()
    truth, chance = labels[:, 0].astype(np.float64), scores[:, 0]
    updated, lines = updating.crossed(method, truth, chance, SHARES)
    assert len(lines) == 4
    seen = 0
    for line, share in zip(lines, range(4), strict=True):
        own = share == SHARES
        expected = by_brute_force(method, truth[own], logits(chance[own]))
        np.testing.assert_allclose([line.intercept, line.slope], expected, atol=1e-6)
        shown = sigmoid(expected[0] + expected[1] * logits(chance))
        alike = np.isclose(updated, shown, atol=1e-7)
        judged = {one for one in range(4) if alike[one == SHARES].all()}
        assert len(judged) == 1 and share not in judged
        seen += sum(1 << one for one in judged)
    assert seen == 0b1111


@pytest.mark.parametrize("method", updating.METHODS)
def test_labels_of_a_patient_change_no_score_of_that_patient(method: str) -> None:
    labels, scores = made()
    truth, chance = labels[:, 0].astype(np.float64), scores[:, 0]
    before, _ = updating.crossed(method, truth, chance, SHARES)
    for patient in ("P0", "P57", "P119"):
        own = patient == PATIENTS
        changed = np.where(own, 1 - truth, truth)
        after, _ = updating.crossed(method, changed, chance, SHARES)
        np.testing.assert_array_equal(after[own], before[own])
        assert (after[~own] != before[~own]).any()


def test_figures_are_those_of_the_recalibrated_scores_with_paired_intervals() -> None:
    labels, scores = made()
    draws = intervals.resample(PATIENTS, labels, resamples=200, seed=0)
    found = updating.effects(labels, scores, SHARES, draws)
    changes = []
    for at in range(2):
        known = ~np.isnan(labels[:, at])
        truth, chance = labels[known, at].astype(np.float64), scores[known, at]
        updated, lines = updating.crossed("logistic", truth, chance, SHARES[known])
        entry, figures = found["findings"][at]["logistic"], measure(truth, updated)
        assert figures is not None and entry["lines"] == 4
        for name in ("ece", "in_the_large", "slope"):
            assert entry[name] == pytest.approx(getattr(figures, name))
        ends = [min(line.slope for line in lines), max(line.slope for line in lines)]
        assert entry["slope_factor"] == pytest.approx(ends)
        change = np.zeros(len(labels))
        change[known] = np.log(np.where(truth == 1, chance / updated, (1 - chance) / (1 - updated)))
        weights = draws.counts[draws.patient_of].astype(np.float64)
        drawn = weights.T @ change / (weights.T @ known)
        changes.append(drawn)
        expected = intervals.entry(float(change.sum() / known.sum()), drawn)
        for key, value in expected.items():
            assert entry["log_loss_change"][key] == pytest.approx(value)
        # Scores were made too high and too extreme: recalibration corrects both.
        assert entry["log_loss_change"]["value"] < 0 and abs(entry["in_the_large"]) < 0.1
    low, high = np.quantile(np.mean(changes, axis=0), [0.025, 0.975])
    mean = found["mean"]["logistic"]["log_loss_change"]
    assert [mean["low"], mean["high"]] == pytest.approx([low, high])


def test_a_share_without_a_line_leaves_scores_as_they_are() -> None:
    labels, scores = made()
    labels[SHARES != 2, 0] = 0
    truth = labels[:, 0].astype(np.float64)
    updated, lines = updating.crossed("intercept", truth, scores[:, 0], SHARES)
    assert len(lines) == 1 and (updated == scores[:, 0]).mean() == 0.75
    alone, none = updating.crossed("intercept", truth, scores[:, 0], np.zeros(360, np.int64))
    assert none == [] and (alone == scores[:, 0]).all()
    labels[:, 0] = np.nan
    draws = intervals.resample(PATIENTS, labels, resamples=20, seed=0)
    entry = updating.effects(labels, scores, SHARES, draws)["findings"][0]["intercept"]
    assert entry["ece"] is entry["intercept"] is entry["log_loss_change"]["value"] is None


def test_a_line_that_falls_is_not_used() -> None:
    labels, scores = made()
    truth = 1 - labels[:, 0].astype(np.float64)
    updated, lines = updating.crossed("logistic", truth, scores[:, 0], SHARES)
    assert lines == [] and (updated == scores[:, 0]).all()
