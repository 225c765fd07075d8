# SPDX-License-Identifier: MIT
"""Heat is drawn where it is, over the film, under a name that is safe."""

import dataclasses
import pathlib

import cv2
import numpy as np

from trainer.inference import overlays
from trainer.serving.facts import Facts

_FACTS = Facts("", ("Mass", "A/B"), 64, 64, 1.0, {}, {}, {}, "", 0)


def test_heat_is_drawn_where_it_is(tmp_path: pathlib.Path) -> None:
    film = np.full((40, 80), 90, np.uint8)
    maps = np.zeros((2, 64, 64), np.float32)
    maps[1, 24:32, 48:56] = 1  # right of the middle, above it
    overlays.write(str(tmp_path), "../x y", film, maps, ["A/B"], _FACTS)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith(".._x_y-") and ".A_B-" in path.name
    drawn = cv2.imread(str(path)).astype(int)
    assert drawn.shape == (40, 80, 3)
    changed = np.argwhere(np.ptp(drawn, axis=2) > 20)
    assert changed[:, 0].min() >= 8 and changed[:, 0].max() <= 21
    assert changed[:, 1].min() >= 58 and changed[:, 1].max() <= 71
    np.testing.assert_array_equal(drawn[:, :50], 90)


def test_large_films_become_smaller(tmp_path: pathlib.Path) -> None:
    film = np.zeros((3000, 2000), np.uint8)
    overlays.write(str(tmp_path), "a", film, np.zeros((2, 64, 64), np.float32), ["Mass"], _FACTS)
    assert cv2.imread(str(tmp_path / "a.Mass.png")).shape == (1024, 683, 3)
    assert (tmp_path / "a.Mass.png").stat().st_mode & 0o077 == 0


def test_long_names_are_cut_and_stay_different(tmp_path: pathlib.Path) -> None:
    film, maps = np.zeros((40, 40), np.uint8), np.zeros((2, 64, 64), np.float32)
    facts = dataclasses.replace(_FACTS, findings=("a" * 250 + "1", "a" * 250 + "2"))
    overlays.write(str(tmp_path), "x" * 250 + ".png", film, maps, facts.findings, facts)
    assert len(list(tmp_path.iterdir())) == 2
