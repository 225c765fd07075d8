# SPDX-License-Identifier: MIT
"""Tests of the learning rate over the steps, of Adam's step and of loss scaling."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer import optimizer
from trainer.config import OptimizerConfig

PEAK = 0.02


def rates(schedule: str, warmup_steps: int, total: int = 100) -> np.ndarray:
    config = OptimizerConfig(learning_rate=PEAK, schedule=schedule, warmup_steps=warmup_steps)
    made = optimizer.Schedule(config, total)
    return np.array([float(made(tf.constant(step, tf.int64))) for step in range(total + 1)])


def test_constant_is_constant() -> None:
    np.testing.assert_allclose(rates("constant", 0), PEAK, rtol=1e-6)


def test_cosine_falls_from_the_peak_to_zero_at_the_last_step() -> None:
    expected = PEAK * 0.5 * (1 + np.cos(np.pi * np.arange(101) / 100))
    np.testing.assert_allclose(rates("cosine", 0), expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up_rises_linearly_and_reaches_the_peak_before_the_schedule_begins(
    schedule: str,
) -> None:
    found = rates(schedule, 10)
    np.testing.assert_allclose(found[:10], PEAK * np.arange(1, 11) / 10, rtol=1e-5)
    after = np.arange(91)
    falling = PEAK * 0.5 * (1 + np.cos(np.pi * after / 90))
    expected = falling if schedule == "cosine" else np.full(91, PEAK)
    np.testing.assert_allclose(found[10:], expected, rtol=1e-4, atol=1e-9)


def test_warm_up_longer_than_the_run_never_divides_by_zero() -> None:
    found = rates("cosine", 500)
    np.testing.assert_allclose(found, PEAK * np.arange(1, 102) / 500, rtol=1e-5)


def test_the_first_step_of_adam_moves_by_the_rate_of_step_zero() -> None:
    config = OptimizerConfig(learning_rate=PEAK, schedule="constant", warmup_steps=4)
    adam = optimizer.build(optimizer.Schedule(config, 10), epsilon=1e-7, precision="float32")
    weight = keras.Variable([1.0, 1.0])
    adam.build([weight])
    adam.apply([tf.constant([3.0, -7.0])], [weight])
    # Adam's first step is the rate times the sign of the gradient.
    np.testing.assert_allclose(weight.numpy(), [1 - PEAK / 4, 1 + PEAK / 4], rtol=1e-5)


def test_epsilon_reaches_adam() -> None:
    schedule = optimizer.Schedule(OptimizerConfig(), 10)
    assert optimizer.build(schedule, epsilon=0.5, precision="float32").epsilon == 0.5


def test_only_float16_scales_the_loss_and_undoes_it() -> None:
    schedule = optimizer.Schedule(OptimizerConfig(schedule="constant", learning_rate=PEAK), 10)
    for precision in ("float32", "mixed_bfloat16"):
        assert type(optimizer.build(schedule, epsilon=1e-7, precision=precision)) is (
            keras.optimizers.Adam
        )
    scaled = optimizer.build(schedule, epsilon=1e-7, precision="mixed_float16")
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    weight = keras.Variable([1.0])
    scaled.build([weight])
    factor = float(scaled.scale_loss(tf.constant(1.0)))
    assert factor > 1000
    scaled.apply([tf.constant([float("inf")])], [weight])
    assert weight.numpy() == [1.0]
    assert float(scaled.scale_loss(tf.constant(1.0))) < factor
    scaled.apply([tf.constant([2.0]) * scaled.scale_loss(tf.constant(1.0))], [weight])
    np.testing.assert_allclose(weight.numpy(), [1 - PEAK], rtol=1e-5)
