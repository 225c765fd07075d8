# SPDX-License-Identifier: MIT
"""The memory of a step follows from its graph; the figures here are counted by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from trainer.config import Config
from trainer.training import optimizer
from trainer.training.footprint import TRACED_BATCH, Footprint, trace
from trainer.training.step import Step


def footprint(function: Callable[..., Any], *shapes: list[int]) -> Footprint:
    given = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return Footprint(tf.function(function).get_concrete_function(*given).graph)


def test_a_tensor_lives_from_its_making_to_its_last_reader() -> None:
    def chain(x: tf.Tensor) -> tf.Tensor:
        a = tf.exp(x)  # 40 bytes an example
        b = tf.exp(a)  # a dies here
        c = tf.reshape(b, [-1])  # the same buffer
        return tf.reduce_sum(tf.concat([c, c], 0))  # 80 bytes beside b

    found = footprint(chain, [TRACED_BATCH, 10])
    assert found.peak(1) == 120 and found.peak(7) == 7 * 120


def test_what_does_not_grow_with_the_batch_is_counted_once() -> None:
    def both(x: tf.Tensor) -> tf.Tensor:
        weights = tf.exp(tf.ones([10, 10]))  # 400 bytes
        return tf.reduce_sum(tf.matmul(tf.exp(x), weights))  # 40 and 40 bytes an example

    found = footprint(both, [TRACED_BATCH, 10])
    assert (found.peak(1), found.peak(5)) == (480, 800)


def test_pairs_of_examples_grow_with_the_square_of_the_batch() -> None:
    def pairs(x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.matmul(x, x, transpose_b=True))

    assert footprint(pairs, [TRACED_BATCH, 10]).peak(8) == 4 * 64 + 4


def test_what_is_kept_is_what_the_backward_pass_reads() -> None:
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            a = tf.exp(x)  # kept: its own gradient
            b = a + 1.0  # not kept, nor is what it is made of for its own sake
            total = tf.reduce_sum(tf.tanh(b))  # kept, likewise
        return tape.gradient(total, x)

    found = footprint(gradient, [TRACED_BATCH, 10])
    assert found.kept(3) == 3 * 2 * 40


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_step_of_two_layers_keeps_what_can_be_counted(
    make_tiny_model: Callable[..., Any], one_device: Any, decay: float
) -> None:
    config = Config()
    config.data.image_size, config.optimizer.ema_decay = 32, decay
    made = make_tiny_model(hidden=8)
    chosen = optimizer.build(config.optimizer)
    chosen.build(made.network.trainable_variables)

    def step(settings: Config) -> Step:
        average = make_tiny_model().network if decay else None
        return Step(one_device.strategy, made, chosen, settings, average=average)

    found = trace(step, config, stored=40, findings=3)
    example = found.kept(2) - found.kept(1)
    # The pooled picture, 16 x 32 float32, which the first weights' gradient reads; what is behind
    # it has 8 and 3 columns. The pictures before it are read by no gradient.
    assert 16 * 32 * 4 < example < 16 * 32 * 4 + 600
    assert found.peak(64) > found.kept(64)
    assert config.data.global_batch_size == 64
