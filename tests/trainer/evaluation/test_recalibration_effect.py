# SPDX-License-Identifier: MIT
"""What is fitted on validation is judged on test, and learns nothing from there."""

import json

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from trainer.evaluation import recalibration_effect
from trainer.evaluation.logistic import logits, sigmoid
from trainer.evaluation.recalibration import METHODS, apply
from trainer.evaluation.resamples import Resamples, resample

PATIENTS = np.arange(1200) // 3


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = sigmoid(generator.normal(-1, 1.5, 1200))
    chance = sigmoid(-0.6 + 0.5 * logits(scores))
    return (generator.random(1200) < chance).astype(np.float64), scores


def drawn(labels: np.ndarray, patients: np.ndarray = PATIENTS) -> Resamples:
    return resample(patients, labels[:, None], resamples=100, seed=0)


def test_figures_before_and_after_are_those_of_scikit_learn() -> None:
    found = recalibration_effect.fitted(*made(1), PATIENTS, seed=0)
    labels, scores = made(2)
    after = recalibration_effect.effect(found, labels, scores, drawn(labels))
    for method in METHODS:
        chance = apply(found["parameters"][method], scores)
        assert after[method]["brier"] == pytest.approx(brier_score_loss(labels, chance))
        gain = brier_score_loss(labels, chance) - brier_score_loss(labels, scores)
        assert after[method]["brier_change"]["value"] == pytest.approx(gain)
    change = after["platt"]["log_loss_change"]
    chance = apply(found["parameters"]["platt"], scores)
    assert change["value"] == pytest.approx(log_loss(labels, chance) - log_loss(labels, scores))
    assert change["low"] < change["value"] < change["high"] < 0
    assert after["none"]["log_loss_change"] == {
        "value": 0,
        "low": 0,
        "high": 0,
        "dropped_resamples": 0,
    }
    assert after["platt"]["slope"] == pytest.approx(1, abs=0.2)
    assert after["platt"]["ece"] < after["none"]["ece"]
    assert found["chosen"] == "platt" and found["reason"] is None
    json.dumps([found, after], allow_nan=False)


def test_platt_is_perfect_on_the_images_that_it_was_fitted_on() -> None:
    found = recalibration_effect.fitted(*made(1), PATIENTS, seed=0)
    own = recalibration_effect.effect(found, *made(1), drawn(made(1)[0]))
    assert own["platt"]["slope"] == pytest.approx(1, abs=1e-6)
    assert own["platt"]["in_the_large"] == pytest.approx(0, abs=1e-6)


def test_change_of_a_resample_is_as_if_its_images_lay_there() -> None:
    found = recalibration_effect.fitted(*made(1), PATIENTS, seed=0)
    labels, scores = made(2)
    draws = drawn(labels)
    chance = apply(found["parameters"]["temperature"], scores)
    gains = (chance - labels) ** 2 - (scores - labels) ** 2
    slow = [np.average(gains, weights=times) for times in draws.counts[draws.patient_of].T]
    area = recalibration_effect.effect(found, labels, scores, draws)["temperature"]["brier_change"]
    expected = np.quantile(slow, [0.025, 0.975])
    assert (area["low"], area["high"]) == pytest.approx(tuple(expected), rel=1e-9)


def test_without_both_labels_on_validation_scores_stay_as_they_are() -> None:
    found = recalibration_effect.fitted(np.zeros(30), np.linspace(0, 1, 30), np.arange(30), seed=0)
    assert found["chosen"] == "none" and "both with and without" in found["reason"]
    labels, scores = made(2)
    after = recalibration_effect.effect(found, labels, scores, drawn(labels))
    assert [method for method in METHODS if after[method] is None] == list(METHODS[1:])


def test_labels_that_are_parted_say_why_a_method_is_missing() -> None:
    labels = np.repeat([0.0, 1.0], 15)
    found = recalibration_effect.fitted(labels, np.linspace(0.1, 0.9, 30), np.arange(30), seed=0)
    assert found["parameters"]["platt"] is None and "parts the labels" in found["reason"]
    assert found["parameters"]["isotonic"] is not None


def test_test_images_without_known_labels_or_of_one_patient() -> None:
    found = recalibration_effect.fitted(*made(1), PATIENTS, seed=0)
    labels, scores = made(2)
    unknown = np.full(1200, np.nan)
    nothing = recalibration_effect.effect(found, unknown, scores, drawn(labels))
    assert set(nothing.values()) == {None}
    assert recalibration_effect.after({"method": "none"}, unknown, scores) is None
    alone = recalibration_effect.effect(found, labels, scores, drawn(labels, 0 * PATIENTS))
    assert alone["platt"]["brier_change"]["value"] is not None
    assert alone["platt"]["brier_change"]["low"] is None


def test_reliability_after_is_of_calibrated_scores() -> None:
    labels, scores = made(2)
    parts = recalibration_effect.after(
        {"method": "temperature", "temperature": 2.0}, labels, scores
    )
    assert parts is not None and sum(parts["counts"]) == len(labels)
    mean = np.average(parts["scores"], weights=parts["counts"])
    assert mean == pytest.approx(sigmoid(logits(scores) / 2).mean())


def test_mean_is_over_findings_that_have_all_methods() -> None:
    labels, scores = made(2)
    full = recalibration_effect.fitted(*made(1), PATIENTS, seed=0)
    bare = recalibration_effect.fitted(np.zeros(30), np.linspace(0, 1, 30), np.arange(30), seed=0)
    effects = {
        name: recalibration_effect.effect(found, labels, scores, drawn(labels))
        for name, found in {"Mass": full, "Hernia": bare}.items()
    }
    mean = recalibration_effect.mean_effect(effects)
    assert mean["findings"] == ["Mass"]
    assert mean["methods"]["platt"]["ece"] == effects["Mass"]["platt"]["ece"]
    nothing = recalibration_effect.mean_effect({"Hernia": effects["Hernia"]})
    assert nothing["findings"] == [] and nothing["methods"]["none"]["brier"] is None
