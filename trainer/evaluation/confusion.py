# SPDX-License-Identifier: MIT
"""What goes together with what: labels, calls and errors of different findings, and scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.logistic import Numbers, logits, sigmoid

# Scores of a rare finding all lie near 0: on the axis of log odds they spread. -7 is 0.0009.
_REACH = 7.0
BINS = 40


def calls(scores: Floats, thresholds: Sequence[float | None]) -> Numbers:
    """Returns which images are called, float64 [n, L]: 1, 0, or NaN without a threshold.

    >>> calls(np.array([[0.2, 0.5], [0.7, 0.5]]), [0.5, None])
    array([[ 0., nan],
           [ 1., nan]])
    """
    result = np.full(scores.shape, np.nan)
    for column, threshold in enumerate(thresholds):
        if threshold is not None:
            result[:, column] = scores[:, column] >= threshold
    return result


def shares(condition: npt.NDArray[np.bool_], values: Floats) -> Numbers:
    """Returns how often B holds where A does, float64 [L, L]: rows are A, columns are B.

    Args:
        condition: bool [n, L], where A holds.
        values: [n, L], B: 1, 0 or NaN for unknown (left out of that column).

    Returns:
        NaN on the diagonal, and where A holds in no image in which B is known.
    """
    known = ~np.isnan(values)
    where = condition.astype(np.float64)
    with np.errstate(invalid="ignore"):
        result = (where.T @ np.where(known, values, 0.0)) / (where.T @ known.astype(np.float64))
    np.fill_diagonal(result, np.nan)
    return np.asarray(result)


def excess(
    condition: npt.NDArray[np.bool_], values: Floats, draws: intervals.Resamples
) -> list[list[intervals.Interval]]:
    """Returns by how much more often B holds where A does than in all images, with intervals.

    Args:
        condition: bool [n, L], where A holds.
        values: [n, L], B: 1, 0 or NaN for unknown (left out of that column).
        draws: resamples of these images.

    Returns:
        Rows are A, columns are B, as `shares`; no ends where A holds in images of one patient only.
    """
    known, held = ~np.isnan(values), values == 1
    width = values.shape[1]
    pairs = [condition[:, :, None] & which[:, None, :] for which in (held, known)]
    columns = np.concatenate([pair.reshape(len(values), -1) for pair in pairs], axis=1)
    drawn = np.split(draws.sums(columns), 2, axis=1)
    usual = np.split(draws.sums(np.hstack([held, known])), 2, axis=1)
    with np.errstate(invalid="ignore"):
        part = (drawn[0] / drawn[1]).reshape(-1, condition.shape[1], width)
        differences = part - (usual[0] / usual[1])[:, None, :]
        points = shares(condition, values) - held.sum(axis=0) / known.sum(axis=0)
    differences[:, ~draws.several(condition)] = np.nan
    return [
        [
            intervals.percentile(float(points[row, column]), differences[:, row, column])
            for column in range(width)
        ]
        for row in range(condition.shape[1])
    ]


def errors(labels: Floats, called: Numbers) -> dict[str, npt.NDArray[np.bool_]]:
    """Returns in which images each finding is `missed` and which are `false_alarms`, [n, L]."""
    return {
        "missed": (labels == 1) & (called == 0),
        "false_alarms": (labels == 0) & (called == 1),
    }


def matrices(labels: Floats, called: Numbers) -> dict[str, Numbers]:
    """Returns the shares between findings, float64 [L, L] each: rows condition, columns counted.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        called: [n, L]; what `calls` returned.

    Returns:
        `called_if_missed`: of the images in which A is missed, the share in which B is called.
        `called_if_false_alarm` and `labelled_if_false_alarm`: of those in which A is called in
        error, the share in which B is called, or is labelled. `called_if_called` and
        `labelled_if_labelled`: of those in which A is called, or labelled, likewise.
    """
    truth, found = labels.astype(np.float64), errors(labels, called)
    return {
        "called_if_missed": shares(found["missed"], called),
        "called_if_false_alarm": shares(found["false_alarms"], called),
        "labelled_if_false_alarm": shares(found["false_alarms"], truth),
        "called_if_called": shares(called == 1, called),
        "labelled_if_labelled": shares(labels == 1, truth),
    }


def counts(labels: Floats, called: Numbers) -> list[dict[str, int | None]]:
    """Returns of each finding its images, positives, calls and errors.

    Returns:
        One dict a finding with `n`, `positives`, `called`, `missed` and `false_alarms` among the
        images whose label is known; the last three are None without a threshold.
    """
    known, wrong = ~np.isnan(labels), errors(labels, called)
    columns = {"n": known, "positives": labels == 1, "called": known & (called == 1), **wrong}
    sums = {name: column.sum(axis=0).tolist() for name, column in columns.items()}
    judged = np.asarray(~np.isnan(called).any(axis=0))
    return [
        {
            name: sums[name][at] if has_threshold or name in ("n", "positives") else None
            for name in columns
        }
        for at, has_threshold in enumerate(judged.tolist())
    ]


def histogram(labels: Floats, scores: Floats) -> dict[str, list[int]]:
    """Returns how many images of one finding score what, `positive` and `negative`, [40] each.

    The bins have equal widths in log odds; the first and the last hold all that is beyond.
    """
    place = np.clip((logits(scores) + _REACH) * BINS / (2 * _REACH), 0, BINS - 1).astype(int)
    kinds = {"positive": 1, "negative": 0}
    return {
        name: np.bincount(place[labels == kind], minlength=BINS).tolist()
        for name, kind in kinds.items()
    }


def edges() -> list[float]:
    """Returns the 41 scores between which the bins of `histogram` lie."""
    inner: list[Any] = sigmoid(np.linspace(-_REACH, _REACH, BINS + 1)).tolist()
    return [0.0, *inner[1:-1], 1.0]
