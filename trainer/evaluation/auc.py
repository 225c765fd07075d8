# SPDX-License-Identifier: MIT
"""The exact area under the ROC curve, from ranks, with ties and unknown labels.

The AUC is the probability that an image with the finding gets a higher score than an image without
it, a tie counting one half: the Mann-Whitney U statistic over the number of pairs (Hanley and
McNeil, Radiology 1982; 143:29-36). It is counted here, never approximated by a grid of thresholds.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def auroc(labels: Floats, scores: Floats) -> float:
    """Returns the exact AUC of one finding, or NaN where it is not defined.

    Args:
        labels: [n]; 1 with the finding, 0 without, NaN unknown (left out).
        scores: [n]; any real numbers, higher means more suspicious.

    Returns:
        The AUC from 0 to 1; NaN without any positive or without any negative.

    Raises:
        ValueError: a label is something else, or a counted score is NaN.

    >>> auroc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    >>> auroc(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    0.5
    >>> auroc(np.array([1.0, 1.0, np.nan]), np.array([0.2, 0.3, 0.4]))
    nan
    """
    positives, negatives, _ = counts_by_score(labels, scores)
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    # Twice U is a whole number, so that only the division rounds.
    return float((positives * (2 * below + negatives)).sum() / (2 * pairs))


def aurocs(labels: Floats, scores: Floats) -> npt.NDArray[np.float64]:
    """Returns the AUC of every finding, float64 [L], NaN where it is not defined.

    Args:
        labels: [n, L] as for `auroc`.
        scores: [n, L].

    >>> aurocs(np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.1, 0.2], [0.3, 0.4]]))
    array([ 1., nan])
    """
    columns = zip(labels.T, scores.T, strict=True)
    return np.array([auroc(label, score) for label, score in columns], dtype=np.float64)


def mean_auc(aucs: Mapping[str, float]) -> float:
    """Returns the unweighted mean over the findings that have an AUC; NaN where none has.

    >>> mean_auc({"Mass": 0.75, "Edema": 0.25, "Hernia": float("nan")})
    0.5
    """
    defined = [value for value in aucs.values() if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def counts_by_score(
    labels: Floats, scores: Floats
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Counts the images of one finding at each distinct score.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n].

    Returns:
        How many positives, how many negatives, and the scores, rising; float64 [k] each.

    Raises:
        ValueError: as `auroc`.
    """
    known = ~np.isnan(labels)
    truth, kept = labels[known], scores[known]
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError("labels must be 0, 1 or NaN for unknown")
    if np.isnan(kept).any():
        raise ValueError("a score is NaN where the label is known; it has no rank")
    values, group = np.unique(kept, return_inverse=True)
    negatives, positives = (
        np.bincount(group[truth == kind], minlength=len(values)).astype(np.float64)
        for kind in (0, 1)
    )
    return positives, negatives, values.astype(np.float64)
