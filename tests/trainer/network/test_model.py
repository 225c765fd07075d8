# SPDX-License-Identifier: MIT
"""Tests of the network: its layers, its dropout, its precision."""

import pathlib
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import UnavailableError
from preprocessing.contract.files import patience
from trainer.network import model
from trainer.recipe import ModelConfig

# Keras's own saving of weights, not this project's, meets a deprecation of NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PIXELS = np.random.default_rng(2).integers(0, 256, (6, 32, 32)).astype(np.uint8)


def built(**settings: Any) -> model.Model:
    config = ModelConfig(**{"weights": "none", "hidden_units": 8, **settings})
    return model.build(config, image_size=32, findings=3)


def backbone_of(made: model.Model) -> keras.Model:
    return made.network.get_layer("resnet50")


def test_the_layers_are_those_of_the_design(resnet: model.Model) -> None:
    layers = [layer for layer in resnet.network.layers if layer.name != "pooled_scale"]
    assert [type(layer).__name__ for layer in layers[-5:]] == [
        "Functional",
        "GlobalAveragePooling2D",
        "Dense",
        "Dropout",
        "Dense",
    ]
    backbone, _, hidden, dropout, logits = layers[-5:]
    assert backbone.name == "resnet50"
    assert backbone.output_shape == (None, 1, 1, 2048)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in backbone.layers) == 53
    assert (hidden.units, hidden.activation.__name__) == (8, "relu")
    assert dropout.rate == 0.3
    assert (logits.units, logits.activation.__name__) == (3, "linear")
    assert ModelConfig().hidden_units == 256


def test_normalisation_repeats_grey_and_subtracts_the_means_of_imagenet(
    resnet: model.Model,
) -> None:
    normal = keras.Model(resnet.network.input, resnet.network.get_layer("normalise").output)
    found = normal(PIXELS).numpy()
    expected = keras.applications.resnet50.preprocess_input(
        np.repeat(PIXELS[..., np.newaxis], 3, axis=-1).astype(np.float32)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_three_names_share_their_layers(resnet: model.Model) -> None:
    parts = resnet.head(resnet.features(PIXELS, training=False), training=False)
    np.testing.assert_allclose(
        parts.numpy(), resnet.network(PIXELS, training=False).numpy(), rtol=1e-5, atol=1e-6
    )
    own = {id(variable) for variable in resnet.network.variables}
    for part in (resnet.features, resnet.head):
        assert {id(variable) for variable in part.variables} <= own


def test_batch_norm_momentum_reaches_every_layer_and_the_moving_mean() -> None:
    made = built(batch_norm_momentum=0.5)
    layers = [
        layer
        for layer in backbone_of(made).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(layers) == 53
    assert {layer.momentum for layer in layers} == {0.5}
    first = layers[0]
    values = np.random.default_rng(0).normal(3, 1, (4, 2, 2, 64)).astype(np.float32)
    first(values, training=True)
    np.testing.assert_allclose(first.moving_mean.numpy(), 0.5 * values.mean((0, 1, 2)), rtol=1e-4)


def test_a_restored_network_does_not_read_the_weights_file() -> None:
    config = ModelConfig(weights="/absent.h5", hidden_units=8)
    model.build(config, image_size=32, findings=3, pretrained=False)


def test_imagenet_without_network_says_what_to_do(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # A proxy that refuses connections makes any machine one without network.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(patience, "SECONDS", 0.1)
    with pytest.raises(UnavailableError, match="ImageNet weights could not be downloaded") as said:
        model.build(ModelConfig(weights="imagenet"), image_size=32, findings=3)
    assert "model.weights=none" in str(said.value)


def train_logits(made: model.Model, positions: np.ndarray, *, seed: int = 0, step: int = 1) -> Any:
    """Returns training logits of the pictures at some positions of a global batch of six."""
    result = made.train_logits(
        tf.constant(PIXELS[positions]),
        tf.constant(positions, tf.int64),
        key=tf.constant([seed, step], tf.int64),
        global_batch=6,
    )
    return result.numpy()


def test_dropout_depends_on_seed_step_and_position_only(
    one_device: Any, make_tiny_model: Callable[..., model.Model]
) -> None:
    made = make_tiny_model(dropout=0.5, hidden=64)
    whole = train_logits(made, np.arange(6))
    np.testing.assert_array_equal(whole, train_logits(made, np.arange(6)))
    for positions in (np.arange(3), np.arange(3, 6), np.array([4])):
        np.testing.assert_allclose(train_logits(made, positions), whole[positions], rtol=1e-5)
    assert not np.allclose(whole, train_logits(made, np.arange(6), step=3))
    assert not np.allclose(whole, train_logits(made, np.arange(6), seed=1))


def test_dropout_drops_its_share_and_keeps_the_expectation(
    make_tiny_model: Callable[..., model.Model],
) -> None:
    made = make_tiny_model(dropout=0.25, hidden=64)
    plain = made.network(PIXELS, training=False).numpy()
    drawn = np.array([train_logits(made, np.arange(6), step=step) for step in range(400)])
    error = drawn.std(0) / np.sqrt(len(drawn))
    assert (abs(drawn.mean(0) - plain) < 5 * error).all()
    assert (error > 0).all()


def test_no_dropout_leaves_training_equal_to_inference(
    make_tiny_model: Callable[..., model.Model],
) -> None:
    made = make_tiny_model(dropout=0.0)
    np.testing.assert_allclose(
        train_logits(made, np.arange(6)), made.network(PIXELS, training=False).numpy(), rtol=1e-6
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_in_half_but_keeps_weights_and_logits_in_full(
    policy: str, precision: Callable[[str], None]
) -> None:
    precision(policy)
    made = built()
    assert made.features.compute_dtype == policy.removeprefix("mixed_")
    assert backbone_of(made).output.dtype == policy.removeprefix("mixed_")
    assert {variable.dtype for variable in made.network.trainable_variables} == {"float32"}
    assert made.network.output.dtype == made.head.output.dtype == "float32"
    assert made.network.get_layer("normalise").output.dtype == "float32"
    assert train_logits(made, np.arange(2)).dtype == np.float32


def test_the_last_biases_start_at_the_log_odds_of_the_prevalence() -> None:
    def biases(prevalence: list[float]) -> np.ndarray:
        config = ModelConfig(weights="none", hidden_units=8)
        made = model.build(config, image_size=32, findings=3, prevalence=prevalence)
        return made.network.get_layer("logits").bias.numpy()

    found = biases([0.5, 0.02, 0.0])
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), [0.5, 0.02, 1e-4], rtol=1e-4)
    np.testing.assert_array_equal(biases([]), [0, 0, 0])


def test_smaller_pooled_features_meet_weights_as_much_larger(resnet: model.Model) -> None:
    """Together they start as He initialisation: a standard deviation of sqrt(2 / 2048)."""
    scale = resnet.features.get_layer("pooled_scale").scale
    kernel = resnet.features.get_layer("hidden").kernel.numpy()
    assert np.std(kernel) * scale == pytest.approx((2 / 2048) ** 0.5, rel=0.05)


def test_starting_weights_depend_on_the_seed_alone_whatever_other_threads_draw() -> None:
    """As the uploads to a bucket do that renew the lease of a run while its network is built."""
    stop = threading.Event()

    def draw() -> None:
        while not stop.wait(0.001):
            random.randint(0, 9)
            random.randrange(10)

    def weights(seed: int) -> list[list[float]]:
        with model.seeded(seed):
            layers = [keras.layers.Dense(3) for _ in range(20)]
            for layer in layers:
                layer.build([None, 2])
                time.sleep(0.005)
        return [layer.kernel.numpy().ravel().tolist() for layer in layers]

    before = random.randint
    first = weights(5)
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        again, other = weights(5), weights(6)
    finally:
        stop.set()
        thread.join()
    assert first == again != other
    assert random.randint == before
