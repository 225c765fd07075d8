# SPDX-License-Identifier: MIT
"""Tests of boxes against masks of pixels, and of the boxes that a map draws against a flood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation import boxes
from trainer.predictions.placement import Placement

SIDE = 24
WHOLE = Placement(first=0.5 / 7, step=1 / 7, left=0.0, side=1.0)


@st.composite
def pixel_boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return x0, y0, draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))


def mask(box: tuple[int, int, int, int]) -> np.ndarray:
    filled = np.zeros((SIDE, SIDE), bool)
    filled[box[1] : box[3], box[0] : box[2]] = True
    return filled


def shares(*found: tuple[int, int, int, int]) -> boxes.Boxes:
    return np.array(found, np.float64) / SIDE


@given(pixel_boxes(), pixel_boxes())
def test_overlaps_are_those_of_pixel_masks(
    drawn: tuple[int, int, int, int], true: tuple[int, int, int, int]
) -> None:
    one, other = mask(drawn), mask(true)
    both = (one & other).sum()
    iou, iobb = boxes.overlaps(shares(drawn), shares(true))
    assert iou == pytest.approx(both / (one | other).sum(), abs=1e-12)
    assert iobb == pytest.approx(both / one.sum(), abs=1e-12)


def test_every_drawn_box_is_compared_with_every_true_one() -> None:
    drawn = shares((0, 0, 4, 4), (2, 2, 6, 6), (10, 10, 12, 12))
    true = shares((0, 0, 4, 4), (10, 10, 14, 14))
    expected = [[1, 0], [4 / 28, 0], [0, 4 / 16]]
    np.testing.assert_allclose(boxes.overlaps(drawn, true)[0], expected)
    assert [found.shape for found in boxes.overlaps(np.zeros((0, 4)), true)] == [(0, 2)] * 2


def test_corners_come_of_place_and_size() -> None:
    np.testing.assert_allclose(
        boxes.corners(np.array([0.1, 0.2, 0.3, 0.4])), [[0.1, 0.2, 0.4, 0.6]]
    )


def flooded(hot: np.ndarray) -> set[tuple[int, int, int, int]]:
    """Finds regions by walking from pixel to pixel, corners included."""
    left = {(int(row), int(column)) for row, column in np.argwhere(hot)}
    found = set()
    while left:
        waiting, region = [left.pop()], []
        while waiting:
            row, column = waiting.pop()
            region.append((row, column))
            around = {(row + a, column + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= around
            waiting += around
        rows, columns = zip(*region, strict=True)
        found.add((min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return found


def test_boxes_go_round_each_region_of_each_threshold() -> None:
    generator = np.random.default_rng(8)
    for _ in range(5):
        heat = generator.random((7, 7)) ** 3
        laid_out = WHOLE.laid_out(heat, boxes.GRID) / heat.max()
        expected = flooded(laid_out > 60 / 255) | flooded(laid_out > 180 / 255)
        found = np.round(boxes.drawn_by(heat, WHOLE) * boxes.GRID).astype(int)
        assert {tuple(box) for box in found.tolist()} == expected


def test_the_size_of_the_heat_does_not_matter_and_none_draws_nothing() -> None:
    heat = np.random.default_rng(9).random((7, 7))
    np.testing.assert_array_equal(boxes.drawn_by(heat, WHOLE), boxes.drawn_by(heat * 1024, WHOLE))
    assert boxes.drawn_by(np.zeros((7, 7)), WHOLE).shape == (0, 4)


def test_a_point_on_the_edge_lies_in_the_box() -> None:
    two = np.array([[0.1, 0.1, 0.2, 0.2], [0.5, 0.5, 0.9, 0.6]])
    assert boxes.holds(two, 0.9, 0.55)
    assert boxes.holds(two, 0.2, 0.1)
    assert not boxes.holds(two, 0.2, 0.55)


def test_an_average_leaves_out_all_boxes_of_the_patient() -> None:
    generator = np.random.default_rng(2)
    some = generator.random((9, 4))
    patients = np.array(list("aabcccdae"))
    found = boxes.averages_of_others(some, patients)
    for at, patient in enumerate(patients):
        others = [box for box, other in zip(some, patients, strict=True) if other != patient]
        np.testing.assert_allclose(found[at], np.mean(others, axis=0))


def test_a_single_patient_has_no_average_of_others() -> None:
    assert np.isnan(boxes.averages_of_others(np.ones((2, 4)), np.array(["a", "a"]))).all()
