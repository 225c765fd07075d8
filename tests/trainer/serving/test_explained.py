# SPDX-License-Identifier: MIT
"""Heat maps of all findings at once against those of one finding a picture."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import Config
from trainer.explanation import gradcam
from trainer.network import model
from trainer.serving import explained


@pytest.mark.slow
def test_the_maps_are_those_of_evaluation_in_full_size() -> None:
    config = Config()
    config.model.weights, config.model.hidden_units = "none", 16
    config.data.image_size, config.data.crop_fraction = 64, 1.0
    built = model.build(config.model, image_size=64, findings=3, pretrained=False)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64)).astype(np.uint8)
    found = explained.Maps(built, image_size=64)(tf.constant(pixels)).numpy()
    assert found.shape == (2, 3, 64, 64)
    one = gradcam.GradCam(built, stored_size=64, data=config.data, batch=2)
    place = gradcam.placement(64, config.data)
    for finding in range(3):
        cells = one.maps(pixels, np.array([finding] * 2))
        for row in range(2):
            laid = place.laid_out(cells[row], 64)
            expected = laid / laid.max() if laid.max() > 0 else laid
            np.testing.assert_allclose(found[row, finding], expected, atol=1e-4)


def small_network(seed: int = 4) -> model.Model:
    """Returns a network of one convolution, 96 px to 3 x 3 cells, and one hidden layer.

    Its cells lie as a ResNet-50's: every 32 pixels, the first centred on the first pixel.
    """
    keras.utils.set_random_seed(seed)
    pixels = keras.Input([96, 96], dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(keras.layers.Reshape([96, 96, 1])(pixels))
    padded = keras.layers.ZeroPadding2D(15)(scaled)
    cells = keras.layers.Conv2D(5, 31, strides=32, activation="relu", name="cells")(padded)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(cells)
    hidden = keras.layers.Dense(6, activation="relu", name="hidden")(pooled)
    features = keras.Model(pixels, hidden)
    inner = keras.Input([6])
    logits = keras.layers.Dense(3, name="logits")
    head = keras.Model(inner, logits(inner))
    network = keras.Model(pixels, logits(hidden))
    return model.Model(network, features, head, features, 0.0)


def cam_by_hand(network: model.Model, picture: np.ndarray) -> np.ndarray:
    """Computes float64 [findings, 96, 96] from the formulas alone (Selvaraju et al., 2017)."""
    layers = {layer.name: layer for layer in (*network.features.layers, *network.head.layers)}
    kernel, bias = (part.astype(np.float64) for part in layers["cells"].get_weights())
    first, first_bias = layers["hidden"].get_weights()
    last, _ = layers["logits"].get_weights()
    # 1. Forward: each cell sees the 31 pixels round its centre.
    padded, starts = np.pad(picture / 255, 15), range(0, 96, 32)
    seen = np.array([[padded[y : y + 31, x : x + 31] for x in starts] for y in starts])
    cells = np.maximum(np.tensordot(seen, kernel[:, :, 0], 2) + bias, 0)
    active = cells.mean(axis=(0, 1)) @ first + first_bias > 0
    # 2. Backward: d logit / d cell is the same in all nine cells, which the mean shares out.
    slopes = (first * active) @ last / 9
    heat = np.maximum(np.einsum("ijc,cf->fij", cells, slopes), 0)
    # 3. Bilinear between the centres of cells, constant beyond them.
    at, centres = np.arange(96), [0, 32, 64]
    wide = np.array([[np.interp(at, centres, row) for row in one] for one in heat])
    full = np.array([[np.interp(at, centres, row) for row in one.T] for one in wide])
    full = full.transpose(0, 2, 1)
    peaks = full.max(axis=(1, 2), keepdims=True)
    return np.divide(full, peaks, out=np.zeros_like(full), where=peaks > 0)


def test_the_maps_are_those_of_the_formulas_in_numpy() -> None:
    network = small_network()
    pictures = np.random.default_rng(7).integers(0, 256, (4, 96, 96)).astype(np.uint8)
    pictures[1, :48], pictures[2, :, 40:] = 20, 250
    found = explained.Maps(network, image_size=96)(tf.constant(pictures)).numpy()
    expected = np.stack([cam_by_hand(network, picture) for picture in pictures])
    assert 0.3 < (expected.max(axis=(2, 3)) == 1).mean() < 1, "with and without heat"
    np.testing.assert_allclose(found, expected, atol=1e-5)
