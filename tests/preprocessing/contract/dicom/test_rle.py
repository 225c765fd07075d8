# SPDX-License-Identifier: MIT
"""Tests the decoder of RLE frames against pydicom's encoder."""

import numpy as np
import pytest
from pydicom import encaps

from preprocessing.contract.dicom import rle
from preprocessing.contract.pictures.image import ImageError


def _frame(film, pixels: np.ndarray) -> bytes:
    dataset = film(pixels)
    dataset.compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom", generate_instance_uid=False)
    return next(encaps.generate_frames(dataset.PixelData, number_of_frames=1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(9, 13), (64, 300)])
def test_what_was_encoded_comes_back(film, dtype, shape) -> None:
    pixels = np.random.default_rng(0).integers(0, 3, shape).astype(dtype) * 250
    np.testing.assert_array_equal(
        rle.decode(_frame(film, pixels), shape, pixels.itemsize), pixels, strict=True
    )


def test_colours_come_back(film) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(rle.decode(_frame(film, pixels), (8, 9, 3), 1), pixels)


def test_a_frame_that_would_unpack_to_more_is_not_unpacked_further() -> None:
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    bomb = header.tobytes() + b"\x81\7" * 100_000
    np.testing.assert_array_equal(rle.decode(bomb, (2, 3), 1), np.full((2, 3), 7, np.uint8))


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
        rle.decode(change(frame), (10, 10), 1)
    assert caught.value.reason == reason
