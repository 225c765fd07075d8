# SPDX-License-Identifier: MIT
"""Pictures that cannot be used are named and cost nothing; the others are preprocessing's."""

import resource
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.pictures import image
from trainer.serving import pictures

_RANDOM = np.random.default_rng(8)
_SIZE = 64


def _film(*shape: int) -> np.ndarray:
    return cv2.resize(_RANDOM.integers(0, 256, (9, 7), np.uint8), shape[::-1])


def _file(pixels: np.ndarray, kind: str = ".png") -> bytes:
    return cv2.imencode(kind, pixels)[1].tobytes()


def _damaged(encoded: bytes) -> bytes:
    at = encoded.index(b"IDAT") + 40
    return encoded[:at] + bytes([encoded[at] ^ 0xFF]) + encoded[at + 1 :]


def _giant(encoded: bytes) -> bytes:
    """Returns the PNG with a header that claims 30,000 x 30,000 pixels."""
    return encoded[:16] + struct.pack(">II", 30_000, 30_000) + encoded[24:]


@pytest.fixture(scope="module")
def read_all() -> Any:
    def read(encoded: tf.Tensor) -> pictures.Read:
        return pictures.read_all(encoded, _SIZE, lambda one: pictures.read(one, _SIZE))

    return tf.function(read, input_signature=[tf.TensorSpec([None], tf.string)])


def _expected(encoded: bytes) -> tuple[np.ndarray | None, str]:
    try:
        original = image.decode(encoded)
        image.check_original(original)
    except image.ImageError as error:
        return None, error.reason
    return image.resize(image.square(original), _SIZE), ""


def test_each_file_has_its_pixels_or_preprocessing_s_reason_whatever_lies_beside_it(
    read_all: Any,
) -> None:
    film = _file(_film(100, 90))
    files = [
        film,
        film[: len(film) // 2],
        b"text",
        _file(_film(128, 128), ".jpg"),
        _giant(film),
        b"",
        _damaged(film),
        _file(np.full((50, 50), 9, np.uint8)),
        _file(_film(15, 200)),
        # A square round it would take 10 GB.
        _file(np.arange(1_600_000, dtype=np.uint8).reshape(16, 100_000)),
        _file(_film(64, 64).astype(np.uint16) * 257),
    ]
    squares, reasons = (part.numpy() for part in read_all(tf.constant(files)))
    for at, encoded in enumerate(files):
        expected, reason = _expected(encoded)
        assert reasons[at].decode() == reason
        if expected is not None:
            np.testing.assert_array_equal(squares[at], expected)
    assert [*reasons].count(b"") == 3


@pytest.mark.parametrize("files", [[], [b"text"], [b"", _damaged(_file(_film(80, 80)))]])
def test_a_batch_without_a_usable_file_is_answered(read_all: Any, files: list[bytes]) -> None:
    squares, reasons = read_all(tf.constant(files, tf.string, [len(files)]))
    assert squares.shape == (len(files), _SIZE, _SIZE)
    assert (reasons.numpy() != b"").all()


def test_giants_take_no_memory(read_all: Any) -> None:
    side = 8200
    assert side * side > image.MAX_PIXELS
    data = zlib.compress(bytes((side + 1) * side), 1)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    framed = [
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    ]
    giant = b"\x89PNG\r\n\x1a\n" + b"".join(framed)
    read_all(tf.constant([b"text"]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_all(tf.constant([giant] * 4))[1].numpy().tolist() == [b"too_large"] * 4
    # One of them decoded would be 67 MB, and as much again four times over to be resized.
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 60


@pytest.mark.parametrize("shape", [(64, 64), (300, 260), (40, 50), (128, 128)], ids=str)
def test_pixels_become_what_preprocessing_makes_of_them(shape: tuple[int, int]) -> None:
    films = np.stack([_film(*shape), np.zeros(shape, np.uint8), _film(*shape)])
    squares, reasons = pictures.read_pixels(tf.constant(films), _SIZE)
    assert reasons.numpy().tolist() == [b"", b"constant", b""]
    for at in (0, 2):
        expected = image.resize(image.square(films[at]), _SIZE).astype(int)
        # Not a whole number of pixels to one: the two libraries add in another order.
        slack = int(shape == (300, 260))
        assert np.abs(squares.numpy()[at] - expected).max() <= slack


@pytest.mark.parametrize(
    ("shape", "reasons"),
    [
        ((2, 10, 300), [b"too_small"] * 2),
        ((1, 0, 0), [b"too_small"]),
        ((0, 90, 80), []),
        ((1, 100_000, 16), [b"too_large"]),
    ],
    ids=str,
)
def test_pixels_that_are_too_few_or_too_long_are_named(
    shape: tuple[int, ...], reasons: list[bytes]
) -> None:
    found = pictures.read_pixels(tf.ones(shape, tf.uint8), _SIZE)
    assert found[0].shape == (shape[0], _SIZE, _SIZE)
    assert found[1].numpy().tolist() == reasons


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_a_record_s_picture_is_read_as_it_was_stored(encoding: str) -> None:
    film = _film(_SIZE, _SIZE)
    stored = image.encode(film, encoding)
    squares, reason = pictures.read_stored(tf.constant(stored), _SIZE, encoding)
    np.testing.assert_array_equal(squares, film)
    assert reason.numpy() == b""
    other = image.encode(_film(40, 40), encoding)
    assert pictures.read_stored(tf.constant(other), _SIZE, encoding)[1].numpy() == b"wrong_size"
