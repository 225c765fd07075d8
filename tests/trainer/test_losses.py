# SPDX-License-Identifier: MIT
"""Tests of the loss: cross-entropy over what is known, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trainer.losses import masked_cross_entropy

SHAPE = (5, 3)


def reference(logits: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
    """Cross-entropy from its definition, in float64, one target at a time."""
    total, known = 0.0, 0
    for logit, target in zip(logits.ravel().astype(np.float64), targets.ravel(), strict=True):
        if target < 0:
            continue
        total += np.logaddexp(0, -logit) if target else np.logaddexp(0, logit)
        known += 1
    return total, known


@given(
    logits=arrays.arrays(np.float32, SHAPE, elements=st.floats(-50, 50, width=32)),
    targets=arrays.arrays(np.int64, SHAPE, elements=st.sampled_from([-1, 0, 1])),
)
@settings(max_examples=50, deadline=None)
def test_it_equals_the_definition_over_known_targets(
    logits: np.ndarray, targets: np.ndarray
) -> None:
    total, known = masked_cross_entropy(tf.constant(logits), tf.constant(targets))
    expected_total, expected_known = reference(logits, targets)
    assert float(total) == pytest.approx(expected_total, rel=1e-5, abs=1e-6)
    assert float(known) == expected_known


def test_an_unknown_target_changes_neither_loss_nor_gradient() -> None:
    targets = tf.constant([[1, -1, 0]], tf.int64)
    logits = tf.Variable([[0.3, 5.0, -0.2]])
    with tf.GradientTape() as tape:
        total, _ = masked_cross_entropy(logits, targets)
    gradient = tape.gradient(total, logits).numpy()
    other, _ = masked_cross_entropy(tf.constant([[0.3, -80.0, -0.2]]), targets)
    assert float(total) == float(other)
    assert gradient[0, 1] == 0
    np.testing.assert_allclose(
        gradient[0, [0, 2]], [1 / (1 + np.exp(-0.3)) - 1, 1 / (1 + np.exp(0.2))], rtol=1e-5
    )


def test_a_batch_without_any_known_target_is_zero_of_zero() -> None:
    total, known = masked_cross_entropy(
        tf.constant(np.full(SHAPE, 3.0, np.float32)), tf.constant(np.full(SHAPE, -1))
    )
    assert (float(total), float(known)) == (0.0, 0.0)


def test_extreme_logits_stay_finite() -> None:
    total, _ = masked_cross_entropy(tf.constant([[1e4, -1e4]]), tf.constant([[0, 1]], tf.int64))
    assert float(total) == pytest.approx(2e4)


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = tf.fill([3000, 3], tf.constant(0.1, tf.float16))
    total, known = masked_cross_entropy(logits, tf.zeros([3000, 3], tf.int64))
    assert total.dtype == known.dtype == tf.float32
    one = np.log1p(np.exp(np.float64(np.float16(0.1))))
    assert float(total) == pytest.approx(9000 * one, rel=1e-4)
