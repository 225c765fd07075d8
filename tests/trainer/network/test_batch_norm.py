# SPDX-License-Identifier: MIT
"""Tests of batch normalisation: Keras's arithmetic on one device, in training and after it."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from trainer.monitoring.pulse import PULSE
from trainer.network import batch_norm, model
from trainer.network.batch_norm import BatchNormalization
from trainer.recipe import ModelConfig

VALUES = np.random.default_rng(0).normal(3, 2, (5, 4, 4, 6)).astype(np.float32)


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_it_equals_keras_and_so_do_its_moving_statistics(
    one_device: Any, synchronized: bool, affine: bool
) -> None:
    settings = {"momentum": 0.7, "epsilon": 1e-3, "center": affine, "scale": affine}
    ours = BatchNormalization(synchronized=synchronized, **settings)
    theirs = keras.layers.BatchNormalization(**settings)
    for _ in range(3):
        np.testing.assert_allclose(
            ours(VALUES, training=True), theirs(VALUES, training=True), rtol=1e-4, atol=1e-5
        )
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5)
    np.testing.assert_allclose(ours(VALUES), theirs(VALUES), rtol=1e-5, atol=1e-6)


def test_a_large_mean_does_not_swallow_the_variance(one_device: Any) -> None:
    """The mean of squares less the square of the mean would lose all digits here."""
    values = (VALUES - 3) * 1e-2 + 1000
    layer = BatchNormalization(synchronized=True)
    out = layer(values, training=True).numpy()
    scale = np.sqrt(values.astype(np.float64).var((0, 1, 2)) + 1e-3)
    expected = (values - values.astype(np.float64).mean((0, 1, 2))) / scale
    np.testing.assert_allclose(out, expected, atol=1e-2)


@pytest.mark.distributed
@pytest.mark.slow
def test_two_devices_normalise_their_global_batch_as_precisely_as_one(
    two_devices: dict[str, Any],
) -> None:
    found = two_devices["normalised_far_from_zero"]
    values, by = (np.array(found[name], np.float64) for name in ("values", "factors"))
    variance = values.var(axis=0)
    scale = 1 / np.sqrt(variance + 1e-3)
    out = (values - values.mean(axis=0)) * scale
    # The gradient of batch normalisation, Ioffe and Szegedy (2015), section 3.
    gradient = scale * (by - by.mean(axis=0) - out * (by * out).mean(axis=0))
    np.testing.assert_allclose(found["variance"], variance, rtol=1e-3)
    np.testing.assert_allclose(found["out"], out, atol=2e-3)
    np.testing.assert_allclose(found["gradient"], gradient, atol=1e-2)


def test_frozen_it_keeps_its_statistics(one_device: Any) -> None:
    layer = BatchNormalization()
    layer.build(VALUES.shape)
    layer.trainable = False
    np.testing.assert_allclose(layer(VALUES, training=True), layer(VALUES, training=False))
    assert (layer.moving_mean.numpy() == 0).all()


def test_statistics_of_random_weights_are_not_kept() -> None:
    with pytest.raises(ConfigError, match=r"set model\.batch_norm=synchronized"):
        model.build(ModelConfig(weights="none", batch_norm="frozen"), image_size=32, findings=3)
    for weights, kind in (("none", "synchronized"), ("imagenet", "frozen")):
        batch_norm.check(ModelConfig(weights=weights, batch_norm=kind))


def test_half_precision_is_normalised_in_float32(one_device: Any) -> None:
    layer = BatchNormalization(dtype="mixed_float16")
    large = tf.cast(VALUES * 5000, tf.float16)
    out = layer(large, training=True)
    assert out.dtype == tf.float16
    assert np.isfinite(out.numpy()).all()
    assert out.numpy().astype(np.float32).std() == pytest.approx(1, abs=0.01)


def test_a_network_is_copied_with_ours_in_place_of_kerass(one_device: Any) -> None:
    pixels = keras.Input([8, 8, 3])
    maps = keras.layers.Conv2D(4, 3, name="maps")(pixels)
    plain = keras.Model(pixels, keras.layers.BatchNormalization(epsilon=0.01, name="bn")(maps))
    copy = batch_norm.replace_in(plain, momentum=0.8, synchronized=False)
    layer = copy.get_layer("bn")
    assert isinstance(layer, BatchNormalization)
    assert (layer.momentum, layer.epsilon, layer.synchronized) == (0.8, 0.01, False)
    copy.set_weights(plain.get_weights())
    values = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(copy(values), plain(values), rtol=1e-5, atol=1e-6)


def test_the_first_of_a_network_tells_what_waits_for_other_processes(
    one_device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = keras.Input([8, 8, 3])
    first = keras.layers.BatchNormalization(name="first")(pixels)
    plain = keras.Model(pixels, keras.layers.BatchNormalization(name="second")(first))
    told: list[str] = []
    monkeypatch.setattr(PULSE, "replicas", 1)
    for name in ("computed", "summed"):
        monkeypatch.setattr(PULSE, name, lambda name=name: told.append(name) or 0.0)
    values = np.ones((2, 8, 8, 3), np.float32)
    for synchronized, expected in ((True, ["computed", "summed"]), (False, [])):
        told.clear()
        copy = batch_norm.replace_in(plain, momentum=0.9, synchronized=synchronized)
        copy(values, training=True)
        assert told == expected
        copy(values, training=False)
        assert told == expected
