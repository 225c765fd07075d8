# SPDX-License-Identifier: MIT
"""Tests of Grad-CAM against slow sums, and of where its cells lie on the picture."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.pictures import image_graph
from preprocessing.phantom import population, render
from trainer.config import DataConfig
from trainer.evaluation import boxes
from trainer.explanation import gradcam
from trainer.explanation.gradcam import GradCam
from trainer.network import model
from trainer.network.model import Model
from trainer.predictions.placement import Placement, normalised
from trainer.recipe import ModelConfig

STORED, DATA = 256, DataConfig(image_size=224, crop_fraction=0.875)


def reading_network(weight: float = 1.0, channels: int = 1, seed: int = 0) -> Model:
    """A network whose maps are known: each cell is the mean grey of 31 pixels round its centre.

    Its cells lie as a ResNet-50's: every 32 pixels, the first centred on the first pixel. With more
    channels the maps are multiplied by different numbers, and hidden units mix them.
    """
    generator = np.random.default_rng(seed)
    pixels = keras.Input([DATA.image_size] * 2, dtype="uint8")
    grey = keras.layers.Rescaling(1 / 255, dtype="float32")(
        keras.layers.Reshape([DATA.image_size, DATA.image_size, 1], dtype="uint8")(pixels)
    )
    padded = keras.layers.ZeroPadding2D(15)(grey)
    means = keras.layers.AveragePooling2D(31, 32)(padded)
    mixed = keras.layers.Conv2D(channels, 1, activation="relu", name="mixed")
    pool = keras.layers.GlobalAveragePooling2D(name="pool")
    hidden = keras.layers.Dense(max(2, channels), activation="relu", name="hidden")
    features = keras.Model(pixels, hidden(pool(mixed(means))))
    inner = keras.Input([max(2, channels)])
    logits = keras.layers.Dense(3, dtype="float32", name="logits")
    head = keras.Model(inner, logits(inner))
    network = keras.Model(pixels, logits(features.output))
    if channels == 1:
        mixed.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
        hidden.set_weights([np.ones((1, 2)), np.zeros(2)])
        logits.set_weights([np.full((2, 3), weight), np.zeros(3)])
    else:
        for layer in (mixed, hidden, logits):
            layer.set_weights([generator.normal(0, 1, part.shape) for part in layer.get_weights()])
    return Model(network=network, features=features, head=head, backbone=features, dropout=0.0)


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, STORED, STORED)).astype(np.uint8)


def cam_of(network: Model, batch: int = 4) -> GradCam:
    return GradCam(network, stored_size=STORED, data=DATA, batch=batch)


def slow_maps(network: Model, pixels: np.ndarray, findings: np.ndarray) -> np.ndarray:
    """Selvaraju's formula in NumPy, the gradient by moving every value of every map a little."""
    layers = network.features.layers
    pool = [layer.name for layer in layers].index("pool")
    front = keras.Model(network.features.input, layers[pool].input)
    fitted = image_graph.fit(tf.constant(pixels), image_size=224, crop_fraction=0.875)
    maps = front(fitted).numpy().astype(np.float64)
    dense = [layer.get_weights() for layer in layers if layer.name == "hidden"]
    dense += [layer.get_weights() for layer in network.head.layers if layer.get_weights()]
    (first, first_bias), (second, second_bias) = dense

    def logit(one: np.ndarray, finding: int) -> float:
        hidden = np.maximum(one.mean(axis=(0, 1)) @ first + first_bias, 0)
        return float(hidden @ second[:, finding] + second_bias[finding])

    result = np.zeros(maps.shape[:3])
    for at, (one, finding) in enumerate(zip(maps, findings, strict=True)):
        gradient = np.zeros_like(one)
        for place in np.ndindex(*one.shape):
            for sign in (1, -1):
                moved = one.copy()
                moved[place] += sign * 1e-4
                gradient[place] += sign * logit(moved, finding) / 2e-4
        weights = gradient.mean(axis=(0, 1))
        result[at] = np.maximum((one * weights).sum(axis=-1), 0)
    return result


def test_maps_are_those_of_the_formula() -> None:
    network, pixels = reading_network(channels=5), pictures(3)
    findings = np.array([2, 0, 1])
    found = cam_of(network).maps(pixels, findings)
    expected = slow_maps(network, pixels, findings)
    assert (expected > 0).any() and (expected == 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_a_batch_that_is_not_full_gives_the_same_maps() -> None:
    network, pixels = reading_network(channels=5), pictures(5)
    findings = np.array([0, 1, 2, 1, 0])
    together = cam_of(network, batch=4).maps(pixels, findings)
    single = cam_of(network, batch=1)
    for at in range(5):
        alone = single.maps(pixels[at : at + 1], findings[at : at + 1])[0]
        np.testing.assert_allclose(together[at], alone, rtol=1e-5, atol=1e-9)
    assert together.dtype == np.float32


def test_16_bits_change_a_map_by_less_than_can_be_seen(
    precision: Callable[[str], None],
) -> None:
    pixels, findings = pictures(3), np.array([0, 1, 2])
    exact = normalised(cam_of(reading_network(channels=5)).maps(pixels, findings))
    precision("mixed_float16")
    mixed = cam_of(reading_network(channels=5)).maps(pixels, findings)
    assert mixed.dtype == np.float32 and mixed.any()
    np.testing.assert_allclose(normalised(mixed), exact, atol=0.02)


def test_what_speaks_against_a_finding_is_not_shown() -> None:
    # Maps are positive, so against a negative weight all of them are.
    assert not cam_of(reading_network(weight=-1.0)).maps(pictures(2), np.array([0, 1])).any()


@pytest.mark.parametrize(
    ("stored", "size", "fraction"), [(256, 224, 0.875), (512, 448, 0.875), (300, 224, 1.0)]
)
def test_a_bright_square_is_found_where_it_is(stored: int, size: int, fraction: float) -> None:
    """Through the crop and the scaling; the square is centred on one cell."""
    data = DataConfig(image_size=size, crop_fraction=fraction)
    place = gradcam.placement(stored, data)
    cells = size // 32
    for row, column in ((1, 1), (2, cells - 2), (cells - 1, 3)):
        x, y = place.centres(cells)[[column, row]] * stored
        picture = np.zeros((1, stored, stored), np.uint8)
        picture[0, max(0, int(y) - 8) : int(y) + 9, max(0, int(x) - 8) : int(x) + 9] = 255
        fitted = image_graph.fit(tf.constant(picture), image_size=size, crop_fraction=fraction)
        padded = np.pad(fitted.numpy()[0].astype(float), 15)
        heat = np.array(
            [
                [padded[32 * r : 32 * r + 31, 32 * c : 32 * c + 31].mean() for c in range(cells)]
                for r in range(cells)
            ]
        )
        assert place.peak(heat) == pytest.approx((x / stored, y / stored), abs=1e-9)
        if row == cells - 1:
            continue  # beyond the last cell a map stays as it is
        # The laid-out map is brightest within a pixel of the middle of the square.
        laid_out = place.laid_out(heat, stored)
        found = np.argwhere(laid_out > 0.999 * laid_out.max()).mean(axis=0) + 0.5
        bright = np.argwhere(picture[0] > 0).mean(axis=0) + 0.5
        np.testing.assert_allclose(found, bright, atol=stored / size)


def test_lesions_of_the_phantom_lie_where_a_network_that_sees_them_points() -> None:
    """What a lesion adds to a picture, read by the known network, hits the phantom's box."""
    cam, place = cam_of(reading_network()), gradcam.placement(STORED, DATA)
    hits, far = 0, 0
    records = [record for record in population.draw(120, 3, "raised") if not record.findings][:12]
    assert len(records) == 12
    for record in records:
        ill = dataclasses.replace(record, findings=("Mass",))
        box = boxes.corners(np.array(render.boxes(ill, 3)["Mass"]) / 1024)
        with_it, without = (render.picture(one, 3, STORED).astype(int) for one in (ill, record))
        lesion = np.clip(4 * np.abs(with_it - without) - 40, 0, 255).astype(np.uint8)
        peak = place.peak(cam.maps(lesion[None], np.array([0]))[0])
        assert peak is not None
        hits += boxes.holds(box, *peak)
        # The nearest cell centre is at most half a cell off on each axis.
        near = np.clip(peak, box[0, :2], box[0, 2:])
        far += bool((np.abs(near - peak) > place.step / 2).any())
    assert far == 0
    assert hits >= 9


@pytest.fixture(scope="module")
def resnet_96() -> Any:
    """The real network with random weights, 96 px: maps of 3 x 3 cells."""
    config = ModelConfig(weights="none", hidden_units=8)
    return model.build(config, image_size=96, findings=3)


@pytest.mark.slow
def test_the_cells_of_the_real_network_lie_where_the_placement_says(resnet_96: Model) -> None:
    """The middle cell hangs on the pixels round its centre, by the gradient of its value."""
    weight = np.zeros((96, 96))
    for seed in range(3):
        pixels = tf.random.stateless_normal([2, 96, 96, 3], [seed, 1]) * 60
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            maps = resnet_96.backbone(pixels, training=False)[:, 1, 1, :]
            out = tf.reduce_sum(maps * tf.random.stateless_normal(maps.shape[-1:], [seed, 2]))
        weight += (tape.gradient(out, pixels).numpy() ** 2).sum(axis=(0, 3))
    centre = (weight.sum(axis=1) @ (np.arange(96) + 0.5)) / weight.sum()
    place = gradcam.placement(96, DataConfig(image_size=96, crop_fraction=1.0))
    assert place.centres(3)[1] * 96 == 32.5
    # Stretched over the picture it would be 48.
    assert centre == pytest.approx(32.5, abs=3)


@pytest.mark.slow
def test_the_real_network_is_explained_as_the_formula_says(resnet_96: Model) -> None:
    data = DataConfig(image_size=96, crop_fraction=0.75)
    pixels = np.random.default_rng(2).integers(0, 256, (3, 128, 128)).astype(np.uint8)
    findings = np.array([1, 2, 0])
    found = GradCam(resnet_96, stored_size=128, data=data, batch=2).maps(pixels, findings)
    fitted = image_graph.fit(tf.constant(pixels), image_size=96, crop_fraction=0.75)
    means = np.array([103.939, 116.779, 123.68])
    maps = resnet_96.backbone(fitted.numpy()[..., None].astype(np.float32) - means).numpy()
    first, bias = resnet_96.features.get_layer("hidden").get_weights()
    second, _ = resnet_96.head.get_layer("logits").get_weights()
    small = maps.mean(axis=(1, 2)) / np.sqrt(2048)
    on = (small @ first + bias) > 0
    weights = np.einsum("bh,ch,hb->bc", on, first, second[:, findings]) / np.sqrt(2048) / 9
    expected = np.maximum(np.einsum("bijc,bc->bij", maps, weights), 0)
    assert expected.any()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_usual_crop_is_placed_in_stored_pixels() -> None:
    found = gradcam.placement(256, DataConfig())
    assert found == Placement(first=16.5 / 256, step=32 / 256, left=16 / 256, side=224 / 256)
