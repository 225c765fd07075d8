# SPDX-License-Identifier: MIT
"""Runs several training steps in one host call, compiled, and reports what they measured.

The way of a step: `loop` decides how many come next; `calls` picks the function that was compiled
for them, one while the backbone is frozen and one for the time after; that function, made here,
loops on the device; and `step` computes and applies the gradients of each.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.training.optimizer import LossScale, Schedule
from trainer.training.step import Step


class Measured(NamedTuple):
    """What the steps of one host call report.

    Attributes:
        losses: mean over the known targets of each example, float32 [steps, global batch] in nats.
        loss: mean over all known targets of each step, float32 [steps].
        norms: global norm of the gradients before clipping, float32 [steps].
        scale: state of the loss scaling after the last step.
        waited: seconds that the first step waited for its batch, float64 [].
        signals: mean of the signals that the processes gave, float32 [n].
    """

    losses: tf.Tensor
    loss: tf.Tensor
    norms: tf.Tensor
    scale: LossScale
    waited: tf.Tensor
    signals: tf.Tensor


# Runs `count` steps from step `first` on: (batches, first, count, rate factor, scale, signals).
Steps = Callable[[Iterator[Any], tf.Tensor, tf.Tensor, tf.Tensor, LossScale, tf.Tensor], Measured]


def make_steps(step: Step, schedule: Schedule) -> Steps:
    """Compiles the function that runs several training steps in one host call.

    Args:
        step: one step.
        schedule: learning rate over the steps.
    """

    @tf.function(reduce_retracing=True)
    def steps(
        batches: Iterator[Any],
        first: tf.Tensor,
        count: tf.Tensor,
        factor: tf.Tensor,
        scale: LossScale,
        signals: tf.Tensor,
    ) -> Measured:
        losses = tf.TensorArray(tf.float32, size=count, element_shape=[step.batch_size])
        means = tf.TensorArray(tf.float32, size=count, element_shape=[])
        norms = tf.TensorArray(tf.float32, size=count, element_shape=[])
        waited = tf.constant(0.0, tf.float64)
        for at in tf.range(count):
            number = first + tf.cast(at, tf.int64)
            rate = schedule(number) * factor
            each, mean, norm, wait = step(batches, number, rate, scale.value)
            scale = scale.after(tf.math.is_finite(norm))
            losses = losses.write(at, each)
            means, norms = means.write(at, mean), norms.write(at, norm)
            # Only before the first step is the accelerator known to have nothing to do.
            waited = tf.where(at == 0, wait, waited)
        return Measured(
            losses=losses.stack(),
            loss=means.stack(),
            norms=norms.stack(),
            scale=scale,
            waited=waited,
            signals=_agreed(step.strategy, signals),
        )

    return steps  # type: ignore[no-any-return]


def _agreed(strategy: tf.distribute.Strategy, signals: tf.Tensor) -> tf.Tensor:
    """Returns the mean of the signals over all replicas, so that all processes see the same."""

    def mean() -> tf.Tensor:
        return tf.distribute.get_replica_context().all_reduce("MEAN", tf.identity(signals))

    return strategy.experimental_local_results(strategy.run(mean))[0]
