# SPDX-License-Identifier: MIT
"""Tests what is read of compressed frames before they are decoded, and decoding RLE."""

import cv2
import numpy as np
import pytest
from pydicom import encaps

from preprocessing.contract.dicom import frames
from preprocessing.contract.pictures.image import ImageError

GREY = np.add.outer(np.arange(40), np.arange(56)).astype(np.uint8)
JPEG, J2K = (cv2.imencode(kind, GREY)[1].tobytes() for kind in (".jpg", ".jp2"))


@pytest.mark.parametrize("frame", [JPEG, J2K])
def test_size_and_depth_are_read(frame: bytes) -> None:
    assert frames.read(frame) == frames.Stream(40, 56, 1, 8)


@pytest.mark.parametrize("frame", [b"", b"12", JPEG[:8], J2K[:90], bytes(100)])
def test_what_is_no_stream_states_nothing(frame: bytes) -> None:
    assert frames.read(frame) == frames.Stream()


def test_padding_is_cut_off_and_a_stream_without_end_is_empty() -> None:
    assert frames.without_padding(JPEG + bytes(5000)) == JPEG
    # The end of a thumbnail in a segment before the pixels is not the end of the frame.
    thumbnail = JPEG[:2] + b"\xff\xe1\0\4\xff\xd9" + JPEG[2:]
    assert frames.without_padding(thumbnail) == thumbnail
    assert frames.without_padding(thumbnail[:-2]) == b""


def test_compressed_pixels_are_told_from_plain_ones() -> None:
    assert frames.is_encapsulated(encaps.encapsulate([JPEG]))
    assert frames.is_encapsulated(JPEG)
    assert not frames.is_encapsulated(GREY.tobytes())
    assert not frames.is_encapsulated(np.array([0xFFFE, 0xE000] * 99, "<u2").tobytes())
    assert not frames.is_encapsulated(b"\xff\xd8\xff" + bytes(500))


def _frame(film, pixels: np.ndarray) -> bytes:
    dataset = film(pixels)
    dataset.compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom", generate_instance_uid=False)
    return next(encaps.generate_frames(dataset.PixelData, number_of_frames=1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(9, 13), (64, 300)])
def test_what_was_encoded_comes_back(film, dtype, shape) -> None:
    pixels = np.random.default_rng(0).integers(0, 3, shape).astype(dtype) * 250
    np.testing.assert_array_equal(
        frames.decode_rle(_frame(film, pixels), shape, pixels.itemsize), pixels, strict=True
    )


def test_colours_come_back(film) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(frames.decode_rle(_frame(film, pixels), (8, 9, 3), 1), pixels)


def test_a_frame_that_would_unpack_to_more_is_not_unpacked_further() -> None:
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    bomb = header.tobytes() + b"\x81\7" * 100_000
    np.testing.assert_array_equal(frames.decode_rle(bomb, (2, 3), 1), np.full((2, 3), 7, np.uint8))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame[:70], "cut_short"),
        (lambda frame: frame[:10], "cut_short"),
        (lambda frame: b"\5" + frame[1:], "damaged"),
        (lambda frame: frame[:4] + b"\xff\xff\xff\xff" + frame[8:], "damaged"),
    ],
)
def test_a_damaged_frame_is_refused(film, change, reason: str) -> None:
    frame = _frame(film, np.arange(100, dtype=np.uint8).reshape(10, 10))
    with pytest.raises(ImageError) as caught:
        frames.decode_rle(change(frame), (10, 10), 1)
    assert caught.value.reason == reason
