# SPDX-License-Identifier: MIT
"""Tests of the captioned pictures; how they look is seen in tests/browser."""

import numpy as np
import pytest

from trainer.monitoring.example_pictures import SIDE, example_picture, listed

FINDINGS = ("Mass", "Pleural_Thickening", "Edema")
LABELS = np.array([0.0, 1.0, np.nan])
SCORES = np.array([0.9, 0.1, 0.4], np.float32)
PIXELS = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)


def drawn(
    *, name: str = "a.png", labels: np.ndarray = LABELS, scores: np.ndarray = SCORES
) -> np.ndarray:
    return example_picture(
        name=name, pixels=PIXELS, labels=labels, scores=scores, findings=FINDINGS
    )


def test_present_findings_are_listed_whatever_their_score_and_the_rest_by_score() -> None:
    labels = np.array([0.0, 0.0, 1.0, 0.0, np.nan, 0.0])
    scores = np.array([0.5, 0.1, 0.05, 0.7, 0.6, 0.2])
    assert listed(labels, scores, most=3) == [3, 4, 2]
    assert listed(np.zeros(6), scores, most=3) == [3, 4, 0]
    assert listed(labels, scores, most=9) == [3, 4, 0, 5, 1, 2]


@pytest.mark.parametrize("side", [32, 320, 512])
def test_the_picture_is_shown_whole_above_the_caption(side: int) -> None:
    pixels = np.zeros([side, side], np.uint8)
    pixels[: side // 2] = 200
    picture = example_picture(
        name="a", pixels=pixels, labels=LABELS, scores=SCORES, findings=FINDINGS
    )
    assert picture.dtype == np.uint8
    assert picture.shape[1] == SIDE
    assert (picture[: SIDE // 2 - 8] == 200).all()
    assert (picture[SIDE // 2 + 8 : SIDE] == 0).all()


def test_what_is_said_changes_the_caption_and_only_that() -> None:
    before = drawn()
    variants = [
        drawn(name="b.png"),
        drawn(labels=np.array([1.0, 1.0, np.nan])),
        drawn(labels=np.array([0.0, 1.0, 0.0])),
        drawn(scores=np.array([0.91, 0.1, 0.4], np.float32)),
    ]
    for picture in variants:
        assert picture.shape == before.shape
        assert np.array_equal(picture[:SIDE], before[:SIDE])
        assert not np.array_equal(picture[SIDE:], before[SIDE:])


def test_bars_are_as_long_as_the_scores() -> None:
    picture = drawn()
    # Just below the letters of a row, where nothing but the bar is.
    lengths = [(picture[SIDE + 26 * line + 23] == 84).sum() for line in (2, 3, 4)]
    full = lengths[0] / 0.9
    assert lengths == pytest.approx([0.9 * full, 0.4 * full, 0.1 * full], abs=3)
    assert full < SIDE * 0.6


def test_a_long_name_ends_at_the_edge_and_an_undefined_score_is_drawn() -> None:
    picture = drawn(name="x" * 500, scores=np.array([np.nan, 0.1, 0.4], np.float32))
    assert picture.shape == drawn().shape
