# SPDX-License-Identifier: MIT
"""A training step that computes its gradients twice where that is due, so that they are compared.

What computes them is in the graph once, in a loop: two copies side by side would be merged into one
by TensorFlow's optimiser, and compare a number with itself.
"""

import functools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from trainer.training.step import Batch, Step, next_batch
from trainer.training.verification import Verification


class VerifiedStep(Step):
    """A step that `verification` watches; without a fault it does as `Step`, but for roundings."""

    def __init__(self, verification: Verification, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._verification = verification
        # Parts are summed up also where there is one, so that the sum is there before it is used.
        self._sums = self._sums or self._accumulators()
        self._results = [self._accumulators() for _ in range(3)]
        verification.watch([one.path for one in self._variables], self._results)
        # A forward pass moves the batch statistics, which are put back before it is done again.
        self._statistics = [one.value for one in self._model.network.non_trainable_weights]
        with self.strategy.scope():
            self._before = [tf.Variable(one, trainable=False) for one in self._statistics]
        self._compute, self._end = self._observe, self._finish_sums
        if self._config.runtime.xla:
            compiled = functools.partial(tf.function, jit_compile=True)
            self._compute, self._end = compiled(self._observe), compiled(self._finish_sums)

    def __call__(
        self, batches: Iterator[Any], step: tf.Tensor, rate: tf.Tensor, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Takes a step, see `Step`; one that found a fault, or comes after it, changes nothing."""
        batch, waited = next_batch(batches)
        self.strategy.run(self._verification.begin, args=(step,))
        self._part(batch, step, scale)
        for _ in tf.range(self._parts - 1):
            self._part(next_batch(batches)[0], step, scale)
        results = self.strategy.run(self._end, args=(rate, scale))
        self.strategy.run(self._verification.hold)
        local = [self.strategy.experimental_local_results(part)[0] for part in results]
        return local[0], local[1], local[2], waited

    def _part(self, batch: Batch, step: tf.Tensor, scale: tf.Tensor) -> None:
        """Computes a part once, twice where that is due, and a third time where both differ."""
        due = self._verification.is_due(step)
        times, at = tf.where(due, 2, 1), tf.constant(0)
        while at < times:
            if at > 0:
                self._assign(self._statistics, self._before)
            elif due:
                self._assign(self._before, self._statistics)
            self.strategy.run(self._compute, args=(batch, step, scale, at, due))
            if at == 1:
                times += self._verification.differ()
            at += 1

    def _assign(self, to: list[tf.Variable], values: list[tf.Variable]) -> None:
        for variable, value in zip(to, values, strict=True):
            self.strategy.extended.update(
                variable, lambda own, new: own.assign(new), args=(value,), group=False
            )

    def _observe(
        self, batch: Batch, step: tf.Tensor, scale: tf.Tensor, at: tf.Tensor, due: tf.Tensor
    ) -> None:
        """Adds up what the first time gives, and keeps what all times give."""
        found = self._sums_of(batch, step, scale)

        def write(how: str, variables: list[tf.Variable]) -> tf.Tensor:
            for variable, value in zip(variables, found, strict=True):
                getattr(variable, how)(value)
            return tf.constant(True)

        tf.cond(at == 0, lambda: write("assign_add", self._sums), lambda: tf.constant(True))
        keep = [functools.partial(write, "assign", results) for results in self._results]
        tf.cond(due, lambda: tf.switch_case(at, keep), lambda: tf.constant(True))

    def _judged(self, norm: tf.Tensor) -> tf.Tensor:
        return self._verification.judge(norm)
