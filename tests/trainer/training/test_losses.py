# SPDX-License-Identifier: MIT
"""Tests of the losses: each against its definition in float64, over what is known alone."""

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from preprocessing.contract.manifest import Split
from trainer.recipe import LossConfig
from trainer.training.losses import Loss, cross_entropies, positive_weights

SHAPE = (5, 3)


def reference(logits: np.ndarray, targets: np.ndarray) -> tuple[list[float], list[int]]:
    """Each example's cross-entropy from its definition, in float64, one target at a time."""
    totals, counts = [], []
    for row, wanted in zip(logits.astype(np.float64), targets, strict=True):
        known = [(logit, target) for logit, target in zip(row, wanted, strict=True) if target >= 0]
        totals.append(sum(np.logaddexp(0, -logit if target else logit) for logit, target in known))
        counts.append(len(known))
    return totals, counts


@given(
    logits=arrays.arrays(np.float32, SHAPE, elements=st.floats(-50, 50, width=32)),
    targets=arrays.arrays(np.int64, SHAPE, elements=st.sampled_from([-1, 0, 1])),
)
@settings(max_examples=50, deadline=None)
def test_each_example_has_the_sum_over_its_known_targets(
    logits: np.ndarray, targets: np.ndarray
) -> None:
    totals, known = cross_entropies(tf.constant(logits), tf.constant(targets))
    expected_totals, expected_known = reference(logits, targets)
    np.testing.assert_allclose(totals, expected_totals, rtol=1e-5, atol=1e-6)
    assert known.numpy().tolist() == expected_known


def test_an_unknown_target_changes_neither_loss_nor_gradient() -> None:
    targets = tf.constant([[1, -1, 0]], tf.int64)
    logits = tf.Variable([[0.3, 5.0, -0.2]])
    with tf.GradientTape() as tape:
        (total,), _ = cross_entropies(logits, targets)
    gradient = tape.gradient(total, logits).numpy()
    (other,), _ = cross_entropies(tf.constant([[0.3, -80.0, -0.2]]), targets)
    assert float(total) == float(other)
    assert gradient[0, 1] == 0
    np.testing.assert_allclose(
        gradient[0, [0, 2]], [1 / (1 + np.exp(-0.3)) - 1, 1 / (1 + np.exp(0.2))], rtol=1e-5
    )


@pytest.mark.parametrize("nothing", [math.nan, math.inf])
def test_what_is_no_number_under_an_unknown_target_is_left_out_too(nothing: float) -> None:
    (total,), (known,) = cross_entropies(
        tf.constant([[0.0, nothing]]), tf.constant([[0, -1]], tf.int64)
    )
    assert (float(total), float(known)) == (pytest.approx(math.log(2)), 1.0)


def test_an_example_that_is_no_number_spoils_no_other() -> None:
    totals, _ = cross_entropies(
        tf.constant([[math.nan, 0.0], [0.0, 0.0]]), tf.constant([[1, 0], [1, 0]], tf.int64)
    )
    assert np.isfinite(totals.numpy()).tolist() == [False, True]


def test_a_batch_without_any_known_target_is_zero_of_zero() -> None:
    totals, known = cross_entropies(
        tf.constant(np.full(SHAPE, 3.0, np.float32)), tf.constant(np.full(SHAPE, -1))
    )
    assert totals.numpy().tolist() == known.numpy().tolist() == [0.0] * SHAPE[0]


def test_extreme_logits_stay_finite() -> None:
    (total,), _ = cross_entropies(tf.constant([[1e4, -1e4]]), tf.constant([[0, 1]], tf.int64))
    assert float(total) == pytest.approx(2e4)


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = tf.fill([3, 3000], tf.constant(0.1, tf.float16))
    totals, known = cross_entropies(logits, tf.zeros([3, 3000], tf.int64))
    assert totals.dtype == known.dtype == tf.float32
    one = np.log1p(np.exp(np.float64(np.float16(0.1))))
    np.testing.assert_allclose(totals, [3000 * one] * 3, rtol=1e-4)


WEIGHTS = (3.0, 1.0, 40.0)
LOSSES = [
    LossConfig(label_smoothing=0.1),
    LossConfig(name="focal"),
    LossConfig(name="focal", focal_gamma=0.5, label_smoothing=0.05),
    LossConfig(name="asymmetric"),
    LossConfig(name="asymmetric", gamma_positive=0.0, gamma_negative=0.5, margin=0.2),
    LossConfig(name="asymmetric", gamma_positive=0.0, gamma_negative=0.0, margin=0.3),
    LossConfig(name="asymmetric", margin=0.0, label_smoothing=0.05),
]


def by_definition(
    config: LossConfig,
    logits: np.ndarray,
    targets: np.ndarray,
    weights: tuple[float, ...] = (),
    teacher: np.ndarray | None = None,
    share: float = 0.0,
) -> np.ndarray:
    """Each target's loss as the papers write it, float64 [b, findings]; 0 where nothing is known.

    Sums and products of p alone, but for the logarithms, which are exact where p rounds to 1.
    """
    p, rest = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits))
    log_p, log_rest = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
    on, off, margin = {
        "bce": (0.0, 0.0, 0.0),
        "focal": (config.focal_gamma, config.focal_gamma, 0.0),
        "asymmetric": (config.gamma_positive, config.gamma_negative, config.margin),
    }[config.name]
    shifted = np.maximum(p - margin, 0)
    log_not_shifted = np.log(1 - shifted) if margin else log_rest
    positive, negative = -(rest**on) * log_p, -(shifted**off) * log_not_shifted
    aim = np.where(targets == 1, 1 - config.label_smoothing, config.label_smoothing)
    hard = aim * positive + (1 - aim) * negative
    hard *= np.where(targets == 1, weights or (1.0,) * targets.shape[1], 1)
    if teacher is None:
        return np.where(targets >= 0, hard, 0)
    soft = -teacher * log_p - (1 - teacher) * log_rest
    mixed = np.where(targets >= 0, (1 - share) * hard + share * soft, soft)
    return np.where(teacher >= 0, mixed, np.where(targets >= 0, hard, 0))


def check(config: LossConfig, logits: np.ndarray, targets: np.ndarray, **more: Any) -> None:
    """Compares sums, counts and gradients with the definition and its differences."""
    teacher = more.get("teacher")
    loss = Loss(
        config, positive_weights=more.get("weights", ()), teacher_share=more.get("share", 0)
    )
    variable = tf.Variable(logits.astype(np.float32))
    wide = variable.numpy().astype(np.float64)
    with tf.GradientTape() as tape:
        given_scores = None if teacher is None else tf.constant(teacher, tf.float32)
        sums, known = loss(variable, tf.constant(targets), given_scores)
        total = tf.reduce_sum(sums)
    if teacher is not None:
        more["teacher"] = teacher.astype(np.float32).astype(np.float64)
    expected = by_definition(config, wide, targets, **more)
    np.testing.assert_allclose(sums, expected.sum(axis=1), rtol=2e-5, atol=1e-5)
    counted = (targets >= 0) if teacher is None else (targets >= 0) | (teacher >= 0)
    np.testing.assert_array_equal(known, counted.sum(axis=1))
    assert sums.dtype == known.dtype == tf.float32
    step = 1e-5
    higher, lower = (by_definition(config, wide + by, targets, **more) for by in (step, -step))
    slopes = (higher - lower) / (2 * step)
    np.testing.assert_allclose(tape.gradient(total, variable), slopes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("config", LOSSES, ids=lambda one: f"{one.name}-{one.label_smoothing}")
@given(
    logits=arrays.arrays(np.float32, SHAPE, elements=st.floats(-30, 30, width=32)),
    targets=arrays.arrays(np.int64, SHAPE, elements=st.sampled_from([-1, 0, 1])),
    teacher=arrays.arrays(np.float32, SHAPE, elements=st.sampled_from([-1, 0, 2**-7, 0.625, 1])),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    weights=st.sampled_from([(), WEIGHTS]),
)
@settings(max_examples=20, deadline=None)
def test_losses_and_their_gradients_are_those_of_the_definition(
    config: LossConfig,
    logits: np.ndarray,
    targets: np.ndarray,
    teacher: np.ndarray,
    share: float,
    weights: tuple[float, ...],
) -> None:
    # At the margin itself the slope has a step.
    kink = np.log(config.margin / (1 - config.margin)) if config.margin else -99.0
    logits = np.where(np.abs(logits - kink) < 0.01, 0, logits)
    check(config, logits, targets, weights=weights)
    check(config, logits, targets, weights=weights, teacher=teacher, share=share)
    check(LossConfig(), logits, targets, weights=weights, teacher=teacher, share=share)


@pytest.mark.parametrize("config", [LossConfig(), *LOSSES], ids=lambda one: one.name)
@pytest.mark.parametrize("logit", [0.0, 90.0, 1e4, -90.0, -1e4])
def test_extreme_logits_give_finite_losses_and_gradients(config: LossConfig, logit: float) -> None:
    logits = tf.Variable([[logit] * 4])
    targets = tf.constant([[1, 0, -1, -1]], tf.int64)
    with tf.GradientTape() as tape:
        (total,), _ = Loss(config, teacher_share=0.5, positive_weights=[9.0] * 4)(
            logits, targets, tf.constant([[0.2, 0.7, 0.9, -1.0]])
        )
    assert 0 <= float(total) < 2e5
    assert np.isfinite(tape.gradient(total, logits).numpy()).all()


def test_without_settings_the_loss_is_the_plain_one_bit_for_bit() -> None:
    generator = np.random.default_rng(0)
    logits = tf.Variable(generator.normal(0, 4, (50, 14)).astype(np.float32))
    targets = tf.constant(generator.integers(-1, 2, (50, 14)))
    results = []
    for loss in (Loss(LossConfig()), cross_entropies):
        with tf.GradientTape() as tape:
            sums, known = loss(logits, targets)
        results.append([part.numpy() for part in (sums, known, tape.gradient(sums, logits))])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_focal_and_asymmetric_without_focus_are_cross_entropy() -> None:
    logits, targets = tf.constant([[0.3, -2.0, 5.0]]), tf.constant([[1, 0, 0]], tf.int64)
    (wanted,), _ = cross_entropies(logits, targets)
    for config in (
        LossConfig(name="focal", focal_gamma=0.0),
        LossConfig(name="asymmetric", gamma_positive=0.0, gamma_negative=0.0, margin=0.0),
    ):
        (total,), _ = Loss(config)(logits, targets)
        assert float(total) == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize("config", [LossConfig(label_smoothing=0.1), *LOSSES[1:]], ids=str)
def test_what_is_no_number_and_not_known_spoils_neither_loss_nor_gradient(
    config: LossConfig,
) -> None:
    logits = tf.Variable([[0.5, math.nan, 0.0]])
    targets = tf.constant([[1, -1, -1]], tf.int64)
    with tf.GradientTape() as tape:
        (total,), (known,) = Loss(config, teacher_share=0.5)(
            logits, targets, tf.constant([[-1.0, -1.0, 0.5]])
        )
    assert (np.isfinite(float(total)), float(known)) == (True, 2.0)
    gradient = tape.gradient(total, logits).numpy()
    assert np.isfinite(gradient).all()
    assert gradient[0, 1] == 0


def test_a_label_that_is_known_and_a_logit_that_is_no_number_are_told() -> None:
    (total,), _ = Loss(LossConfig(name="focal"))(tf.constant([[math.nan]]), tf.constant([[0]]))
    assert math.isnan(float(total))


def test_balanced_weights_are_negatives_to_positives_among_the_known() -> None:
    train = Split(
        examples=100,
        patients=100,
        positives={"Mass": 10, "Edema": 0, "Hernia": 40, "Nodule": 3},
        known={"Mass": 90, "Edema": 100, "Hernia": 40, "Nodule": 0},
        prevalence={},
        shards=[],
    )
    findings, balanced = ["Hernia", "Edema", "Mass"], LossConfig(class_weights="balanced")
    assert positive_weights(balanced, train, findings) == [1.0, 1.0, 8.0]
    assert positive_weights(LossConfig(), train, findings) == []


@pytest.mark.parametrize(
    "config",
    [
        LossConfig(),
        LossConfig(label_smoothing=0.1),
        LossConfig(name="focal"),
        LossConfig(name="asymmetric"),
    ],
    ids=lambda config: f"{config.name} {config.label_smoothing}",
)
def test_the_gradient_is_no_sum_whose_order_is_left_to_chance(config: LossConfig) -> None:
    """AddN of three tensors or more begins with the one whose buffer is free first."""

    @tf.function
    def gradient(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = tf.reduce_sum(Loss(config)(logits, targets)[0])
        return tape.gradient(total, logits)

    graph = gradient.get_concrete_function(
        tf.TensorSpec([8, 3]), tf.TensorSpec([8, 3], tf.int64)
    ).graph
    assert all(len(op.inputs) == 2 for op in graph.get_operations() if op.type == "AddN")
