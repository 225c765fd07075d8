# SPDX-License-Identifier: MIT
"""Tests of how maps are laid out on pictures, against a loop over pixels."""

import numpy as np
import pytest

from trainer.predictions.placement import Placement, normalised

# The middle 7/8 of a picture of 256, cells every 32 pixels from the crop's first pixel on.
USUAL = Placement(first=16.5 / 256, step=32 / 256, left=16 / 256, side=224 / 256)
WHOLE = Placement(first=0.125, step=0.25, left=0.0, side=1.0)


def slowly_laid_out(heat: np.ndarray, place: Placement, size: int) -> np.ndarray:
    cells = len(heat)
    result = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            y, x = (row + 0.5) / size, (column + 0.5) / size
            if not all(place.left <= at <= place.left + place.side for at in (x, y)):
                continue
            v, u = (min(max((at - place.first) / place.step, 0), cells - 1) for at in (y, x))
            top, left = min(int(v), cells - 2), min(int(u), cells - 2)
            down, right = v - top, u - left
            result[row, column] = (
                heat[top, left] * (1 - down) * (1 - right)
                + heat[top, left + 1] * (1 - down) * right
                + heat[top + 1, left] * down * (1 - right)
                + heat[top + 1, left + 1] * down * right
            )
    return result


@pytest.mark.parametrize(("place", "cells"), [(USUAL, 7), (WHOLE, 4)])
def test_a_map_is_interpolated_between_the_centres_of_its_cells(
    place: Placement, cells: int
) -> None:
    heat = np.random.default_rng(3).random((cells, cells))
    np.testing.assert_allclose(
        place.laid_out(heat, 40), slowly_laid_out(heat, place, 40), atol=1e-6
    )


def test_no_heat_lies_where_the_network_did_not_look() -> None:
    laid_out = USUAL.laid_out(np.ones((7, 7)), 256)
    inside = np.zeros((256, 256), bool)
    inside[16:240, 16:240] = True
    np.testing.assert_allclose(laid_out, inside, atol=1e-6)


def test_the_peak_is_the_highest_place_of_the_map_laid_out_finely() -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        heat = generator.random((7, 7))
        found = USUAL.peak(heat)
        assert found is not None
        fine = USUAL.laid_out(heat, 1024)
        # The centre of a cell lies within half of a pixel of this size from a pixel's.
        near = [int(at * 1024) for at in found]
        assert fine[near[1], near[0]] == pytest.approx(fine.max(), abs=0.02)


def test_x_goes_across_and_y_goes_down() -> None:
    heat = np.zeros((7, 7))
    heat[1, 5] = 1
    assert USUAL.peak(heat) == pytest.approx((176.5 / 256, 48.5 / 256))


def test_a_map_without_heat_has_no_peak() -> None:
    assert USUAL.peak(np.zeros((7, 7))) is None


def test_of_equal_peaks_the_first_one_counts() -> None:
    heat = np.zeros((4, 4))
    heat[[1, 2], [3, 0]] = 0.5
    assert WHOLE.peak(heat) == pytest.approx((0.875, 0.375))


def test_maps_are_scaled_to_one_and_empty_ones_stay_empty() -> None:
    maps = np.stack([np.zeros((2, 2)), np.array([[0, 5e-9], [1e-9, 2e-9]])])
    np.testing.assert_allclose(
        normalised(maps), [np.zeros((2, 2)), [[0, 1], [0.2, 0.4]]], rtol=1e-6
    )
