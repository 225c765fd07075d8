# SPDX-License-Identifier: MIT
"""The picture shows the most flagged finding where its heat is, and the words below the film."""

import dataclasses

import numpy as np
import pytest

from trainer.inference.pacs import drawing

GREY = np.full((900, 600), 100, np.uint8)


def test_the_finding_highest_above_its_prevalence_comes_first(answer, facts) -> None:
    # 0.123 / 0.02 against 0.25 / 0.1; the third is not flagged.
    assert drawing.flagged(answer, facts, "youden") == [1, 0]
    # The other rule found no threshold; without a rule all are shown.
    assert drawing.flagged(answer, facts, "max_f1") == []
    assert drawing.flagged(answer, facts, "") == [1, 0, 2]


def test_heat_and_box_are_where_the_map_is_hot(answer, facts, maps) -> None:
    made = drawing.draw(GREY, answer, maps, facts, "youden")
    coloured = np.argwhere(np.ptp(made[:880].astype(int), axis=2) > 20)
    (top, left), (bottom, right) = coloured.min(0), coloured.max(0)
    # The map is 28 of 32 stored pixels of a 900 px square, the film without its borders of 150.
    x0, y0 = (900 * (2 + 28 * at / 16) / 32 for at in (2, 11))
    x1, y1 = (900 * (2 + 28 * at / 16) / 32 for at in (5, 14))
    assert abs(top - y0) < 60 and abs(bottom - y1) < 60
    assert left == 0 and abs(right - (x1 - 150)) < 60 and x0 < 200
    box = np.argwhere((made[:880] == drawing._YELLOW).all(axis=2))
    assert len(box) and top <= box[:, 0].min() and box[:, 0].max() <= bottom


@pytest.mark.parametrize("shape", [(40, 30), (3000, 2000), (2000, 3000), (16, 4000), (4000, 16)])
def test_the_picture_has_at_most_1024_pixels_a_side(answer, facts, maps, shape) -> None:
    made = drawing.draw(np.zeros(shape, np.uint8), answer, maps, facts, "youden")
    assert max(made.shape) <= 1024 and made.dtype == np.uint8 and made.shape[2] == 3
    assert made.shape[1] >= 512


def test_without_a_flag_there_is_no_heat(answer, facts, maps) -> None:
    none = dataclasses.replace(answer, flags=np.zeros_like(answer.flags))
    made = drawing.draw(GREY, none, maps, facts, "youden")
    assert (np.ptp(made[:900].astype(int), axis=2) == 0).all()
    assert drawing._lines(none, facts, [])[-1].startswith("no finding reaches")


def test_the_words(answer, other, facts) -> None:
    lines = drawing._lines(answer, facts, [1, 0])
    assert lines == [
        "RESEARCH USE - NOT A MEDICAL DEVICE",
        "Pleural_Thickening: probability 0.123 (heat map, box)",
        "Effusion: probability 0.250",
    ]
    raw = dataclasses.replace(other, probabilities=None)
    assert "UNLIKE" in drawing._lines(raw, facts, [2])[1]
    assert drawing._lines(raw, facts, [2])[2] == "?dem (): score 0.900 (heat map, box)"


def test_the_box_holds_the_region_of_the_peak_alone() -> None:
    heat = np.zeros((20, 30), np.float32)
    heat[2:5, 3:9], heat[10:12, 20:22] = 0.8, 1.0
    assert drawing.hottest(heat) == (20, 10, 2, 2)
