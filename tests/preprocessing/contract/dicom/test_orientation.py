# SPDX-License-Identifier: MIT
"""Tests how a radiograph is turned upright."""

import numpy as np
import pytest

from preprocessing.contract.dicom import orientation
from preprocessing.contract.pictures.image import ImageError

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
    turned = orientation.upright(
        np.array(stored, np.uint8), film(PatientOrientation=[row, column]), "PA", warnings
    )
    np.testing.assert_array_equal(turned, UPRIGHT)
    assert not warnings


@pytest.mark.parametrize("value", [None, "", ["L"], ["L", "R"], ["LE", "V"], ["X", "F"]])
def test_without_directions_the_picture_stays_and_a_warning_says_so(film, value) -> None:
    warnings: list[str] = []
    pixels = orientation.upright(UPRIGHT, film(PatientOrientation=value), "", warnings)
    np.testing.assert_array_equal(pixels, UPRIGHT)
    assert len(warnings) == 1 and "PatientOrientation (0020,0020)" in warnings[0]


def test_directions_of_a_lateral_view_refuse_unless_the_view_is_named(film) -> None:
    lateral = film(PatientOrientation=["A", "F"])
    with pytest.raises(ImageError) as caught:
        orientation.upright(UPRIGHT, lateral, "", [])
    assert caught.value.reason == "not_frontal"
    warnings: list[str] = []
    orientation.upright(UPRIGHT, lateral, "AP", warnings)
    assert warnings
