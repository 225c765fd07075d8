# SPDX-License-Identifier: MIT
"""What training minimises: a loss of every finding that is known, or that a teacher has a score of.

With logit z, p = sigmoid(z) and label y, the loss of one example and finding is, in nats,

    w * (y * (1-p)^g * -log p  +  (1-y) * q^h * -log(1-q)),   q = max(p - margin, 0)

with g = h = margin = 0 for binary cross-entropy; g = h for focal (Lin et al., ICCV 2017, without
their alpha); and all three for asymmetric (Ridnik et al., ICCV 2021). Gradients flow through the
focusing factors too, as they do in both papers' formulas; programs that hold the factors constant
minimise something else. Label smoothing (Szegedy et al., CVPR 2016) takes y to y * (1 - 2s) + s; s
is half of their epsilon, and of Keras's `label_smoothing`. The weight w is that of the finding's
positives where y is 1 before smoothing, and 1 elsewhere.

A teacher's score t adds the cross-entropy with t for its label, neither weighted, focused nor
smoothed, so that its minimum is at p = t (Hinton et al., 2015, at temperature 1). Where label and
score are both known, the loss is (1 - share) * hard + share * soft; a known label without a score
is learned alone; a score without a known label is learned alone, with full weight whatever the
share, and counts as known. Where neither is known, the loss is 0.

All is computed in float32 from log p = -softplus(-z), which no logit takes to log 0.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from preprocessing.contract.manifest import Split
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
        self._weights, self._share = list(positive_weights), teacher_share
        self._smoothing = config.label_smoothing
        self._gammas, self._margin = (0.0, 0.0), 0.0
        if config.name == "focal":
            self._gammas = (config.focal_gamma, config.focal_gamma)
        elif config.name == "asymmetric":
            self._gammas, self._margin = (
                (config.gamma_positive, config.gamma_negative),
                config.margin,
            )
        focused = self._gammas != (0.0, 0.0) or self._margin
        self._is_plain = not (focused or self._weights or self._smoothing)

    def __call__(
        self, logits: tf.Tensor, targets: tf.Tensor, teacher: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Sums each example's loss over what is known of it.

        Args:
            logits: float [b, findings], before the sigmoid.
            targets: int64 [b, findings]; 1 present, 0 absent, -1 unknown.
            teacher: float32 [b, findings], a teacher's scores, -1 where it has none; None without
                a teacher.

        Returns:
            float32 [b] sums in nats, and float32 [b] numbers of targets that are known, be it from
            the teacher. The mean over a global batch is the quotient of the two summed over all
            examples.
        """
        if self._is_plain and teacher is None:
            return cross_entropies(logits, targets)
        labelled = targets >= 0
        counted = labelled if teacher is None else labelled | (teacher >= 0)
        # What is not counted takes no part, whatever it is: a NaN would stay one times zero.
        logits = tf.where(counted, tf.cast(logits, tf.float32), 0.0)
        losses = tf.where(labelled, self._of_labels(logits, targets), 0.0)
        if teacher is not None:
            taught = teacher >= 0
            soft = _cross_entropy(tf.maximum(teacher, 0.0), logits)
            share = tf.where(taught, tf.where(labelled, self._share, 1.0), 0.0)
            losses = (1.0 - share) * losses + tf.where(taught, share * soft, 0.0)
        known = tf.cast(counted, tf.float32)
        return tf.reduce_sum(losses, axis=1), tf.reduce_sum(known, axis=1)

    def _of_labels(self, logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each label, float32 [b, findings]; of any value where unknown."""
        present = tf.cast(tf.maximum(targets, 0), tf.float32)
        aim = present * (1.0 - 2.0 * self._smoothing) + self._smoothing
        if self._gammas == (0.0, 0.0) and not self._margin:
            losses = _cross_entropy(aim, logits)
        else:
            gamma, _ = self._gammas
            # Minus log(1-p) and log p, once each: see `_cross_entropy` on sums of gradients.
            up, down = tf.nn.softplus(logits), tf.nn.softplus(-logits)
            positive = tf.exp(-gamma * up) * down
            losses = aim * positive + (1.0 - aim) * self._of_negatives(up, down)
        if self._weights:
            losses *= tf.where(targets == 1, tf.constant(self._weights, tf.float32), 1.0)
        return losses

    def _of_negatives(self, up: tf.Tensor, down: tf.Tensor) -> tf.Tensor:
        _, gamma = self._gammas
        if not self._margin:
            return tf.exp(-gamma * down) * up
        beyond = tf.exp(-down) - self._margin
        costs = beyond > 0
        # Where it costs nothing, any share will do that has a power and a logarithm: the gradient
        # of x^gamma at 0 is not finite for a gamma below 1, and would be NaN times zero.
        share = tf.where(costs, beyond, 0.5)
        rest = tf.where(costs, tf.exp(-up) + self._margin, 0.5)
        return tf.where(costs, share**gamma * -tf.math.log(rest), 0.0)


def positive_weights(config: LossConfig, train: Split, findings: Sequence[str]) -> list[float]:
    """Returns what positives of each finding weigh; empty where all weigh one.

    Balanced, it is negatives to positives among the known labels of the train split. A finding that
    has only positives or only negatives has nothing to balance: its weight is 1.
    """
    if config.class_weights == "none":
        return []
    counts = [(train.positives[name], train.known[name]) for name in findings]
    return [
        (known - positives) / positives if 0 < positives < known else 1.0
        for positives, known in counts
    ]


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
    losses = _cross_entropy(present, tf.cast(logits, tf.float32))
    # Not multiplied by `known` alone: a NaN under an unknown target would stay a NaN.
    losses = tf.where(targets >= 0, losses, tf.zeros_like(losses))
    return tf.reduce_sum(losses, axis=1), tf.reduce_sum(known, axis=1)


@tf.custom_gradient
def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Returns the cross-entropy of each logit, float32, with a gradient that repeats bit by bit.

    TensorFlow's own is a sum of four tensors, AddN, which begins with whichever of their buffers is
    free first: so the last bit may differ when the same step is computed twice.
    """

    def gradient(upstream: tf.Tensor) -> tuple[None, tf.Tensor]:
        return None, upstream * (tf.sigmoid(logits) - labels)

    return tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), gradient
