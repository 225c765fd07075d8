# SPDX-License-Identifier: MIT
"""Thresholds are those that trying every score finds, and measures are their definitions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.operating_points import (
    MEASURES,
    RULES,
    called_counts,
    choose,
    measures,
    predictive_values,
    why_undefined,
)

IMAGES = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 1.0, 0.0, math.nan]), st.integers(0, 12)), max_size=40
)


def tried(labels: list[float], scores: list[float], rule: str) -> float | None:
    """Tries every score as the threshold, in fractions, and orders what it finds by the rule."""
    positives = [s for label, s in zip(labels, scores, strict=True) if label == 1]
    negatives = [s for label, s in zip(labels, scores, strict=True) if label == 0]
    if not positives or not negatives:
        return None
    found = []
    for threshold in sorted({*positives, *negatives}):
        true = sum(score >= threshold for score in positives)
        false = sum(score >= threshold for score in negatives)
        sensitivity = Fraction(true, len(positives))
        specificity = 1 - Fraction(false, len(negatives))
        youden = sensitivity + specificity - 1
        f1 = Fraction(2 * true, len(positives) + true + false)
        met = {
            "youden": (youden > 0, (youden, threshold)),
            "max_f1": (True, (f1, threshold)),
            "sensitivity_90": (sensitivity >= Fraction(9, 10), (specificity, sensitivity)),
            "specificity_90": (specificity >= Fraction(9, 10), (sensitivity, specificity)),
        }
        if met[rule][0]:
            found.append((met[rule][1], threshold))
    return max(found)[1] if found else None


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=100, deadline=None)
@given(images=IMAGES)
def test_threshold_is_the_best_of_all_scores(rule: str, images: list[tuple[float, int]]) -> None:
    labels = [label for label, _ in images]
    scores = [score / 12 for _, score in images]
    assert choose(np.array(labels), np.array(scores), rule) == tried(labels, scores, rule)


@pytest.mark.parametrize("rule", RULES)
def test_threshold_of_many_images_is_the_best_of_all_scores(rule: str) -> None:
    generator = np.random.default_rng(3)
    labels = (generator.random(600) < 0.2).astype(np.float32)
    scores = (1 / (1 + np.exp(-labels - generator.normal(-2, 1, 600)))).astype(np.float32)
    assert choose(labels, scores, rule) == tried(labels.tolist(), scores.tolist(), rule)


def test_float32_scores_are_called_at_their_own_threshold() -> None:
    labels, scores = np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.3, 0.7], np.float32)
    threshold = choose(labels, scores, "sensitivity_90")
    assert threshold == float(np.float32(0.3))
    assert (scores >= threshold).tolist() == [False, True, True]


def test_target_of_nine_tenths_is_met_exactly() -> None:
    labels = np.array([1.0] * 10 + [0.0] * 10)
    scores = np.concatenate([np.arange(10) + 0.5, np.arange(10.0)]) / 10
    # Nine of ten positives and nine of ten negatives are on the right side.
    assert choose(labels, scores, "sensitivity_90") == 0.15
    assert choose(labels, scores, "specificity_90") == 0.85


@pytest.mark.parametrize(
    ("labels", "scores", "undefined", "word"),
    [
        ([0, 0], [0.1, 0.2], set(RULES), "to have the finding"),
        ([math.nan, math.nan], [0.1, 0.2], set(RULES), "to have the finding"),
        ([1, math.nan], [0.1, 0.2], set(RULES), "to be without the finding"),
        ([1], [0.1], set(RULES), "to be without the finding"),
        ([], [], set(RULES), "to have the finding"),
        ([0, 1, 0], [0.4, 0.4, 0.4], {"youden", "specificity_90"}, "no threshold is better"),
        ([1, 0], [0.0, 1.0], {"youden", "specificity_90"}, "no threshold is better"),
    ],
)
def test_rule_without_an_answer_says_why(
    labels: list[float], scores: list[float], undefined: set[str], word: str
) -> None:
    truth, chance = np.array(labels, np.float64), np.array(scores, np.float64)
    found = {rule: choose(truth, chance, rule) for rule in RULES}
    assert {rule for rule in RULES if found[rule] is None} == undefined
    reasons = {rule: why_undefined(truth, chance, rule) for rule in RULES}
    assert {rule for rule, reason in reasons.items() if reason} == undefined
    assert word in str(reasons["youden"])


def test_specificity_out_of_reach_says_why() -> None:
    reason = why_undefined(np.array([0.0, 1.0]), np.array([0.4, 0.4]), "specificity_90")
    assert reason is not None and "highest score" in reason


@pytest.mark.parametrize("rule", RULES)
def test_scores_of_zero_and_one_part_the_labels(rule: str) -> None:
    assert choose(np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]), rule) == 1.0


@settings(max_examples=50, deadline=None)
@given(images=IMAGES)
def test_a_rising_map_of_scores_maps_the_thresholds_along(images: list[tuple[float, int]]) -> None:
    labels = np.array([label for label, _ in images], np.float64)
    scores = np.array([score for _, score in images], np.float64)
    for rule in RULES:
        before, after = choose(labels, scores, rule), choose(labels, scores**3 + 1, rule)
        assert after == (None if before is None else before**3 + 1)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="not a rule"):
        choose(np.array([0.0, 1.0]), np.array([0.1, 0.2]), "best")
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        choose(np.array([0.0, 2.0]), np.array([0.1, 0.2]), "youden")
    with pytest.raises(ValueError, match="score is NaN"):
        choose(np.array([0.0, 1.0]), np.array([0.1, np.nan]), "youden")
    assert choose(np.array([0, np.nan, 1]), np.array([0.1, np.nan, 0.2]), "youden") == 0.2


def test_measures_are_their_definitions() -> None:
    labels = np.array([1] * 5 + [0] * 20 + [np.nan])
    scores = np.array([0.9] * 4 + [0.1] + [0.9] * 2 + [0.1] * 18 + [0.9])
    sums = called_counts(labels, scores, [0.5, 0.95]).sum(axis=0)
    assert sums.tolist() == [5, 20, 4, 2, 0, 0]
    expected = [4 / 5, 18 / 20, 4 / 6, 18 / 19, 8 / 11, 0.8 / 0.1, 0.2 / 0.9, 1000 * 6 / 25]
    np.testing.assert_allclose(measures(sums)[..., 0, :], expected, rtol=1e-14)
    nothing_called = measures(sums)[..., 1, :]
    assert np.isnan(nothing_called[[2, 5]]).all()
    np.testing.assert_allclose(nothing_called[[0, 1, 3, 4, 6, 7]], [0, 1, 0.8, 0, 1, 0])


def test_what_compares_both_kinds_is_not_defined_of_one() -> None:
    no_positive = dict(zip(MEASURES, measures(np.array([0.0, 10, 0, 3]))[..., 0, :], strict=True))
    assert {name for name in MEASURES if not np.isnan(no_positive[name])} == {
        "specificity",
        "alerts_per_1000",
    }
    assert no_positive["alerts_per_1000"] == 300
    no_negative = dict(zip(MEASURES, measures(np.array([10.0, 0, 3, 0]))[..., 0, :], strict=True))
    assert {name for name in MEASURES if not np.isnan(no_negative[name])} == {
        "sensitivity",
        "alerts_per_1000",
    }
    assert np.isnan(measures(np.zeros(4))[..., 0, :]).all()


def test_no_false_alarm_makes_the_likelihood_ratio_infinite() -> None:
    found = dict(zip(MEASURES, measures(np.array([10.0, 10, 3, 0]))[..., 0, :], strict=True))
    assert found["lr_positive"] == math.inf and found["ppv"] == 1


def test_measures_of_resamples_are_those_of_each() -> None:
    rows = np.array([[5.0, 20, 4, 2], [3.0, 22, 1, 0]])
    np.testing.assert_array_equal(
        measures(rows)[..., 0, :], [measures(row)[..., 0, :] for row in rows]
    )


@settings(max_examples=60, deadline=None)
@given(
    true=st.integers(0, 30),
    missed=st.integers(0, 30),
    false=st.integers(0, 30),
    spared=st.integers(0, 30),
)
def test_bayes_at_the_own_prevalence_gives_the_counted_values(
    true: int, missed: int, false: int, spared: int
) -> None:
    positives, negatives = true + missed, false + spared
    if not positives or not negatives:
        return
    ppv, npv = predictive_values(
        np.array(true / positives),
        np.array(spared / negatives),
        positives / (positives + negatives),
    )
    if true + false:
        assert ppv == pytest.approx(true / (true + false), abs=1e-12)
    if missed + spared:
        assert npv == pytest.approx(spared / (missed + spared), abs=1e-12)
