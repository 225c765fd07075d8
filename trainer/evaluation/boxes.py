# SPDX-License-Identifier: MIT
"""Boxes on pictures: how far two overlap, and which ones a heat map draws.

A box is its corners x0, y0, x1, y1 as shares of the picture's side, from the top left.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import patients as people
from trainer.predictions.placement import Placement

Boxes = npt.NDArray[np.float64]

# Of a map's highest value. Wang et al. (CVPR 2017, section 3.2, "Bounding Box Generation") bring
# heat maps to 0..255, cut them at 60 and at 180, each by itself, and draw a box round each isolated
# region of either. Fixed before any box was looked at, and not to be tuned on boxes.
THRESHOLDS = (60 / 255, 180 / 255)

# Pixels of a side on which regions are found: a tenth of a nodule's box in ChestX-ray14.
GRID = 256


def corners(boxes: npt.NDArray[Any]) -> Boxes:
    """Turns x, y, width, height into corners: [n, 4] to float64 [n, 4]."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def areas(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Returns the areas of boxes [n, 4], float64 [n]."""
    return np.asarray(np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1))


def intersections(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Returns the area that each of [m, 4] shares with each of [n, 4], float64 [m, n]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2))


def overlaps(drawn: Boxes, true: Boxes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns IoU and IoBB of each drawn [m, 4] with each true box [n, 4], float64 [m, n] each.

    IoBB is intersection over the detected box: the share of a drawn box inside a true one (Wang et
    al., CVPR 2017, section 4).
    """
    shared, of_drawn = intersections(drawn, true), areas(drawn)[:, None]
    return shared / (of_drawn + areas(true)[None] - shared), shared / of_drawn


def drawn_by(heat: npt.NDArray[Any], placement: Placement) -> Boxes:
    """Returns the boxes round the hot regions of a map, at both thresholds.

    Args:
        heat: [cells, cells], not negative.
        placement: where its cells lie.

    Returns:
        float64 [m, 4]; none for a map without heat.
    """
    peak = float(heat.max())
    if not peak > 0:
        return np.zeros((0, 4))
    laid_out = placement.laid_out(heat, GRID)
    found = []
    for threshold in THRESHOLDS:
        hot = (laid_out > threshold * peak).astype(np.uint8)
        _, _, regions, _ = cv2.connectedComponentsWithStats(hot, connectivity=8)
        # The first region is what is not hot.
        found.append(regions[1:, :4])
    return corners(np.concatenate(found) / GRID)


def holds(boxes: Boxes, x: float, y: float) -> bool:
    """Whether a point lies in any of the boxes [n, 4], their edges included."""
    inside = (boxes[:, :2] <= (x, y)) & ((x, y) <= boxes[:, 2:])
    return bool(inside.all(axis=1).any())


def averages_of_others(boxes: Boxes, patients: npt.NDArray[Any]) -> Boxes:
    """Returns for each box the average corners of the boxes of all other patients.

    Args:
        boxes: [n, 4].
        patients: [n].

    Returns:
        float64 [n, 4]; NaN where all boxes are of one patient.
    """
    _, of = people.numbered(patients)
    own = pd.DataFrame(boxes).groupby(of).transform("sum").to_numpy()
    others = len(boxes) - np.bincount(of)[of][:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(others > 0, (boxes.sum(axis=0) - own) / others, np.nan))
