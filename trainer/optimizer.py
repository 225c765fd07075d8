# SPDX-License-Identifier: MIT
"""Adam, its learning rate over the steps, and loss scaling for float16."""

import math

import keras
import tensorflow as tf

from trainer.config import OptimizerConfig


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant or cosine down to zero (Loshchilov and Hutter, 2017).

    Args:
        config: peak rate, kind and warm-up steps.
        total_steps: steps of the whole run.
    """

    def __init__(self, config: OptimizerConfig, total_steps: int) -> None:
        self._config = config
        self._total = total_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate for a step, a float32 scalar; step 0 is the first."""
        step = tf.cast(step, tf.float32)
        warmup = float(self._config.warmup_steps)
        rate = tf.constant(self._config.learning_rate, tf.float32)
        if self._config.schedule == "cosine":
            share = (step - warmup) / max(self._total - warmup, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(share, 0.0, 1.0)))
        if warmup:
            rate = tf.where(step < warmup, self._config.learning_rate * (step + 1) / warmup, rate)
        return rate

    def get_config(self) -> dict[str, float]:
        """Returns what Keras asks every schedule for."""
        return {"total_steps": self._total, "learning_rate": self._config.learning_rate}


def build(schedule: Schedule, *, epsilon: float, precision: str) -> keras.optimizers.Optimizer:
    """Returns Adam; in mixed_float16 wrapped so that small gradients do not vanish."""
    adam = keras.optimizers.Adam(schedule, epsilon=epsilon)
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam
