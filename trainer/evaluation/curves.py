# SPDX-License-Identifier: MIT
"""The exact ROC and precision-recall curves of one finding, and few of their points to draw."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats, counts_by_score


@dataclass(frozen=True)
class Curve:
    """Points from the highest threshold to the lowest; an image is called at `score >= threshold`.

    Attributes:
        x: false positive rates (ROC) or recalls, float64 [k], rising.
        y: true positive rates (ROC) or precisions, float64 [k].
        thresholds: float64 [k], falling.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    thresholds: npt.NDArray[np.float64]


def roc(labels: Floats, scores: Floats) -> Curve | None:
    """Returns the corners of the exact ROC curve, from (0, 0) to (1, 1); lines join them.

    Points that lie on a line between two others are left out. The area under the lines is the AUC.
    The first threshold is infinity: nothing is called.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n].

    Returns:
        None without any positive or without any negative.

    >>> curve = roc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4]))
    >>> curve.y, curve.thresholds
    (array([0., 1., 1.]), array([inf, 0.3, 0.1]))
    """
    hits, alarms, thresholds = _called(labels, scores)
    if not hits[-1] or not alarms[-1]:
        return None
    # Counts are whole numbers, so that the cross product is exactly 0 on a line.
    turn = np.diff(hits)[:-1] * np.diff(alarms)[1:] != np.diff(hits)[1:] * np.diff(alarms)[:-1]
    corner = np.concatenate([[True], turn, [True]])
    return Curve((alarms / alarms[-1])[corner], (hits / hits[-1])[corner], thresholds[corner])


def precision_recall(labels: Floats, scores: Floats) -> Curve | None:
    """Returns the steps of the exact curve, one at each distinct score of a positive image.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n].

    Returns:
        None without any positive or without any negative.

    >>> precision_recall(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.9, 0.1])).x
    array([0.5, 1. ])
    """
    hits, alarms, thresholds = _called(labels, scores)
    if not hits[-1] or not alarms[-1]:
        return None
    step = 1 + np.flatnonzero(np.diff(hits))
    found = hits[step]
    return Curve(found / hits[-1], found / (found + alarms[step]), thresholds[step])


def thin(curve: Curve, limit: int, way: npt.NDArray[np.float64]) -> Curve:
    """Returns at most `limit` true points of a curve, evenly spread along a way, for drawing.

    No area must be computed from these: lines between fewer points cut corners.

    Args:
        curve: the exact curve.
        limit: the most points to keep, 2 or more; both ends are always kept.
        way: how far along the curve each point is, float64 [k], never falling: x + y for ROC.
    """
    count = len(way)
    if count <= limit:
        return curve
    wanted = np.linspace(way[0], way[-1], limit)
    kept = np.unique(np.clip(np.searchsorted(way, wanted), 0, count - 1))
    kept[-1] = count - 1
    return Curve(curve.x[kept], curve.y[kept], curve.thresholds[kept])


def _called(
    labels: Floats, scores: Floats
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """True and false positives at each threshold, from infinity down; and the thresholds."""
    positives, negatives, values = counts_by_score(labels, scores)
    hits, alarms = (np.append(0.0, np.cumsum(mass[::-1])) for mass in (positives, negatives))
    return hits, alarms, np.append(np.inf, values[::-1])
