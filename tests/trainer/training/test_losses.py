# SPDX-License-Identifier: MIT
"""Tests of the loss: cross-entropy over what is known, and nothing else."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trainer.training.losses import cross_entropies

SHAPE = (5, 3)


def reference(logits: np.ndarray, targets: np.ndarray) -> tuple[list[float], list[int]]:
    """Each example's cross-entropy from its definition, in float64, one target at a time."""
    totals, counts = [], []
    for row, wanted in zip(logits.astype(np.float64), targets, strict=True):
        known = [(logit, target) for logit, target in zip(row, wanted, strict=True) if target >= 0]
        totals.append(sum(np.logaddexp(0, -logit if target else logit) for logit, target in known))
        counts.append(len(known))
    return totals, counts


@given(
    logits=arrays.arrays(np.float32, SHAPE, elements=st.floats(-50, 50, width=32)),
    targets=arrays.arrays(np.int64, SHAPE, elements=st.sampled_from([-1, 0, 1])),
)
@settings(max_examples=50, deadline=None)
def test_each_example_has_the_sum_over_its_known_targets(
    logits: np.ndarray, targets: np.ndarray
) -> None:
    totals, known = cross_entropies(tf.constant(logits), tf.constant(targets))
    expected_totals, expected_known = reference(logits, targets)
    np.testing.assert_allclose(totals, expected_totals, rtol=1e-5, atol=1e-6)
    assert known.numpy().tolist() == expected_known


def test_an_unknown_target_changes_neither_loss_nor_gradient() -> None:
    targets = tf.constant([[1, -1, 0]], tf.int64)
    logits = tf.Variable([[0.3, 5.0, -0.2]])
    with tf.GradientTape() as tape:
        (total,), _ = cross_entropies(logits, targets)
    gradient = tape.gradient(total, logits).numpy()
    (other,), _ = cross_entropies(tf.constant([[0.3, -80.0, -0.2]]), targets)
    assert float(total) == float(other)
    assert gradient[0, 1] == 0
    np.testing.assert_allclose(
        gradient[0, [0, 2]], [1 / (1 + np.exp(-0.3)) - 1, 1 / (1 + np.exp(0.2))], rtol=1e-5
    )


@pytest.mark.parametrize("nothing", [math.nan, math.inf])
def test_what_is_no_number_under_an_unknown_target_is_left_out_too(nothing: float) -> None:
    (total,), (known,) = cross_entropies(
        tf.constant([[0.0, nothing]]), tf.constant([[0, -1]], tf.int64)
    )
    assert (float(total), float(known)) == (pytest.approx(math.log(2)), 1.0)


def test_an_example_that_is_no_number_spoils_no_other() -> None:
    totals, _ = cross_entropies(
        tf.constant([[math.nan, 0.0], [0.0, 0.0]]), tf.constant([[1, 0], [1, 0]], tf.int64)
    )
    assert np.isfinite(totals.numpy()).tolist() == [False, True]


def test_a_batch_without_any_known_target_is_zero_of_zero() -> None:
    totals, known = cross_entropies(
        tf.constant(np.full(SHAPE, 3.0, np.float32)), tf.constant(np.full(SHAPE, -1))
    )
    assert totals.numpy().tolist() == known.numpy().tolist() == [0.0] * SHAPE[0]


def test_extreme_logits_stay_finite() -> None:
    (total,), _ = cross_entropies(tf.constant([[1e4, -1e4]]), tf.constant([[0, 1]], tf.int64))
    assert float(total) == pytest.approx(2e4)


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = tf.fill([3, 3000], tf.constant(0.1, tf.float16))
    totals, known = cross_entropies(logits, tf.zeros([3, 3000], tf.int64))
    assert totals.dtype == known.dtype == tf.float32
    one = np.log1p(np.exp(np.float64(np.float16(0.1))))
    np.testing.assert_allclose(totals, [3000 * one] * 3, rtol=1e-4)
