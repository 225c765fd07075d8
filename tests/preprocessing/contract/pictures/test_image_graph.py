# SPDX-License-Identifier: MIT
"""Serving sees the pixels that preprocessing stored: the graph repeats the definition."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph

_RANDOM = np.random.default_rng(5)


def _texture(side: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    """Smooth structure with grain, as in a radiograph: uint8 [side, side(, channels)]."""
    coarse = _RANDOM.normal(128, 60, (8, 8, channels))
    smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    grain = _RANDOM.normal(0, 8, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def _encoded(extension: str, pixels: npt.NDArray[np.unsignedinteger]) -> bytes:
    return cv2.imencode(extension, pixels)[1].tobytes()


def _difference(encoded: bytes, size: int) -> int:
    graph = image_graph.canonical(tf.constant(encoded), size)
    assert graph.dtype == tf.uint8
    assert graph.shape == (size, size)
    return int(np.abs(graph.numpy().astype(int) - image.canonical(encoded, size)).max())


@pytest.mark.parametrize("side", [512, 768, 1024])
def test_whole_multiples_of_256_are_equal_to_the_last_level(side: int) -> None:
    assert _difference(_encoded(".png", _texture(side)), 256) == 0


def test_no_resize_is_equal_to_the_last_level() -> None:
    assert _difference(_encoded(".png", _texture(64)), 64) == 0


@pytest.mark.parametrize("size", [1024, 256, 150, 97])
@pytest.mark.parametrize("shape", [(96, 96), (50, 75), (17, 16)], ids=str)
def test_enlarged_pictures_are_equal_to_the_last_level(shape: tuple[int, int], size: int) -> None:
    pixels = np.random.default_rng(size).integers(0, 256, shape, np.uint8)
    expected = image.resize(image.square(pixels), size)
    np.testing.assert_array_equal(image_graph.resize(tf.constant(pixels[None]), size)[0], expected)


@pytest.mark.parametrize("size", [32, 100, 128, 200])
@pytest.mark.parametrize("shape", [(128, 128), (90, 128), (127, 64)], ids=str)
def test_other_sizes_and_shapes_differ_by_one_level_at_most(
    size: int, shape: tuple[int, int]
) -> None:
    pixels = _texture(128)[: shape[0], : shape[1]]
    assert _difference(_encoded(".png", pixels), size) <= 1


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_every_kind_of_png_decodes_to_equal_levels(channels: int, deep: bool) -> None:
    pixels: npt.NDArray[np.unsignedinteger] = _texture(64, channels)
    if deep:
        noise = _RANDOM.integers(0, 256, pixels.shape, np.uint16)
        pixels = pixels.astype(np.uint16) * 256 + noise
    assert _difference(_encoded(".png", pixels), 64) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_decodes_within_one_level(channels: int) -> None:
    assert _difference(_encoded(".jpg", _texture(64, channels)), 64) <= 1


def test_what_cannot_be_decoded_raises() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        image_graph.canonical(tf.constant(b"text"), 8)


def test_stored_reads_what_encode_wrote() -> None:
    pixels = _texture(32)
    stored = image_graph.stored(tf.constant(image.encode(pixels)), 32)
    np.testing.assert_array_equal(stored, pixels)


def test_stored_refuses_another_size() -> None:
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        image_graph.stored(tf.constant(image.encode(_texture(16))), 32)


@pytest.mark.parametrize("image_size", [28, 20, 56])
def test_fit_is_the_centre_square_scaled(image_size: int) -> None:
    pixels = np.stack([_texture(32), _texture(32)])
    fitted = image_graph.fit(tf.constant(pixels), image_size=image_size, crop_fraction=0.875)
    assert fitted.shape == (2, image_size, image_size)
    for got, whole in zip(fitted.numpy().astype(int), pixels, strict=True):
        expected = image.resize(np.ascontiguousarray(whole[2:30, 2:30]), image_size)
        assert np.abs(got - expected).max() <= 1


def test_fit_without_crop_or_scale_is_the_stored_picture() -> None:
    pixels = _texture(32)[None]
    fitted = image_graph.fit(tf.constant(pixels), image_size=32, crop_fraction=1.0)
    np.testing.assert_array_equal(fitted, pixels)


@pytest.mark.parametrize("size", [1, 7, 16, 24, 31, 33, 64, 100])
def test_scale_agrees_with_opencv_within_one_level(size: int) -> None:
    pixels = _RANDOM.integers(0, 256, (2, 32, 32), np.uint8)
    scaled = image_graph.scale(tf.constant(pixels), size).numpy()
    assert scaled.dtype == np.uint8
    method = cv2.INTER_AREA if size < 32 else cv2.INTER_LINEAR
    for got, source in zip(scaled.astype(int), pixels, strict=True):
        assert np.abs(got - cv2.resize(source, (size, size), interpolation=method)).max() <= 1


def test_scale_keeps_a_flat_picture_flat() -> None:
    flat = np.full((1, 32, 32), 255, np.uint8)
    for size in (5, 24, 50):
        assert np.unique(image_graph.scale(tf.constant(flat), size)).tolist() == [255]
