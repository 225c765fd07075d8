# SPDX-License-Identifier: MIT
"""Batch normalisation whose result does not depend on how a global batch is shared out.

In training it normalises by the statistics of the batch, and its moving statistics, which
validation, evaluation and the SavedModel use, follow those (`momentum`). What becomes of both is
decided by the phase of a run:

- While the backbone is frozen (`train.frozen_epochs`), whatever `model.batch_norm` says, it
  normalises by the moving statistics that it was loaded with, and keeps them. They are part of what
  was pretrained: the head learns from the features that inference will give it, and is not handed
  statistics of other pictures under kernels that cannot follow them.
- Afterwards, with `synchronized`, it normalises by the global batch, and the moving statistics
  come to be those of radiographs: right where everything learns and a batch is not small, as the
  kernels are then fitted to what the statistics are. The first steps pay for the change.
- With `per_replica` it normalises by a replica's own share, with no exchange in the forward pass.
  The moving statistics follow the mean over the replicas, and are equal on all of them. As good
  where a share is not small (16 or more), and noisier below that; so is `synchronized` with
  `train.accumulation_steps`, whose statistics are those of a part.
- With `frozen` it goes on as in the frozen phase, for the whole run, while kernels, gamma and beta
  learn: training and inference are one function. Right for few pictures or small batches, whose
  statistics would be noise, and for small rates: the further the kernels move, the less do the
  old statistics normalise. Those of random kernels, mean 0 and variance 1, never did (`check`).

`optimizer.backbone_factor=0` is not a frozen phase: no weight of the backbone moves, but batches
are normalised by their own statistics, and the moving ones follow. A moving average of the weights
(`optimizer.ema_decay`) averages the moving statistics too, and leaves kept ones as they are.
"""

from typing import Any

import keras
import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from trainer.monitoring import moments
from trainer.recipe import ModelConfig


class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation (Ioffe and Szegedy, 2015) over the last axis, under any strategy.

    Keras's own layer sums x and x squared when it synchronises, and where it does not, replicas end
    with different moving statistics of which only the first replica's are saved. Here means and
    variances are each averaged over the replicas, which all have equally many examples, so the
    statistics are those of the global batch and as precise as on one device; and moving statistics
    are equal on all replicas in either case. It has the name of Keras's layer because weights files
    name layers by their class.

    Args:
        synchronized: whether replicas normalise by the statistics of the global batch or by those
            of their own share.
        **settings: see `keras.layers.BatchNormalization`.

    Attributes:
        is_first: whether it is the first in its network, where a replica waits for late ones; it
            reports this wait.
    """

    is_first = False

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        """Normalises [..., channels], in training by the batch, else by the moving statistics."""
        if not (training and self.trainable):
            return super().call(inputs, training=False, mask=mask)
        # 1. In float32 whatever the policy: sums over a batch lose too much in 16 bits.
        inputs = tf.cast(inputs, tf.float32)
        axes = list(range(inputs.shape.rank - 1))
        mean = tf.reduce_mean(inputs, axes)
        if self.synchronized and self.is_first:
            mean = moments.summed(mean, _mean_over_replicas)
        elif self.synchronized:
            mean = _mean_over_replicas(mean)
        # 2. Squared distances from the mean of all, not E[x^2] - E[x]^2, which cancels digits.
        variance = tf.reduce_mean(tf.math.squared_difference(inputs, mean), axes)
        if self.synchronized:
            variance = _mean_over_replicas(variance)
        # 3. Moving statistics, which inference uses, never depend on how the batch was shared out.
        self._remember(mean, variance)
        # 4. One multiplication and one addition, in float32, then back to the policy's type.
        scale = tf.math.rsqrt(variance + self.epsilon)
        scale = scale * tf.convert_to_tensor(self.gamma) if self.scale else scale
        shift = tf.convert_to_tensor(self.beta) if self.center else 0.0
        return tf.cast((inputs - mean) * scale + shift, self.compute_dtype)

    def _remember(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Lets the moving statistics follow, by the same amount on every replica."""
        both = tf.stop_gradient(tf.stack([mean, variance]))
        if not self.synchronized:
            both = _mean_over_replicas(both)
        for moving, new in ((self.moving_mean, both[0]), (self.moving_variance, both[1])):
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))


def check(config: ModelConfig) -> None:
    """Refuses to keep the batch statistics of weights that have none.

    Raises:
        ConfigError: `batch_norm` is frozen, and the start is from random weights.
    """
    if config.batch_norm == "frozen" and config.weights == "none":
        raise ConfigError(
            "model.batch_norm=frozen keeps the batch statistics that come with pretrained weights, "
            "and model.weights=none has none: give weights, or set model.batch_norm=synchronized"
        )


def replace_in(
    backbone: keras.Model, *, momentum: float, synchronized: bool, random: bool = True
) -> keras.Model:
    """Returns a copy of a network, with new weights, whose batch normalisation is ours.

    Args:
        backbone: the network.
        momentum: of the moving statistics.
        synchronized: see `BatchNormalization`.
        random: False for kernels of zeros, which take no time, where others are read anyway.
    """

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        settings = layer.get_config()
        if not random and "kernel_initializer" in settings:
            settings["kernel_initializer"] = "zeros"
        if not isinstance(layer, keras.layers.BatchNormalization):
            return layer.__class__.from_config(settings)
        return BatchNormalization.from_config(
            settings | {"momentum": momentum, "synchronized": synchronized}
        )

    made = keras.models.clone_model(backbone, clone_function=copy)
    layers = (layer for layer in made.layers if isinstance(layer, BatchNormalization))
    next(layers).is_first = True
    return made


def _mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce("MEAN", value)
