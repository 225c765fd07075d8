# SPDX-License-Identifier: MIT
"""Calibration maps are those of scikit-learn, survive JSON and are chosen without leaks."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from trainer.evaluation.logistic import logits, sigmoid
from trainer.evaluation.recalibration import (
    METHODS,
    apply,
    choose,
    cross_validated,
    fit,
    isotonic,
)


def made(seed: int = 0, count: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = sigmoid(generator.normal(-1.5, 1.5, count))
    chance = sigmoid(-0.6 + 0.5 * logits(scores))
    return (generator.random(count) < chance).astype(np.float64), scores


def test_platt_is_scikit_learns_regression_on_logits() -> None:
    labels, scores = made()
    parameters = fit("platt", labels, scores)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(logits(scores)[:, None], labels)
    assert parameters is not None
    expected = other.predict_proba(logits(scores)[:, None])[:, 1]
    np.testing.assert_allclose(apply(parameters, scores), expected, atol=1e-6)


def test_temperature_is_scikit_learns_regression_through_the_origin() -> None:
    labels, scores = made()
    parameters = fit("temperature", labels, scores)
    other = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(
        logits(scores)[:, None], labels
    )
    assert parameters is not None
    assert parameters["temperature"] == pytest.approx(1 / other.coef_[0, 0], abs=1e-5)
    assert apply(parameters, np.array([0.5])) == 0.5


@settings(max_examples=150, deadline=None)
@given(
    images=st.lists(
        st.tuples(st.integers(0, 15).map(lambda score: score / 15), st.sampled_from([0.0, 1.0])),
        min_size=1,
        max_size=60,
    )
)
def test_isotonic_is_that_of_scikit_learn(images: list[tuple[float, float]]) -> None:
    scores, labels = (np.array(column) for column in zip(*images, strict=True))
    places, levels = isotonic(scores, labels)
    other = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    asked = np.linspace(0, 1, 101)
    parameters = {"method": "isotonic", "scores": places, "probabilities": levels}
    np.testing.assert_allclose(apply(parameters, asked), other.predict(asked), atol=1e-12)
    assert (np.diff(places) > 0).all() and (np.diff(levels) >= 0).all()


def test_isotonic_of_many_images_is_that_of_scikit_learn() -> None:
    labels, scores = made(count=5000)
    parameters = fit("isotonic", labels, scores)
    other = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    assert parameters is not None
    np.testing.assert_allclose(apply(parameters, scores), other.predict(scores), atol=1e-12)
    assert len(parameters["scores"]) < 200


@pytest.mark.parametrize("method", METHODS)
def test_maps_survive_json_and_keep_the_order_of_scores(method: str) -> None:
    labels, scores = made()
    parameters = fit(method, labels, scores)
    assert parameters is not None and parameters["method"] == method
    asked = np.concatenate([[0.0, 1.0], scores]).astype(np.float32).reshape(2, -1)
    calibrated = apply(parameters, asked)
    assert calibrated.dtype == np.float64 and calibrated.shape == asked.shape
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    np.testing.assert_array_equal(apply(json.loads(json.dumps(parameters)), asked), calibrated)
    steps = np.diff(calibrated.ravel()[np.argsort(asked.ravel(), kind="stable")])
    assert (steps >= 0).all()
    if method != "isotonic":
        assert (np.diff(apply(parameters, np.linspace(0.01, 0.99, 99))) > 0).all()


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_without_both_labels_nothing_is_fitted(method: str, label: float) -> None:
    assert fit(method, np.full(5, label), np.linspace(0.1, 0.9, 5)) is None
    assert fit(method, np.zeros(0), np.zeros(0)) is None
    assert fit("none", np.full(5, label), np.linspace(0.1, 0.9, 5)) == {"method": "none"}


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_scores_that_part_the_labels_or_fall_with_them_have_no_map(method: str) -> None:
    assert fit(method, np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])) is None
    labels, scores = made()
    assert fit(method, labels, 1 - scores) is None


def test_constant_scores_and_ends_have_a_map_or_none() -> None:
    constant = np.array([0.0, 1, 0, 0]), np.full(4, 0.5)
    assert fit("platt", *constant) is None and fit("temperature", *constant) is None
    level = fit("isotonic", *constant)
    assert level is not None and apply(level, np.array([0.0, 0.5, 1.0])).tolist() == [0.25] * 3
    labels = np.array([0.0, 1, 1, 0, 1, 0])
    ends = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    parameters = fit("platt", labels, ends)
    assert parameters is not None
    np.testing.assert_allclose(apply(parameters, np.array([0.0, 1.0])), [1 / 3, 2 / 3], atol=1e-6)


def test_unknown_labels_take_no_part() -> None:
    labels, scores = made()
    masked = np.append(labels, [np.nan] * 5), np.append(scores, np.linspace(0, 1, 5))
    assert [fit(method, *masked) for method in METHODS] == [
        fit(method, labels, scores) for method in METHODS
    ]


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="not a calibration method"):
        fit("beta", *made())
    with pytest.raises(ValueError, match="not a calibration method"):
        apply({"method": "beta"}, np.array([0.5]))


def test_cross_validation_judges_on_patients_that_were_left_out() -> None:
    """The labels of a patient agree: who sees one image of a patient in the fit knows the rest."""
    generator = np.random.default_rng(1)
    patients = np.repeat(np.arange(20), 30)
    labels = np.tile([0.0, 1.0], 10)[patients]
    # Equal within a patient, unlike between patients, and without any meaning.
    scores = generator.random(20)[patients]
    by_patient = cross_validated(labels, scores, patients, seed=0)
    by_image = cross_validated(labels, scores, np.arange(600), seed=0)
    assert by_patient["isotonic"] is not None and by_image["isotonic"] is not None
    assert by_image["isotonic"] < np.log(2) < by_patient["isotonic"]


def test_cross_validated_loss_of_no_map_is_the_log_loss() -> None:
    labels, scores = made()
    patients = np.arange(len(labels)) // 4
    losses = cross_validated(labels, scores, patients, seed=0)
    assert losses["none"] == pytest.approx(log_loss(labels, scores), rel=1e-12)
    assert losses["platt"] is not None and losses["none"] is not None
    assert losses["platt"] < losses["none"]
    assert choose(losses) == "platt"
    assert cross_validated(labels, scores, patients, seed=0) == losses


def test_too_few_positives_for_the_folds_choose_no_map() -> None:
    labels, scores = np.zeros(50), np.linspace(0.01, 0.99, 50)
    labels[20] = 1
    losses = cross_validated(labels, scores, np.arange(50), seed=0)
    assert losses["platt"] is None and losses["none"] is not None
    assert choose(losses) == "none"
    empty = cross_validated(np.zeros(0), np.zeros(0), np.zeros(0), seed=0)
    assert set(empty.values()) == {None} and choose(empty) == "none"
    one = cross_validated(np.array([1.0]), np.array([0.5]), np.array(["a"]), seed=0)
    assert choose(one) == "none"


def test_scores_that_are_calibrated_are_left_as_they_are_or_hardly_changed() -> None:
    generator = np.random.default_rng(0)
    scores = sigmoid(generator.normal(-1, 1, 20_000))
    labels = (generator.random(20_000) < scores).astype(np.float64)
    for method in METHODS[1:3]:
        parameters = fit(method, labels, scores)
        assert parameters is not None
        assert np.abs(apply(parameters, scores) - scores).max() < 0.02
