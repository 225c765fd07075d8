# SPDX-License-Identifier: MIT
"""Tests of the training step: what it computes, what it leaves alone, and that XLA takes it."""

import itertools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import Config
from trainer.data import dataset
from trainer.network import batch_norm, model
from trainer.training import optimizer
from trainer.training.losses import cross_entropies
from trainer.training.optimizer import LossScale
from trainer.training.step import Step
from trainer.training.steps import make_steps

ROOT = pathlib.Path(__file__).parents[3]
SCALE = LossScale(tf.constant(1.0), tf.constant(0, tf.int64), tf.constant(0, tf.int64))


class Trainer:
    """A network, its optimiser and its compiled steps on one device."""

    def __init__(
        self,
        make: Callable[..., model.Model],
        data_set: Any,
        config: Config,
        *,
        frozen: bool,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.strategy, self.config, self.data_set = strategy, config, data_set
        with strategy.scope():
            self.model = made = make(seed=1, dropout=0.0)
            self.optimizer = optimizer.build(config.optimizer)
            self.optimizer.build(made.network.trainable_variables)
            self.average = None
            if config.optimizer.ema_decay:
                self.average = keras.models.clone_model(made.network)
                self.average.set_weights(made.network.get_weights())
        self.step = Step(
            self.strategy, made, self.optimizer, config, average=self.average, frozen=frozen
        )
        schedule = optimizer.Schedule(config.optimizer, 100)
        self.steps = make_steps(self.step, schedule)

    def batches(self, parts: int = 1) -> Any:
        return iter(
            dataset.train_batches(
                self.strategy,
                folder=self.data_set.folder,
                manifest=self.data_set.manifest,
                config=self.config.data,
                seed=0,
                start_step=0,
                parts=parts,
            )
        )

    def run(self, count: int, scale: LossScale = SCALE) -> Any:
        return self.steps(
            self.batches(self.config.train.accumulation_steps),
            tf.constant(0, tf.int64),
            tf.constant(count),
            tf.constant(1.0),
            scale,
            tf.constant([0.0, 0.5]),
        )


@pytest.fixture
def tiny(
    make_tiny_model: Callable[..., model.Model],
    data_set: Any,
    small_settings: Callable[[], Config],
    on_device: Any,
) -> Callable[..., Trainer]:
    """Makes a trainer of the tiny network; keywords are settings with "__" for the dot."""

    def make(*, frozen: bool = False, **changes: Any) -> Trainer:
        config = small_settings()
        config.optimizer.name = "sgd"
        config.optimizer.learning_rate = 0.1
        for name, value in changes.items():
            section, _, setting = name.partition("__")
            setattr(getattr(config, section), setting, value)
        strategy = on_device.strategy
        return Trainer(make_tiny_model, data_set, config, frozen=frozen, strategy=strategy)

    return make


def test_a_step_is_plain_gradient_descent_on_the_mean_over_known_targets(
    tiny: Callable[..., Trainer],
) -> None:
    trainer = tiny(data__crop_fraction=0.8, data__flip=False)
    made = trainer.model
    before = [variable.numpy() for variable in made.network.trainable_variables]
    measured = trainer.run(1)
    after = [variable.numpy() for variable in made.network.trainable_variables]
    for variable, value in zip(made.network.trainable_variables, before, strict=True):
        variable.assign(value)
    (batch,) = itertools.islice(trainer.batches(), 1)
    from trainer.training.augment import augment

    data = trainer.config.data
    pixels = augment(
        batch["pixels"],
        batch["positions"],
        key=tf.constant([trainer.config.seed, 0], tf.int64),
        global_batch=data.global_batch_size,
        data=data,
        augmentation=trainer.config.augmentation,
    )
    with tf.GradientTape() as tape:
        losses, known = cross_entropies(made.network(pixels, training=True), batch["targets"])
        loss = tf.reduce_sum(losses) / tf.reduce_sum(known)
    gradients = tape.gradient(loss, made.network.trainable_variables)
    assert float(measured.loss[0]) == pytest.approx(float(loss), rel=1e-5)
    assert float(measured.norms[0]) == pytest.approx(
        float(tf.linalg.global_norm(gradients)), rel=1e-4
    )
    np.testing.assert_allclose(measured.losses[0], losses / known, rtol=1e-5)
    for old, new, gradient in zip(before, after, gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulated_parts_make_the_same_step(
    tiny: Callable[..., Trainer],
    parts: int,
) -> None:
    whole = tiny()
    accumulated = tiny(train__accumulation_steps=parts)
    one, other = whole.run(4), accumulated.run(4)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-5)
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4)
    pairs = zip(whole.model.network.weights, accumulated.model.network.weights, strict=True)
    for first, second in pairs:
        np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=1e-5, atol=1e-6)


def test_clipping_bounds_the_step_by_the_norm_of_the_whole_gradient(
    tiny: Callable[..., Trainer],
) -> None:
    trainer = tiny(optimizer__clip_norm=0.01)
    before = trainer.model.network.get_weights()
    measured = trainer.run(1)
    assert float(measured.norms[0]) > 0.01
    moved = [
        float(np.sum((one - other) ** 2))
        for one, other in zip(before, trainer.model.network.get_weights(), strict=True)
    ]
    assert np.sqrt(sum(moved)) == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_a_frozen_backbone_stays_and_the_head_learns(
    tiny: Callable[..., Trainer],
) -> None:
    trainer = tiny(frozen=True)
    backbone = trainer.model.backbone.get_weights()
    head = trainer.model.head.get_weights()
    trainer.run(3)
    for one, other in zip(backbone, trainer.model.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(
        (one != other).any()
        for one, other in zip(head, trainer.model.head.get_weights(), strict=True)
    )
    assert trainer.model.backbone.trainable


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_backbone_learns_at_its_share_of_the_rate(
    tiny: Callable[..., Trainer], name: str
) -> None:
    ways: dict[float, list[list[np.ndarray]]] = {}
    for factor in (1.0, 0.25, 0.0):
        trainer = tiny(
            optimizer__backbone_factor=factor,
            optimizer__name=name,
            optimizer__learning_rate=1e-2,
            optimizer__weight_decay=0.5,
        )
        parts = (trainer.model.backbone, trainer.model.head)
        before = [part.get_weights() for part in parts]
        trainer.run(1)
        ways[factor] = [
            [new - old for new, old in zip(part.get_weights(), olds, strict=True)]
            for part, olds in zip(parts, before, strict=True)
        ]
    for factor in (0.25, 0.0):
        for own, whole in zip(ways[factor][0], ways[1.0][0], strict=True):
            np.testing.assert_allclose(own, factor * whole, rtol=1e-3, atol=3e-8)
        for own, whole in zip(ways[factor][1], ways[1.0][1], strict=True):
            np.testing.assert_array_equal(own, whole)
    assert all(np.abs(way).max() > 0 for way in ways[1.0][0])


def normalised(kind: str) -> Callable[..., model.Model]:
    """Returns what makes a tiny network with batch normalisation at the end of its backbone."""

    def make(*, seed: int, dropout: float) -> model.Model:
        keras.utils.set_random_seed(seed)
        pixels = keras.Input([32, 32], dtype="uint8")
        flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255, dtype="float32")(pixels))
        maps = keras.layers.Dense(8, name="maps")(flat)
        plain = keras.Model(pixels, keras.layers.BatchNormalization(name="norm")(maps))
        features = batch_norm.replace_in(plain, momentum=0.9, synchronized=kind == "synchronized")
        # As if loaded: statistics of other pictures.
        features.get_layer("norm").moving_mean.assign(np.linspace(-1, 1, 8))
        features.get_layer("norm").moving_variance.assign(np.linspace(0.5, 2, 8))
        inner = keras.Input([8])
        logits = keras.layers.Dense(3, name="logits")
        return model.Model(
            network=keras.Model(features.inputs[0], logits(features.output)),
            features=features,
            head=keras.Model(inner, logits(inner)),
            backbone=features,
            dropout=dropout,
            keeps_statistics=kind == "frozen",
        )

    return make


@pytest.mark.parametrize(
    ("kind", "frozen", "factor", "keeps"),
    [
        ("synchronized", False, 1.0, False),
        ("per_replica", False, 1.0, False),
        ("synchronized", False, 0.0, False),
        ("frozen", False, 1.0, True),
        ("frozen", False, 0.0, True),
        *((kind, True, 1.0, True) for kind in ("synchronized", "per_replica", "frozen")),
    ],
)
def test_each_phase_keeps_the_batch_statistics_or_lets_them_follow(
    data_set: Any,
    small_settings: Any,
    on_device: Any,
    kind: str,
    frozen: bool,
    factor: float,
    keeps: bool,
) -> None:
    config = small_settings()
    config.model.batch_norm = kind
    config.optimizer.ema_decay, config.optimizer.backbone_factor = 0.9, factor
    trainer = Trainer(
        normalised(kind), data_set, config, frozen=frozen, strategy=on_device.strategy
    )
    layer = trainer.model.backbone.get_layer("norm")
    learned, statistics = [layer.gamma, layer.beta], [layer.moving_mean, layer.moving_variance]
    before = [one.numpy() for one in (*learned, *statistics)]
    averaged = trainer.average.get_layer("norm").moving_mean.numpy()
    pixels = trainer.data_set.pixels
    sample = np.stack([*pixels.values()])[:4, :32, :32]
    in_training = trainer.model.train_logits(
        sample, tf.range(4), key=tf.constant([0, 0]), global_batch=4
    )
    for one, value in zip((*learned, *statistics), before, strict=True):
        one.assign(value)
    inference = trainer.model.network(sample, training=False)
    # Frozen by its settings, the network is one function in training and in inference.
    assert np.allclose(in_training, inference, atol=1e-5) == (kind == "frozen")
    trainer.run(3)
    same = [np.array_equal(one.numpy(), b) for one, b in zip(statistics, before[2:], strict=True)]
    assert same == [keeps] * 2
    still = [np.array_equal(one.numpy(), b) for one, b in zip(learned, before[:2], strict=True)]
    assert still == [frozen or not factor] * 2
    # The moving average does what the network does.
    mean = trainer.average.get_layer("norm").moving_mean.numpy()
    assert np.array_equal(mean, averaged) == keeps


def test_the_average_follows_the_weights(
    tiny: Callable[..., Trainer],
) -> None:
    trainer = tiny(optimizer__ema_decay=0.5)
    start = trainer.model.network.get_weights()
    trainer.run(1)
    # After the first step: decay min(0.5, 2 / 11).
    new = trainer.model.network.get_weights()
    for old, moved, average in zip(start, new, trainer.average.get_weights(), strict=True):
        np.testing.assert_allclose(average, old * 2 / 11 + moved * 9 / 11, rtol=1e-5, atol=1e-6)


def test_an_overflow_is_skipped_and_counted(
    tiny: Callable[..., Trainer],
    precision: Callable[[str], None],
) -> None:
    precision("mixed_float16")
    trainer = tiny(runtime__precision="mixed_float16")
    before = trainer.model.network.get_weights()
    most = LossScale(tf.constant(2.0**24), tf.constant(9, tf.int64), tf.constant(3, tf.int64))
    measured = trainer.run(1, most)
    assert not np.isfinite(measured.norms[0])
    assert np.isfinite(measured.loss[0])
    assert float(measured.scale.value) == 2.0**23
    assert (int(measured.scale.good_steps), int(measured.scale.skipped)) == (0, 4)
    for one, other in zip(before, trainer.model.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(trainer.optimizer.iterations.numpy()) == 0
    measured = trainer.run(20, most)
    assert np.isfinite(measured.norms[-1])
    assert int(trainer.optimizer.iterations.numpy()) == 20 - int(measured.scale.skipped) + 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float32", "mixed_bfloat16"])
def test_xla_compiles_the_step_of_the_real_network_with_static_shapes(
    fresh_python: Callable[..., Any], kind: str
) -> None:
    """What a TPU would compile, and in bfloat16 several steps of it in one host call.

    In a process of its own: where operations are deterministic XLA refuses, and that cannot be
    taken back.
    """
    done = fresh_python(str(ROOT / "tests" / "trainer" / "on_xla.py"), kind)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "convolution" in found["hlo"]
    for forbidden in ("outfeed", "infeed", "PyFunc", "xla_python", "host_compute", "<="):
        assert forbidden not in found["hlo"]
    if kind == "mixed_bfloat16":
        assert np.isfinite(found["losses"]).all()
        assert found["iterations"] == 2
