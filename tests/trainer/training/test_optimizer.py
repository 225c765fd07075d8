# SPDX-License-Identifier: MIT
"""Tests of the learning rate over the steps, of the optimisers, of loss scaling and clipping."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.recipe import OptimizerConfig
from trainer.training import optimizer

PEAK = 0.02


def rates(schedule: str, warmup_steps: int, total: int = 100) -> np.ndarray:
    config = OptimizerConfig(learning_rate=PEAK, schedule=schedule, warmup_steps=warmup_steps)
    made = optimizer.Schedule(config, total)
    return np.array([float(made(tf.constant(step, tf.int64))) for step in range(total + 1)])


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_constant_is_constant_and_plateau_is_lowered_elsewhere(schedule: str) -> None:
    np.testing.assert_allclose(rates(schedule, 0), PEAK, rtol=1e-6)


def test_a_rate_is_a_float32_scalar_inside_a_function_too() -> None:
    made = optimizer.Schedule(OptimizerConfig(learning_rate=PEAK, schedule="cosine"), 10)
    rate = tf.function(made)(tf.constant(5, tf.int64))
    assert (rate.dtype, rate.shape) == (tf.float32, [])
    assert float(rate) == pytest.approx(PEAK / 2)


def test_cosine_falls_from_the_peak_to_zero_at_the_last_step() -> None:
    expected = PEAK * 0.5 * (1 + np.cos(np.pi * np.arange(101) / 100))
    np.testing.assert_allclose(rates("cosine", 0), expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_warm_up_rises_linearly_and_reaches_the_peak_before_the_schedule_begins(
    schedule: str,
) -> None:
    found = rates(schedule, 10)
    np.testing.assert_allclose(found[:10], PEAK * np.arange(1, 11) / 10, rtol=1e-5)
    after = np.arange(91)
    falling = PEAK * 0.5 * (1 + np.cos(np.pi * after / 90))
    expected = falling if schedule == "cosine" else np.full(91, PEAK)
    np.testing.assert_allclose(found[10:], expected, rtol=1e-4, atol=1e-9)


def test_warm_up_longer_than_the_run_never_divides_by_zero() -> None:
    found = rates("cosine", 500)
    np.testing.assert_allclose(found, PEAK * np.arange(1, 102) / 500, rtol=1e-5)


def test_cosine_stays_at_zero_past_the_last_step() -> None:
    made = optimizer.Schedule(OptimizerConfig(learning_rate=PEAK, schedule="cosine"), 10)
    assert float(made(tf.constant(10, tf.int64))) == float(made(tf.constant(50, tf.int64)))
    assert float(made(tf.constant(50, tf.int64))) == pytest.approx(0, abs=1e-9)


def test_a_later_cosine_falls_from_its_own_rate_without_a_warm_up() -> None:
    config = OptimizerConfig(learning_rate=PEAK, schedule="cosine", warmup_steps=150)
    made = optimizer.Schedule(config, 120, start=100, rate=0.3)
    found = [float(made(tf.constant(step, tf.int64))) for step in (100, 110, 120)]
    np.testing.assert_allclose(found, [0.3, 0.15, 0.0], atol=1e-7)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
@pytest.mark.parametrize("warmup", [0, 10])
@pytest.mark.parametrize("phase", [0, 25])
def test_after_a_phase_at_its_own_rate_the_schedule_begins_and_ends_with_the_run(
    schedule: str, warmup: int, phase: int
) -> None:
    config = OptimizerConfig(
        learning_rate=PEAK, schedule=schedule, warmup_steps=warmup, frozen_rate=0.3
    )
    made = optimizer.Schedule(config, 100, phase=phase)
    found = [float(made(tf.constant(step, tf.int64))) for step in range(101)]
    after = 0.5 * (1 + np.cos(np.pi * np.arange(101 - phase - warmup) / (100 - phase - warmup)))
    expected = [
        np.full(phase, 0.3),
        PEAK * np.arange(1, warmup + 1) / max(warmup, 1),
        PEAK * (after if schedule == "cosine" else np.ones_like(after)),
    ]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-4, atol=1e-8)


def test_the_first_step_of_adam_moves_by_the_rate_that_it_is_given() -> None:
    adam = optimizer.build(OptimizerConfig(name="adam", learning_rate=0.5))
    assert isinstance(adam, keras.optimizers.Adam)
    weight = keras.Variable([1.0, 1.0])
    adam.build([weight])
    adam.update_step(tf.constant([3.0, -7.0]), weight, tf.constant(PEAK))
    # Adam's first step is the rate times the sign of the gradient.
    np.testing.assert_allclose(weight.numpy(), [1 - PEAK, 1 + PEAK], rtol=1e-5)


def walk(adam: keras.optimizers.Adam) -> tuple[list[np.ndarray], list[str]]:
    """Returns weights and moments after some steps at changing rates, and how they are called."""
    generator = np.random.default_rng(5)
    weights = [
        keras.Variable(generator.normal(size=size).astype("float32"), name="weight")
        for size in ((3, 4), (7,), (2, 2, 5))
    ]
    adam.build(weights)

    @tf.function
    def step(gradients: list[tf.Tensor], rate: tf.Tensor) -> None:
        for gradient, weight in zip(gradients, weights, strict=True):
            adam.update_step(gradient, weight.value, rate)
        adam.iterations.assign_add(1)

    for at in range(12):
        sizes = [10.0 ** generator.integers(-6, 3) for _ in weights]
        gradients = [
            tf.constant(generator.normal(size=weight.shape) * size, tf.float32)
            for weight, size in zip(weights, sizes, strict=True)
        ]
        step(gradients, tf.constant(PEAK / (at + 1)))
    variables = [*weights, *adam.variables]
    return [one.numpy() for one in variables], [one.path for one in adam.variables]


@pytest.mark.parametrize("epsilon", [1e-7, 1e-3])
def test_adam_in_one_kernel_is_kerass_adam(epsilon: float) -> None:
    found, names = walk(optimizer.build(OptimizerConfig(learning_rate=0.5, epsilon=epsilon)))
    kerass = keras.optimizers.Adam(0.5, epsilon=epsilon, name="adam")
    expected, expected_names = walk(kerass)
    assert names == expected_names
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6 * np.abs(theirs).max())


def adamw_in_numpy(
    weights: list[np.ndarray], gradients: list[list[np.ndarray]], decaying: list[bool]
) -> list[np.ndarray]:
    """Algorithm 2 of Loshchilov and Hutter (2019) in float64."""
    weights = [weight.astype(np.float64) for weight in weights]
    moments = [[np.zeros_like(weight), np.zeros_like(weight)] for weight in weights]
    for at, step in enumerate(gradients, start=1):
        rate = PEAK / at
        for which, gradient in enumerate(step):
            one, two = moments[which]
            one[:] = 0.9 * one + 0.1 * gradient
            two[:] = 0.999 * two + 0.001 * gradient**2
            way = one / (1 - 0.9**at) / (np.sqrt(two / (1 - 0.999**at)) + 1e-7)
            decay = 0.4 * weights[which] if decaying[which] else 0.0
            weights[which] = weights[which] - rate * (way + decay)
    return weights


def test_adamw_is_the_published_one_and_spares_norms_and_biases() -> None:
    generator = np.random.default_rng(8)
    shapes = [(3, 3, 2, 4), (4,), (4,), (6, 5), (5,)]
    decaying = [True, False, False, True, False]
    start = [generator.normal(size=shape).astype(np.float32) for shape in shapes]
    gradients = [
        [generator.normal(size=shape).astype(np.float32) * 10.0**-at for shape in shapes]
        for at in range(8)
    ]
    found = []
    ours = optimizer.build(OptimizerConfig(name="adamw", weight_decay=0.4))
    kerass = keras.optimizers.AdamW(weight_decay=0.4, epsilon=1e-7, name="adam")
    for made in (ours, kerass):
        weights = [keras.Variable(value, name="weight") for value in start]
        if made is kerass:
            spared = [one for one, decays in zip(weights, decaying, strict=True) if not decays]
            kerass.exclude_from_weight_decay(var_list=spared)
        made.build(weights)
        for at, step in enumerate(gradients, start=1):
            if made is kerass:
                kerass.learning_rate = PEAK / at
                kerass.apply([tf.constant(one, tf.float32) for one in step], weights)
                continue
            for gradient, weight in zip(step, weights, strict=True):
                ours.update_step(tf.constant(gradient, tf.float32), weight, tf.constant(PEAK / at))
            ours.iterations.assign_add(1)
        found.append([weight.numpy() for weight in weights])
    expected = adamw_in_numpy(start, gradients, decaying)
    for own, theirs, reference in zip(*found, expected, strict=True):
        np.testing.assert_allclose(own, reference, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(own, theirs, rtol=2e-5, atol=1e-6)


def test_adamw_has_adams_variables() -> None:
    paths = []
    for name in ("adam", "adamw"):
        made = optimizer.build(OptimizerConfig(name=name))
        made.build([keras.Variable([[1.0]], name="weight")])
        paths.append([variable.path for variable in made.variables])
    assert paths[0] == paths[1]


def test_only_the_kernels_of_resnet_50_and_of_the_head_decay(resnet: Any) -> None:
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for variable in resnet.network.trainable_variables:
        kinds[optimizer.decays(variable)].append(variable.path.split("/")[-1])
    # 53 convolutions, each with a bias and a normalisation, and two dense layers.
    assert {name: kinds[True].count(name) for name in kinds[True]} == {"kernel": 55}
    counted = {name: kinds[False].count(name) for name in kinds[False]}
    assert counted == {"bias": 55, "gamma": 53, "beta": 53}


def test_sgd_is_plain() -> None:
    sgd = optimizer.build(OptimizerConfig(name="sgd", learning_rate=0.5))
    weight = keras.Variable([1.0, 1.0])
    sgd.build([weight])
    for _ in range(2):
        sgd.update_step(tf.constant([3.0, -7.0]), weight, tf.constant(PEAK))
    np.testing.assert_allclose(weight.numpy(), [1 - 6 * PEAK, 1 + 14 * PEAK], rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_an_optimiser_has_the_same_variables_in_every_process(name: str) -> None:
    """Checkpoints tell them by their names."""
    paths = []
    for _ in range(2):
        made = optimizer.build(OptimizerConfig(name=name))
        made.build([keras.Variable([1.0], name="weight")])
        paths.append([variable.path for variable in made.variables])
    assert paths[0] == paths[1]


def test_epsilon_reaches_adam() -> None:
    assert optimizer.build(OptimizerConfig(epsilon=0.5)).epsilon == 0.5


def scale(value: float, good_steps: int = 0, skipped: int = 0) -> optimizer.LossScale:
    return optimizer.LossScale(
        tf.constant(value), tf.constant(good_steps, tf.int64), tf.constant(skipped, tf.int64)
    )


def numbers(found: optimizer.LossScale) -> tuple[float, int, int]:
    assert [part.dtype for part in found] == [tf.float32, tf.int64, tf.int64]
    return float(found.value), int(found.good_steps), int(found.skipped)


@pytest.mark.parametrize(
    ("before", "finite", "after"),
    [
        ((1024.0, 5, 2), True, (1024.0, 6, 2)),
        ((1024.0, 5, 2), False, (512.0, 0, 3)),
        ((1024.0, 1998, 2), True, (1024.0, 1999, 2)),
        ((1024.0, 1999, 2), True, (2048.0, 0, 2)),
        ((1024.0, 1999, 2), False, (512.0, 0, 3)),
        ((1.0, 5, 2), False, (1.0, 0, 3)),
        ((2.0**24, 1999, 2), True, (2.0**24, 0, 2)),
    ],
)
def test_the_loss_scale_halves_on_an_overflow_and_doubles_after_2000_steps_without(
    before: tuple[float, int, int], finite: bool, after: tuple[float, int, int]
) -> None:
    assert numbers(scale(*before).after(tf.constant(finite))) == after
    compiled = tf.function(lambda state, good: state.after(good))
    assert numbers(compiled(scale(*before), tf.constant(finite))) == after


def gradients() -> list[tf.Tensor]:
    generator = np.random.default_rng(3)
    return [tf.constant(generator.normal(size=size), tf.float32) for size in ((3, 4), (5,), (1,))]


@pytest.mark.parametrize("longest", [0.01, 1.0, 1e6])
def test_clipping_equals_tensorflows(longest: float) -> None:
    given = gradients()
    expected, norm = tf.clip_by_global_norm(given, longest)
    for found, wanted in zip(optimizer.clip(given, norm, longest), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_no_limit_leaves_gradients_as_they_are() -> None:
    given = gradients()
    assert optimizer.clip(given, tf.constant(1e9), 0.0) is given


def test_gradients_of_no_length_stay_zero_when_clipped() -> None:
    (found,) = optimizer.clip([tf.zeros([3])], tf.constant(0.0), 1.0)
    assert found.numpy().tolist() == [0.0] * 3
