# SPDX-License-Identifier: MIT
"""Binary cross-entropy over the findings that are known."""

import tensorflow as tf


def masked_cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums binary cross-entropy over known targets.

    Args:
        logits: float [b, findings], before the sigmoid.
        targets: int64 [b, findings]; 1 present, 0 absent, -1 unknown.

    Returns:
        float32 [] sum in nats, and float32 [] number of known targets. The mean over a global batch
        is the quotient of the two summed over all replicas.
    """
    known = tf.cast(targets >= 0, tf.float32)
    present = tf.cast(tf.maximum(targets, 0), tf.float32)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(present, tf.cast(logits, tf.float32))
    return tf.reduce_sum(losses * known), tf.reduce_sum(known)
