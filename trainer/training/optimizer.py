# SPDX-License-Identifier: MIT
"""The optimiser, its learning rate over the steps, and loss scaling for float16."""

import math
import weakref
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from trainer.recipe import OptimizerConfig

# As in Micikevicius et al. (2018), section 3.2, with the constants that Keras uses.
_STEPS_BEFORE_GROWTH = 2000
_LEAST_SCALE, _MOST_SCALE = 1.0, 2.0**24


class Schedule:
    """Linear warm-up, then constant or cosine down to zero (Loshchilov and Hutter, 2017).

    A first phase may have a constant rate of its own, `frozen_rate`; all else begins after it.

    Args:
        config: peak rate, kind and warm-up steps.
        total_steps: steps of the whole run.
        start: step at which a later cosine began, without a warm-up; 0 for the first one.
        rate: its peak rate.
        phase: steps of the first phase (`course.own_phase`).
    """

    def __init__(
        self,
        config: OptimizerConfig,
        total_steps: int,
        *,
        start: int = 0,
        rate: float = 0.0,
        phase: int = 0,
    ) -> None:
        self._config = config
        self._total, self._start, self._phase = total_steps, start, phase
        self._rate = rate if start else config.learning_rate

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate for a step, a float32 scalar; step 0 is the first."""
        step = tf.cast(step, tf.float32)
        warmup = float(self._config.warmup_steps)
        begin = float(self._start) if self._start else self._phase + warmup
        rate = tf.constant(self._rate, tf.float32)
        if self._config.schedule == "cosine":
            share = (step - begin) / max(self._total - begin, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(share, 0.0, 1.0)))
        if warmup and not self._start:
            risen = self._config.learning_rate * (step - self._phase + 1) / warmup
            rate = tf.where(step < begin, risen, rate)
        if self._phase:
            rate = tf.where(step < self._phase, self._config.frozen_rate, rate)
        return rate


class Adam(keras.optimizers.Adam):
    """Keras's Adam (Kingma and Ba, 2015), with each variable updated by one kernel.

    No weight moves before the norm of all gradients is known to be finite, so the update cannot
    hide behind the backward pass. With Keras's operations, each a walk through memory, a step of
    32 pictures of 64 px took a sixth longer on a CPU.

    With a decay it is AdamW (Loshchilov and Hutter, 2019, algorithm 2): a weight also loses
    rate * decay of what it was before the step, whatever its gradients have been, as in PyTorch and
    Keras; in the paper the decay is not multiplied by the peak rate. Its variables are Adam's.

    Args:
        decay: times the learning rate; 0 for none.
        **settings: see `keras.optimizers.Adam`.
    """

    def __init__(self, *, decay: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        self._decay = decay
        self._made: tuple[weakref.ref[tf.Graph], dict[str, tf.Tensor]] | None = None

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Moves one variable and its two moments.

        Args:
            gradient: float32, of the variable's shape.
            variable: one of those that the optimiser was built for.
            learning_rate: float32 [].
        """
        at = self._get_variable_index(variable)
        factors = self._factors()
        if self._decay and decays(variable):
            own = _own(variable)
            own.assign_sub(learning_rate * self._decay * own)
        tf.raw_ops.ResourceApplyAdam(
            var=_own(variable).handle,
            m=_own(self._momentums[at]).handle,
            v=_own(self._velocities[at]).handle,
            lr=learning_rate,
            grad=gradient,
            **factors,
        )

    def _factors(self) -> dict[str, tf.Tensor]:
        """Returns what all variables of a step are updated by.

        In a graph they are made once: made anew for each of 160 variables, they were a third of the
        operations that a start traces and optimises.
        """
        graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        if graph is not None and self._made is not None and self._made[0]() is graph:
            return self._made[1]
        step = tf.cast(self.iterations.value + 1, tf.float32)
        betas = [tf.constant(beta, tf.float32) for beta in (self.beta_1, self.beta_2)]
        factors = {
            "beta1_power": betas[0] ** step,
            "beta2_power": betas[1] ** step,
            "beta1": betas[0],
            "beta2": betas[1],
            "epsilon": tf.constant(self.epsilon, tf.float32),
        }
        self._made = None if graph is None else (weakref.ref(graph), factors)
        return factors


def decays(variable: keras.Variable | tf.Variable) -> bool:
    """Tells kernels, which weight decay acts on, from biases and batch norm's gamma and beta.

    Every one of these is a vector, one number a channel, and no kernel is. Pulled to zero they
    would only take channels away, since what follows a normalisation has no scale to regularise.
    """
    return len(variable.shape) > 1


def _own(variable: keras.Variable | tf.Variable) -> tf.Variable:
    return variable.value if isinstance(variable, keras.Variable) else variable


def build(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """Returns the optimiser; the training step gives it its rate, and gradients summed up."""
    if config.name == "sgd":
        return keras.optimizers.SGD(config.learning_rate, name="sgd")
    return Adam(
        learning_rate=config.learning_rate,
        epsilon=config.epsilon,
        decay=config.weight_decay if config.name == "adamw" else 0.0,
        name="adam",
    )


class LossScale(NamedTuple):
    """Dynamic loss scaling: halved on an overflow, doubled after 2,000 steps without one.

    Attributes:
        value: what the loss is multiplied by, float32 [].
        good_steps: steps since it last changed, int64 [].
        skipped: steps that were skipped because of an overflow, in the whole run, int64 [].
    """

    value: tf.Tensor
    good_steps: tf.Tensor
    skipped: tf.Tensor

    def after(self, finite: tf.Tensor) -> "LossScale":
        """Returns the state after a step whose gradients were finite (bool []), or not."""
        grown = self.good_steps + 1 >= _STEPS_BEFORE_GROWTH
        factor = tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5)
        return LossScale(
            value=tf.clip_by_value(self.value * factor, _LEAST_SCALE, _MOST_SCALE),
            good_steps=tf.where(finite & ~grown, self.good_steps + 1, 0),
            skipped=self.skipped + tf.cast(~finite, tf.int64),
        )


def clip(gradients: list[tf.Tensor], norm: tf.Tensor, longest: float) -> list[tf.Tensor]:
    """Scales gradients down to a global norm of at most `longest` (Pascanu et al., 2013).

    Args:
        gradients: already summed over all replicas.
        norm: their global norm, float32 [].
        longest: 0 leaves them as they are.
    """
    if not longest:
        return gradients
    factor = tf.minimum(1.0, longest / tf.maximum(norm, 1e-30))
    return [gradient * factor for gradient in gradients]
