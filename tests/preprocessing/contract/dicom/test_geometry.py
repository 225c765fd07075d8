# SPDX-License-Identifier: MIT
"""Tests that a radiograph is shown upright, and as wide and as high as it was taken."""

import numpy as np
import pytest

from preprocessing.contract.dicom import geometry
from preprocessing.contract.pictures.image import MAX_PIXELS, ImageError

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
    assert geometry.squared(PIXELS, film(**changes), warnings).shape == shape
    assert len(warnings) == (shape != PIXELS.shape)


def test_rescaling_moves_nothing(film) -> None:
    found = geometry.squared(PIXELS[:, ::2], film(PixelSpacing=[0.1, 0.2]), [])
    assert np.abs(found.astype(int) - PIXELS)[:, 1:-1].max() <= 1


def test_numbers_that_no_detector_has_are_ignored_with_a_warning(film) -> None:
    warnings: list[str] = []
    assert geometry.squared(PIXELS, film(PixelSpacing=[90, 0.1]), warnings) is PIXELS
    assert "PixelSpacing (0028,0030)" in warnings[0]


def test_a_picture_of_the_greatest_size_is_shrunk_instead(film, monkeypatch) -> None:
    assert MAX_PIXELS >= 1 << 24
    monkeypatch.setattr(geometry, "MAX_PIXELS", 20 * 40)
    assert geometry.squared(PIXELS, film(PixelSpacing=[0.4, 0.2]), []).shape == (20, 20)
    assert geometry.squared(PIXELS, film(PixelSpacing=[0.2, 0.4]), []).shape == (10, 40)


# The patient's right shoulder, left shoulder, right hip, left hip, as they must lie in the end.
UPRIGHT = np.array([[1, 2], [3, 4]], np.uint8)


@pytest.mark.parametrize(
    ("row", "column", "stored"),
    [
        ("L", "F", [[1, 2], [3, 4]]),
        ("R", "F", [[2, 1], [4, 3]]),
        ("L", "H", [[3, 4], [1, 2]]),
        ("R", "H", [[4, 3], [2, 1]]),
        ("F", "L", [[1, 3], [2, 4]]),
        ("H", "L", [[3, 1], [4, 2]]),
        ("F", "R", [[2, 4], [1, 3]]),
        ("H", "R", [[4, 2], [3, 1]]),
        ("LA", "FP", [[1, 2], [3, 4]]),
    ],
)
def test_every_direction_ends_with_the_head_up_and_left_on_the_right(
    film, row: str, column: str, stored: list[list[int]]
) -> None:
    warnings: list[str] = []
    turned = geometry.upright(
        np.array(stored, np.uint8), film(PatientOrientation=[row, column]), "PA", warnings
    )
    np.testing.assert_array_equal(turned, UPRIGHT)
    assert not warnings


@pytest.mark.parametrize("value", [None, "", ["L"], ["L", "R"], ["LE", "V"], ["X", "F"]])
def test_without_directions_the_picture_stays_and_a_warning_says_so(film, value) -> None:
    warnings: list[str] = []
    pixels = geometry.upright(UPRIGHT, film(PatientOrientation=value), "", warnings)
    np.testing.assert_array_equal(pixels, UPRIGHT)
    assert len(warnings) == 1 and "PatientOrientation (0020,0020)" in warnings[0]
    assert not geometry.is_oriented(film(PatientOrientation=value))
    assert geometry.is_oriented(film(PatientOrientation=["H", "R"]))


def test_directions_of_a_lateral_view_refuse_unless_the_view_is_named(film) -> None:
    lateral = film(PatientOrientation=["A", "F"])
    with pytest.raises(ImageError) as caught:
        geometry.upright(UPRIGHT, lateral, "", [])
    assert caught.value.reason == "not_frontal"
    warnings: list[str] = []
    geometry.upright(UPRIGHT, lateral, "AP", warnings)
    assert warnings
