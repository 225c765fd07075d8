# SPDX-License-Identifier: MIT
"""Counts precision and recall of a finding for TensorBoard's PR curves."""

from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.plugins.pr_curve import summary

# One for each percent of recall, and none.
POINTS = 101

# TensorBoard labels its points with thresholds evenly spaced from 0 to 1 and offers no way to give
# others. Scores of a rare finding all lie near 0, where such a grid has a point or two.
_DESCRIPTION = (
    "{positives} of {known} images with a known label show the finding: by chance precision is "
    "{prevalence:.4f}. Points are evenly spaced in recall, so **Threshold is not a score**: it is "
    "the share of the positive images that score lower. The report lists thresholds on scores."
)


def pr_curve(
    tag: str, labels: npt.NDArray[np.floating[Any]], scores: npt.NDArray[np.floating[Any]]
) -> bytes | None:
    """Returns a serialised summary of one finding's curve, None where it has none.

    Args:
        tag: name in TensorBoard.
        labels: [n]; 1 with the finding, 0 without, NaN unknown (left out).
        scores: [n]; higher means more suspicious.

    Returns:
        The summary; None without any positive or without any negative.
    """
    known = np.isfinite(labels)
    positive = np.sort(scores[known & (labels == 1)].astype(np.float64))
    negative = np.sort(scores[known & (labels == 0)].astype(np.float64))
    if not positive.size or not negative.size:
        return None
    true, false = counts(positive, negative)
    proto = summary.raw_data_pb(
        tag,
        true_positive_counts=true,
        false_positive_counts=false,
        true_negative_counts=negative.size - false,
        false_negative_counts=positive.size - true,
        precision=true / (true + false),
        recall=true / positive.size,
        num_thresholds=POINTS,
        description=_DESCRIPTION.format(
            known=int(known.sum()),
            positives=positive.size,
            prevalence=positive.size / (positive.size + negative.size),
        ),
    )
    return bytes(proto.SerializeToString())


def counts(
    positive: npt.NDArray[np.float64], negative: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Counts true and false positives at thresholds that are scores of positive images.

    Precision can only fall between two of them, so no better point is missed.

    Args:
        positive: scores of the images with the finding, float64 [p], rising, at least one.
        negative: scores of the images without it, float64 [q], rising.

    Returns:
        True positives and false positives, int64 [101] each: those with a score of at least the
        threshold, which rises from the lowest positive image's score to the highest's.
    """
    at = np.ceil(np.linspace(0, positive.size - 1, POINTS)).astype(np.int64)
    thresholds = positive[at]
    true = positive.size - np.searchsorted(positive, thresholds, side="left")
    false = negative.size - np.searchsorted(negative, thresholds, side="left")
    return true.astype(np.int64), false.astype(np.int64)
