# SPDX-License-Identifier: MIT
"""Figures under label errors against labels that hold exactly those errors."""

import numpy as np
import pytest

from trainer.evaluation import label_noise, radiologists
from trainer.evaluation.auc import auroc
from trainer.evaluation.intervals import resample
from trainer.evaluation.label_noise import Errors
from trainer.evaluation.subgroups import Figures, measure

# Scores of images with the finding and of images without it, ties among them.
WITH = np.array([0.9, 0.8, 0.8, 0.6, 0.3])
WITHOUT = np.array([0.8, 0.5, 0.4, 0.3, 0.2, 0.1])


def mixed(with_ones: int, without_ones: int) -> tuple[np.ndarray, np.ndarray, Errors]:
    """Labels and scores where errors hit every score alike: all scores 7 times, so often wrong.

    Of each score of an image with the finding `with_ones` of 7 are labelled 1, and of each without
    it `without_ones`.
    """
    scores = np.tile(np.concatenate([WITH, WITHOUT]), 7)
    turn = np.repeat(np.arange(7), len(WITH) + len(WITHOUT))
    truth = np.tile(np.concatenate([np.ones_like(WITH), np.zeros_like(WITHOUT)]), 7)
    labels = np.where(truth == 1, turn < with_ones, turn < without_ones).astype(np.float64)
    wrong = ((labels == 1) & (truth == 0)).sum() / (labels == 1).sum()
    missed = ((labels == 0) & (truth == 1)).sum() / (labels == 0).sum()
    return labels, scores, Errors(wrong, missed)


def figures(labels: np.ndarray, scores: np.ndarray) -> Figures:
    draws = resample(np.arange(len(labels)), labels[:, None], resamples=20, seed=0)
    every = np.ones(len(labels), dtype=bool)
    return measure(labels[:, None], scores[:, None], draws, [0.55], every)


@pytest.mark.parametrize("kind", [(6, 1), (5, 0), (7, 2), (3, 1)])
def test_the_auc_against_the_truth_comes_back_exactly(kind: tuple[int, int]) -> None:
    labels, scores, errors = mixed(*kind)
    true = auroc(np.repeat([1.0, 0.0], [5, 6]), np.concatenate([WITH, WITHOUT]))
    assert auroc(labels, scores) < true
    assert errors.true_auc(auroc(labels, scores)) == pytest.approx(true, abs=1e-14)
    assert errors.seen_auc(true) == pytest.approx(auroc(labels, scores), abs=1e-14)


def test_both_rates_against_the_truth_come_back_exactly() -> None:
    labels, scores, errors = mixed(6, 1)
    each = Errors(np.array([errors.wrong]), np.array([errors.missed]))
    found = label_noise.corrected(figures(labels, scores), each)
    assert found.points["tpr"][0] == pytest.approx((WITH >= 0.55).mean(), abs=1e-14)
    assert found.points["fpr"][0] == pytest.approx((WITHOUT >= 0.55).mean(), abs=1e-14)
    assert found.draws["auc"].shape == (1, 20)
    assert found.draws["tpr"].min() >= 0 and found.draws["tpr"].max() <= 1


def test_a_perfect_score_against_a_reference_that_is_90_percent_right() -> None:
    # Mehta et al., Journal of Hepatology 2009; 50:36-41: 400 of 1,000 patients are ill, and by a
    # biopsy with a sensitivity and a specificity of 90% a perfect marker seems to reach 86 and 93%.
    labels = np.repeat([1.0, 0.0, 1.0, 0.0], [360, 40, 60, 540])
    scores = np.repeat([1.0, 1.0, 0.0, 0.0], [360, 40, 60, 540])
    seen = figures(labels, scores)
    assert (round(seen.points["tpr"][0], 2), round(1 - seen.points["fpr"][0], 2)) == (0.86, 0.93)
    errors = Errors(np.array([60 / 420]), np.array([40 / 580]))
    found = label_noise.corrected(seen, errors)
    assert [found.points[name][0] for name in ("auc", "tpr", "fpr")] == pytest.approx([1, 1, 0])


def test_turning_labels_over_by_chance_loses_what_is_said() -> None:
    generator = np.random.default_rng(3)
    labels = (np.arange(900) < 180).astype(np.float64)
    scores = np.round(labels + generator.normal(size=900), 1)
    errors = label_noise.balanced(0.1, np.array([0.2]))
    assert errors.missed[0] * 720 == pytest.approx(18)
    tried = []
    for _ in range(2000):
        turned = labels.copy()
        turned[generator.choice(180, 18, replace=False)] = 0
        turned[180 + generator.choice(720, 18, replace=False)] = 1
        tried.append(auroc(turned, scores))
    error = 4 * np.std(tried) / np.sqrt(2000)
    assert errors.seen_auc(auroc(labels, scores))[0] == pytest.approx(np.mean(tried), abs=error)


def test_what_no_scores_could_have_given_is_not_defined() -> None:
    labels, scores, _ = mixed(7, 0)
    good = figures(labels, np.where(labels == 1, scores + 1, scores))
    found = label_noise.corrected(good, label_noise.balanced(0.1, np.array([0.5])))
    assert np.isnan([found.points[name][0] for name in ("auc", "tpr")]).all()
    most = label_noise.corrected(good, Errors(np.array([0.6]), np.array([0.5])))
    assert np.isnan(most.points["auc"][0])


def test_errors_that_go_along_with_the_score_are_told_from_random_ones() -> None:
    generator = np.random.default_rng(7)
    truth = np.tile([1.0, 0.0, 0.0], 1000)
    scores = truth + generator.normal(size=3000)
    draws = resample(np.arange(3000), truth[:, None], resamples=200, seed=1)
    random = np.where(generator.random(3000) < 0.1, 1 - truth, truth)
    follows = np.where(np.abs(scores - 0.5) > 1.3, scores > 0.5, truth)
    gaps = []
    for labels in (random, follows.astype(np.float64)):
        found = radiologists.judge(truth, labels[:, None], scores[:, None], draws, rule="score")
        gaps.append(found["if_random"]["found_minus_expected"])
    assert gaps[0]["low"] < 0 < gaps[0]["high"]
    assert gaps[1]["value"] is None or gaps[1]["high"] < 0


def test_labels_that_say_the_opposite_let_expect_nothing() -> None:
    errors = Errors(np.full(3, 0.7), np.full(3, 0.6))
    found = label_noise.expected(np.full(3, 0.4), np.full(3, 0.8), errors)
    assert found["expected"]["value"] is None and found["found_minus_expected"]["low"] is None
