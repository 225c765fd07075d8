# SPDX-License-Identifier: MIT
"""A film is shown upright and over its whole range where its file says how, served or stored."""

import io
import struct
import zlib

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from preprocessing.contract.pictures import image, image_graph

_RANDOM = np.random.default_rng(11)
_FILM = cv2.resize(_RANDOM.integers(0, 256, (6, 9), np.uint8), (96, 64))


def _file(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_FILM).save(file, kind, **options)
    return file.getvalue()


def _with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    chunk = struct.pack(">I", len(data)) + kind + data
    at = png.index(b"IDAT") - 4
    return png[:at] + chunk + struct.pack(">I", zlib.crc32(kind + data)) + png[at:]


def _served(encoded: bytes, side: int) -> npt.NDArray[np.int64]:
    return image_graph.canonical(tf.constant(encoded), side).numpy().astype(int)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_turned_film_is_put_upright_in_training_and_in_serving(
    kind: str, orientation: int, order: str
) -> None:
    tags = Image.Exif()
    tags.endian = order
    tags[0x010F], tags[0x0112] = "a maker", orientation
    encoded = _file(kind, exif=tags.tobytes())
    found = image.read(encoded)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))), int)
    assert found.turned == (orientation != 1)
    assert np.abs(found.pixels - shown).max() <= 1
    assert np.abs(_served(encoded, 96) - image.canonical(encoded, 96)).max() <= 1


def _deep(bits: int, *, high: bool, channels: int = 1, deep: bool = True) -> bytes:
    """Returns a PNG with sBIT whose levels need so many bits, kept in the high or the low ones."""
    full = 16 if deep else 8
    levels = _RANDOM.integers(0, 1 << bits, (32, 32, channels), np.uint16)
    levels[0, 0], levels[-1, -1] = 0, (1 << bits) - 1
    stored = (levels << (full - bits)).astype(np.uint16) if high else levels
    encoded = cv2.imencode(".png", stored if deep else stored.astype(np.uint8))[1].tobytes()
    return _with_chunk(encoded, b"sBIT", bytes([bits] * channels))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("bits", "deep"), [(10, True), (12, True), (15, True), (6, False)])
def test_bits_that_a_file_names_fill_the_whole_range_in_training_and_in_serving(
    bits: int, deep: bool, channels: int
) -> None:
    for high in (False, True):
        encoded = _deep(bits, high=high, channels=channels, deep=deep)
        found = image.read(encoded)
        assert found.pixels.min() == 0
        assert found.pixels.max() >= 255 - (high and not deep) * 3
        assert found.warnings == ()
        np.testing.assert_array_equal(_served(encoded, 32), found.pixels)


def test_low_bits_are_scaled_to_the_nearest_level() -> None:
    levels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    encoded = _with_chunk(cv2.imencode(".png", levels)[1].tobytes(), b"sBIT", b"\x0c")
    exact = levels / 4095 * 255
    assert np.abs(image.decode(encoded) - exact).max() <= 0.502


def test_a_dark_film_in_high_bits_stays_dark_and_is_warned_of() -> None:
    dark = (_RANDOM.integers(1, 200, (32, 32), np.uint16) << 4).astype(np.uint16)
    encoded = _with_chunk(cv2.imencode(".png", dark)[1].tobytes(), b"sBIT", b"\x0c")
    assert image.decode(encoded).max() == (int(dark.max()) + 128) // 257
    np.testing.assert_array_equal(_served(encoded, 32), image.decode(encoded))
    assert "never used" in image.read(encoded).warnings[0]


@pytest.mark.parametrize(("used", "warned"), [(12, "the top 4 are never used"), (16, "")])
def test_top_bits_that_nobody_explains_are_warned_of(used: int, warned: str) -> None:
    levels = _RANDOM.integers(0, 1 << used, (64, 64), np.uint16)
    levels[0, 0] = (1 << used) - 1
    warnings = image.read(cv2.imencode(".png", levels)[1].tobytes()).warnings
    assert [warned in text for text in warnings] == ([True] if warned else [])
