# SPDX-License-Identifier: MIT
"""Lines are those of scikit-learn's unpenalised regression, and absent where none fits best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from trainer.evaluation.logistic import fit_intercept, fit_line, fit_slope, logits, sigmoid


def made(seed: int, intercept: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    values = generator.normal(-2, 1.5, 800)
    labels = (generator.random(800) < sigmoid(intercept + slope * values)).astype(np.float64)
    return values, labels


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-1.5, 0.4), (1.0, 2.5), (-1, -0.5)])
def test_line_is_that_of_scikit_learn(intercept: float, slope: float) -> None:
    values, labels = made(5, intercept, slope)
    found = fit_line(values, labels)
    other = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(values[:, None], labels)
    assert found is not None
    assert found.slope == pytest.approx(other.coef_[0, 0], abs=1e-5)
    assert found.intercept == pytest.approx(other.intercept_[0], abs=1e-5)


def test_slope_through_the_origin_is_that_of_scikit_learn() -> None:
    values, labels = made(6, 0.0, 0.7)
    other = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(
        values[:, None], labels
    )
    assert fit_slope(values, labels) == pytest.approx(other.coef_[0, 0], abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(images=st.lists(st.tuples(st.booleans(), st.integers(-6, 6)), min_size=2, max_size=30))
def test_fits_are_where_the_likelihood_is_level(images: list[tuple[bool, int]]) -> None:
    labels = np.array([float(label) for label, _ in images])
    values = np.array([float(value) for _, value in images])
    line = fit_line(values, labels)
    if line is not None:
        rest = labels - sigmoid(line.intercept + line.slope * values)
        assert abs(rest.sum()) < 1e-5 and abs((rest * values).sum()) < 1e-5
    slope = fit_slope(values, labels)
    if slope is not None:
        assert abs(((labels - sigmoid(slope * values)) * values).sum()) < 1e-5
    intercept = fit_intercept(values, labels)
    assert (intercept is None) == (labels.min() == labels.max())
    if intercept is not None:
        assert abs((labels - sigmoid(intercept + values)).sum()) < 1e-5


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1.0, 2, 3, 4], [0.0, 0, 1, 1]),
        ([1.0, 2, 3, 4], [1.0, 1, 0, 0]),
        ([1.0, 2, 2, 3], [0.0, 0, 1, 1]),
        ([2.0, 2, 2], [0.0, 1, 0]),
        ([1.0, 2], [1.0, 1]),
        ([1.0], [1.0]),
    ],
)
def test_there_is_no_line_where_the_labels_are_parted(
    values: list[float], labels: list[float]
) -> None:
    assert fit_line(np.array(values), np.array(labels)) is None


def test_negatives_between_positives_do_not_part_them() -> None:
    found = fit_line(np.array([2.0, 3, 3, 4]), np.array([1.0, 0, 0, 1]))
    assert found is not None and found.slope == pytest.approx(0, abs=1e-6)


def test_there_is_no_temperature_where_every_image_is_on_its_side() -> None:
    assert fit_slope(np.array([-1.0, 2.0]), np.array([0.0, 1.0])) is None
    assert fit_slope(np.array([-1.0, 2.0]), np.array([1.0, 0.0])) is None
    assert fit_slope(np.array([0.0, 0.0]), np.array([1.0, 0.0])) is None


def test_outliers_do_not_throw_newton_off() -> None:
    values = np.array([-16.0] * 50 + [16.0] * 50 + [-16.0, 16.0])
    labels = np.array([0.0] * 50 + [1.0] * 50 + [1.0, 0.0])
    found = fit_line(values, labels)
    assert found is not None
    # One of 51 is wrong on either side.
    assert found.slope * 16 == pytest.approx(np.log(50), abs=1e-6)
    assert found.intercept == pytest.approx(0, abs=1e-6)


def test_logit_and_sigmoid_undo_each_other_without_overflow() -> None:
    scores = np.array([1e-6, 0.2, 0.5, 0.999], np.float64)
    np.testing.assert_allclose(sigmoid(logits(scores)), scores, rtol=1e-12)
    assert sigmoid(np.array([-1000.0, 1000.0])).tolist() == [0.0, 1.0]
    ends = logits(np.array([0.0, 1.0], np.float32))
    assert np.isfinite(ends).all() and ends[0] == pytest.approx(-ends[1])
