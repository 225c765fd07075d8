# SPDX-License-Identifier: MIT
"""The precision-recall curve and the exact area under it, the average precision.

Precision is the share of called images that have the finding, recall the share of images with the
finding that are called. The average precision is the mean precision over the positives, each taken
at the threshold that just calls it: the sum over thresholds of the rise in recall times the
precision there, without interpolation (Davis and Goadrich, ICML 2006, show why straight lines
between points would flatter). A score without any information reaches the prevalence.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats
from trainer.evaluation.ranking import Ranking


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """The steps of a precision-recall curve, one at each distinct score of a positive image.

    Attributes:
        recalls: float64 [k], rising to 1.
        precisions: float64 [k].
        thresholds: float64 [k], falling; an image is called at `score >= threshold`.
    """

    recalls: npt.NDArray[np.float64]
    precisions: npt.NDArray[np.float64]
    thresholds: npt.NDArray[np.float64]


def average_precision(labels: Floats, scores: Floats) -> float:
    """Returns the exact average precision, or NaN without any positive or without any negative.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n]; higher means more suspicious.

    >>> round(average_precision(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.9, 0.1])), 6)
    0.833333
    >>> average_precision(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    0.5
    """
    every = np.arange(len(labels))
    once = np.ones((len(labels), 1), dtype=np.int32)
    return float(Ranking.of(labels, scores, every).areas(once)[1, 0])


def curve(labels: Floats, scores: Floats) -> PrecisionRecallCurve | None:
    """Returns the exact curve; None without any positive or without any negative.

    Args:
        labels: [n]; 1, 0 or NaN for unknown.
        scores: [n].

    >>> curve(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.9, 0.1])).recalls
    array([0.5, 1. ])
    """
    above, below = scores[labels == 1], scores[labels == 0]
    if not len(above) or not len(below):
        return None
    distinct, counts = np.unique(above, return_counts=True)
    found = np.cumsum(counts[::-1])
    alarms = len(below) - np.searchsorted(np.sort(below), distinct[::-1], side="left")
    return PrecisionRecallCurve(
        found / len(above),
        found / (found + alarms),
        distinct[::-1].astype(np.float64),
    )


def thin(whole: PrecisionRecallCurve, limit: int) -> PrecisionRecallCurve:
    """Returns at most `limit` true points of a curve, evenly spread in recall, for drawing.

    The average precision must not be computed from these.

    Args:
        whole: the exact curve.
        limit: the most points to keep, 2 or more; both ends are always kept.
    """
    count = len(whole.recalls)
    if count <= limit:
        return whole
    wanted = np.linspace(whole.recalls[0], 1.0, limit)
    kept = np.unique(np.clip(np.searchsorted(whole.recalls, wanted), 0, count - 1))
    return PrecisionRecallCurve(whole.recalls[kept], whole.precisions[kept], whole.thresholds[kept])
