# SPDX-License-Identifier: MIT
"""Binary cross-entropy over the findings that are known."""

from collections.abc import Sequence

import tensorflow as tf

from trainer.recipe import LossConfig


class Loss:
    """The loss that a run's settings ask for.

    Args:
        config: which one, and its parameters.
        positive_weights: of each finding, what its positives weigh; empty for one.
        teacher_share: share of the loss that a teacher's scores have, where there are any.
    """

    def __init__(
        self,
        config: LossConfig,
        *,
        positive_weights: Sequence[float] = (),
        teacher_share: float = 0.0,
    ) -> None:
        self._config = config

    def __call__(
        self, logits: tf.Tensor, targets: tf.Tensor, teacher: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Sums each example's loss over its known targets.

        Args:
            logits: float [b, findings], before the sigmoid.
            targets: int64 [b, findings]; 1 present, 0 absent, -1 unknown.
            teacher: float32 [b, findings], a teacher's scores, -1 where it has none; None without
                a teacher.

        Returns:
            float32 [b] sums in nats, and float32 [b] numbers of known targets.
        """
        return cross_entropies(logits, targets)


def cross_entropies(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums each example's binary cross-entropy over its known targets.

    Args:
        logits: float [b, findings], before the sigmoid.
        targets: int64 [b, findings]; 1 present, 0 absent, -1 unknown.

    Returns:
        float32 [b] sums in nats, and float32 [b] numbers of known targets. The mean over a global
        batch is the quotient of the two summed over all examples.
    """
    known = tf.cast(targets >= 0, tf.float32)
    present = tf.cast(tf.maximum(targets, 0), tf.float32)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(present, tf.cast(logits, tf.float32))
    # Not multiplied by `known` alone: a NaN under an unknown target would stay a NaN.
    losses = tf.where(targets >= 0, losses, tf.zeros_like(losses))
    return tf.reduce_sum(losses, axis=1), tf.reduce_sum(known, axis=1)
