# SPDX-License-Identifier: MIT
"""A heat map lies on the film where the network saw it."""

import numpy as np

from trainer.inference import on_film
from trainer.serving.facts import Facts

FACTS = Facts("", (), 80, 32, 0.75, {}, {}, {}, "", 0)


def test_heat_comes_back_to_its_place() -> None:
    heat = np.zeros((32, 32), np.float32)
    heat[8:16, 16:24] = 1
    laid = on_film.laid_out(heat, FACTS, 800, 480)
    assert laid.shape == (800, 480)
    rows, columns = np.nonzero(laid > 0.5)
    # Of 800 px a square of 600 from 100 on, of which the map has 32: 18.75 px each; the film lacks
    # 160 px on either side.
    assert abs(rows.min() - 250) < 2 and abs(rows.max() - 399) < 2
    assert abs(columns.min() - 240) < 2 and abs(columns.max() - 389) < 2


def test_there_is_no_heat_where_the_network_did_not_look() -> None:
    laid = on_film.laid_out(np.ones((32, 32), np.float32), FACTS, 800, 800)
    assert (laid[100:700, 100:700] == 1).all()
    assert laid.sum() == 600 * 600
