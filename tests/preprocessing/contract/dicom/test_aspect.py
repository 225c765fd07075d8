# SPDX-License-Identifier: MIT
"""Tests that a radiograph is shown as wide and as high as it was taken."""

import numpy as np
import pytest

from preprocessing.contract.dicom import aspect
from preprocessing.contract.pictures.image import MAX_PIXELS

PIXELS = np.add.outer(np.arange(20), 2 * np.arange(40)).astype(np.uint8)


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (20, 40)),
        ({"PixelSpacing": [0.2, 0.2]}, (20, 40)),
        ({"PixelSpacing": [1.2, 1.2012]}, (20, 40)),
        ({"PixelSpacing": [0.4, 0.2]}, (40, 40)),
        ({"ImagerPixelSpacing": [0.4, 0.2]}, (40, 40)),
        ({"NominalScannedPixelSpacing": [0.1, 0.2]}, (20, 80)),
        ({"PixelAspectRatio": [2, 1]}, (40, 40)),
        ({"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]}, (20, 40)),
        ({"PixelSpacing": [0, 0], "PixelAspectRatio": [3, 2]}, (30, 40)),
        ({"PixelAspectRatio": "1"}, (20, 40)),
    ],
)
def test_pixels_become_square(film, changes, shape: tuple[int, int]) -> None:
    warnings: list[str] = []
    assert aspect.squared(PIXELS, film(**changes), warnings).shape == shape
    assert len(warnings) == (shape != PIXELS.shape)


def test_rescaling_moves_nothing(film) -> None:
    found = aspect.squared(PIXELS[:, ::2], film(PixelSpacing=[0.1, 0.2]), [])
    assert np.abs(found.astype(int) - PIXELS)[:, 1:-1].max() <= 1


def test_numbers_that_no_detector_has_are_ignored_with_a_warning(film) -> None:
    warnings: list[str] = []
    assert aspect.squared(PIXELS, film(PixelSpacing=[90, 0.1]), warnings) is PIXELS
    assert "PixelSpacing (0028,0030)" in warnings[0]


def test_a_picture_of_the_greatest_size_is_shrunk_instead(film, monkeypatch) -> None:
    assert MAX_PIXELS >= 1 << 24
    monkeypatch.setattr(aspect, "MAX_PIXELS", 20 * 40)
    assert aspect.squared(PIXELS, film(PixelSpacing=[0.4, 0.2]), []).shape == (20, 20)
    assert aspect.squared(PIXELS, film(PixelSpacing=[0.2, 0.4]), []).shape == (10, 40)
