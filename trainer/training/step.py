# SPDX-License-Identifier: MIT
"""The training step: forward, backward, one sum over the replicas, update.

Gradients are summed over all replicas first; everything after that (unscaling, clipping, the
decision to skip, the update) is the same arithmetic on every replica. One sum a step holds all
that replicas have to exchange.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.config import Config
from trainer.monitoring import moments
from trainer.monitoring.pulse import PULSE
from trainer.network.model import Model
from trainer.training import optimizer as optimizers
from trainer.training.augment import augment
from trainer.training.losses import Loss

Batch = dict[str, tf.Tensor]


class Step:
    """One training step of a network under a strategy.

    Args:
        strategy: how replicas work together.
        model: the network.
        optimizer: built for all trainable variables of the network.
        config: all settings.
        average: network that holds the moving average of the weights; None for none.
        frozen: whether only the head learns.
        positive_weights: of each finding, see `losses.Loss`.

    Attributes:
        strategy: as given.
        batch_size: examples in a global batch.
        compiled: the work of one replica, compiled by XLA where it is used.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: Model,
        optimizer: keras.optimizers.Optimizer,
        config: Config,
        *,
        average: keras.Model | None = None,
        frozen: bool = False,
        positive_weights: Sequence[float] = (),
    ) -> None:
        self.strategy, self._model, self._optimizer = strategy, model, optimizer
        self._config, self._average = config, average
        self.batch_size = config.data.global_batch_size
        self._loss = Loss(
            config.loss,
            positive_weights=positive_weights,
            teacher_share=config.train.teacher_share,
        )
        self._frozen, self._scaled = frozen, config.runtime.precision == "mixed_float16"
        pretrained = {id(one) for one in model.backbone.weights}
        self._variables = [
            one
            for one in model.network.trainable_variables
            if not (frozen and id(one) in pretrained)
        ]
        self._in_backbone = [id(one) in pretrained for one in self._variables]
        self._parts = config.train.accumulation_steps
        self._sums = self._accumulators() if self._parts > 1 else []
        self.compiled = tf.function(self._whole, jit_compile=True)
        self._one = self.compiled if config.runtime.xla else self._whole

    def __call__(
        self, batches: Iterator[Any], step: tf.Tensor, rate: tf.Tensor, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Takes a step; called on the host, inside a `tf.function`.

        Args:
            batches: its next element, or the next `accumulation_steps` ones, are used.
            step: optimiser steps done before, int64 [].
            rate: learning rate, float32 [].
            scale: loss scale, float32 [].

        Returns:
            Losses of the examples float32 [global batch], their mean over all known targets, the
            global norm of the gradients, which is not finite where the step was skipped, and the
            seconds until the batch was there, float64.
        """
        batch, waited = next_batch(batches)
        if self._parts == 1:
            results = self.strategy.run(self._one, args=(batch, step, rate, scale))
        else:
            self.strategy.run(self._accumulate, args=(batch, step, scale))
            for _ in tf.range(self._parts - 1):
                self.strategy.run(self._accumulate, args=(next_batch(batches)[0], step, scale))
            results = self.strategy.run(self._finish_sums, args=(rate, scale))
        # All replicas return the same, so that the first one's will do.
        local = [self.strategy.experimental_local_results(part)[0] for part in results]
        return local[0], local[1], local[2], waited

    @tf.autograph.experimental.do_not_convert
    def _whole(
        self, batch: Batch, step: tf.Tensor, rate: tf.Tensor, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return self._finish(self._sums_of(batch, step, scale), rate, scale)

    def _sums_of(self, batch: Batch, step: tf.Tensor, scale: tf.Tensor) -> list[tf.Tensor]:
        """Returns what is summed over parts and replicas: gradients, and losses by position."""
        data, size = self._config.data, self.batch_size
        key = tf.stack([tf.constant(self._config.seed, tf.int64), 2 * step])
        # 1. Both draws, of augmentation and of dropout, follow from seed and step alone.
        pixels = augment(
            batch["pixels"],
            batch["positions"],
            key=key,
            global_batch=size,
            data=data,
            augmentation=self._config.augmentation,
        )
        # 2. A frozen backbone normalises by the statistics that it was loaded with (`batch_norm`).
        self._model.backbone.trainable = not self._frozen
        with tf.GradientTape() as tape:
            logits = self._model.train_logits(
                pixels,
                batch["positions"],
                key=key + tf.constant([0, 1], tf.int64),
                global_batch=size,
            )
            losses, known = self._loss(logits, batch["targets"], batch.get("teacher"))
            # 3. Divided by what the sum would have if all targets were known, so that gradients
            # have the size of those of a mean; the exact number follows when it is summed up.
            total = tf.reduce_sum(losses) / (float(size) * batch["targets"].shape[1])
            scaled = total * scale if self._scaled else total
        gradients = tape.gradient(scaled, self._variables)
        self._model.backbone.trainable = True
        # 4. Written as sums into places of the global batch, which XLA takes with static shapes.
        spread = [
            tf.math.unsorted_segment_sum(part, batch["positions"], size) for part in (losses, known)
        ]
        return [*gradients, *spread]

    def _finish(
        self, sums: list[tf.Tensor], rate: tf.Tensor, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # 5. The one sum over the replicas: gradients and losses travel together.
        replica = tf.distribute.get_replica_context()
        everywhere = moments.summed(sums, lambda own: replica.all_reduce("SUM", own))
        *gradients, losses, known = everywhere
        targets = float(self.batch_size) * self._model.network.output_shape[-1]
        total = tf.maximum(tf.reduce_sum(known), 1.0)
        # 6. Now the number of known targets is known: the sum becomes their mean, and is unscaled.
        factor = targets / total / scale if self._scaled else targets / total
        gradients = [gradient * factor for gradient in gradients]
        # 7. An overflow anywhere makes the norm not finite, on every replica: all skip together.
        norm = self._judged(tf.linalg.global_norm(gradients))
        gradients = optimizers.clip(gradients, norm, self._config.optimizer.clip_norm)
        rates = [rate, rate * self._config.optimizer.backbone_factor]
        replica.merge_call(self._update, args=(gradients, rates, tf.math.is_finite(norm)))
        return losses / tf.maximum(known, 1.0), tf.reduce_sum(losses) / total, norm

    def _judged(self, norm: tf.Tensor) -> tf.Tensor:
        """Returns the norm, or what is not finite to have no update (`verified_step`)."""
        return norm

    def _update(
        self,
        strategy: tf.distribute.Strategy,
        gradients: list[tf.Tensor],
        rates: list[tf.Tensor],
        finite: tf.Tensor,
    ) -> None:
        """Updates the variables of all replicas, unless a gradient is not finite.

        Args:
            strategy: theirs.
            gradients: of all variables.
            rates: learning rate of the head, and of the backbone.
            finite: whether all gradients are.
        """

        def apply() -> tf.Tensor:
            both = zip(self._variables, gradients, self._in_backbone, strict=True)
            for variable, gradient, in_backbone in both:
                strategy.extended.update(
                    variable.value,
                    lambda own, by, at: self._optimizer.update_step(by, own, at),
                    args=(gradient, rates[in_backbone]),
                    group=False,
                )
            steps = self._optimizer.iterations.value
            strategy.extended.update(steps, lambda own: own.assign_add(1), group=False)
            if self._average is not None:
                self._follow(strategy, self._average, tf.cast(steps, tf.float32))
            return tf.constant(True)

        # Equal on all replicas, since it was computed from sums over all of them.
        tf.cond(strategy.experimental_local_results(finite)[0], apply, lambda: tf.constant(False))

    def _follow(
        self, strategy: tf.distribute.Strategy, average: keras.Model, steps: tf.Tensor
    ) -> None:
        """Moves the average towards the weights; at first faster, or it would keep its start.

        Batch statistics, moving averages themselves, are averaged once more, like the weights whose
        outputs they describe, so that the two lag alike.
        """
        new_share = 1.0 - tf.minimum(
            self._config.optimizer.ema_decay, (1.0 + steps) / (10.0 + steps)
        )
        pairs = zip(average.weights, self._model.network.weights, strict=True)
        for mean, weight in pairs:
            strategy.extended.update(
                mean.value,
                lambda own, new: own.assign_sub(new_share * (own - new)),
                args=(weight.value,),
                group=False,
            )

    def _accumulators(self) -> list[tf.Variable]:
        """Sums over the parts of a replica's share, private to it until the final sum."""
        losses = [[self.batch_size]] * 2
        shapes = [*(variable.shape for variable in self._variables), *losses]
        with self.strategy.scope():
            return [
                tf.Variable(
                    tf.zeros(shape),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.SUM,
                )
                for shape in shapes
            ]

    @tf.autograph.experimental.do_not_convert
    def _accumulate(self, batch: Batch, step: tf.Tensor, scale: tf.Tensor) -> None:
        for accumulator, part in zip(self._sums, self._sums_of(batch, step, scale), strict=True):
            accumulator.assign_add(part)

    @tf.autograph.experimental.do_not_convert
    def _finish_sums(
        self, rate: tf.Tensor, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        sums = [tf.identity(accumulator) for accumulator in self._sums]
        with tf.control_dependencies(sums):
            for accumulator in self._sums:
                accumulator.assign(tf.zeros_like(accumulator))
        return self._finish(sums, rate, scale)


def next_batch(batches: Iterator[Any]) -> tuple[Any, tf.Tensor]:
    """Returns the next batch and the seconds that it took."""
    start = moments.tell(PULSE.asked)
    with tf.control_dependencies([start]):
        batch = next(batches)
    return batch, moments.tell(PULSE.got, batch) - start
