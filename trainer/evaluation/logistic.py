# SPDX-License-Identifier: MIT
"""Logistic regression of a label on a score's logit: the line behind calibration.

Maximum likelihood without a penalty, by Newton's method (McCullagh and Nelder, Generalized Linear
Models, 2nd edition 1989, section 4.4). Where the likelihood has no maximum, as when the scores part
the labels completely, the answer is None.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats

Numbers = npt.NDArray[np.float64]

# Scores of 0 and 1 have no logit. In float32 the largest score below 1 is 1 - 6e-8, so that this
# moves nothing that a sigmoid can tell from 1.
SMALLEST = 1e-7
_STEPS = 100
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Line:
    """The model logit(probability of the finding) = intercept + slope * logit(score)."""

    intercept: float
    slope: float


def logits(scores: Floats) -> Numbers:
    """Returns log(p / (1 - p)), float64, with scores kept between 1e-7 and 1 - 1e-7.

    >>> logits(np.array([0.0, 0.5, 1.0])).round(2)
    array([-16.12,   0.  ,  16.12])
    """
    kept = np.clip(scores.astype(np.float64), SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def sigmoid(values: Numbers) -> Numbers:
    """Returns 1 / (1 + exp(-x)) without overflow or loss of digits."""
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1.0, small) / (1 + small))


def fit_line(values: Numbers, labels: Numbers) -> Line | None:
    """Returns the most likely intercept and slope.

    Args:
        values: logits, float64 [n].
        labels: float64 [n] of 0 and 1.

    Returns:
        None where there is no most likely line: without both labels, with equal values throughout,
        or where one value parts the labels.
    """
    positive, negative = values[labels == 1], values[labels == 0]
    if not len(positive) or not len(negative):
        return None
    if negative.max() <= positive.min() or positive.max() <= negative.min():
        return None
    center, width = values.mean(), values.std()
    # Standardised, so that the two coefficients hardly depend on each other.
    design = np.stack([np.ones(len(values)), (values - center) / width], axis=1)
    start, slope = newton(design, labels)
    return Line(float(start - slope * center / width), float(slope / width))


def fit_slope(values: Numbers, labels: Numbers) -> float | None:
    """Returns the most likely slope of a line through the origin: one over the temperature.

    Returns:
        None where there is none: every image lies on the side of 0.5 that its label says, or every
        one on the other.
    """
    towards = values * (2 * labels - 1)
    if not (towards > 0).any() or not (towards < 0).any():
        return None
    return float(newton(values[:, None], labels)[0])


def fit_intercept(values: Numbers, labels: Numbers) -> float | None:
    """Returns the most likely intercept of a line of slope 1: calibration in the large.

    Above 0 the finding is more common than the scores say, below 0 rarer. None without both labels.
    """
    if not (labels == 1).any() or not (labels == 0).any():
        return None
    return float(newton(np.ones((len(values), 1)), labels, offset=values)[0])


def newton(
    design: Numbers,
    positives: Numbers | npt.NDArray[np.int64],
    *,
    images: npt.NDArray[np.int64] | float = 1.0,
    offset: Numbers | float = 0.0,
    penalty: Numbers | float = 0.0,
    start: Numbers | None = None,
) -> Numbers:
    """Returns the coefficients, float64 [k], that maximise a likelihood that has a maximum.

    Args:
        design: float64 [rows, k].
        positives: how many images of each row have the finding, [rows].
        images: how many images each row is of.
        offset: what is added to each row's logit.
        penalty: of half the square of each coefficient, [k] (ridge).
        start: where to begin, float64 [k]; at 0 by default.
    """

    def at(tried: Numbers) -> tuple[float, Numbers]:
        """Minus the log likelihood, and every row's logit."""
        values = design @ tried + offset
        return _loss(values, positives, images) + float((penalty * tried**2).sum()) / 2, values

    current = np.zeros(design.shape[1]) if start is None else start
    reached, values = at(current)
    for _ in range(_STEPS):
        # 1. The slope of the log likelihood here, and how it bends.
        chance = sigmoid(values)
        rest = (positives - images * chance)[:, None]
        gradient = _product(design, rest)[:, 0] - penalty * current
        bent = _product(design * (images * chance * (1 - chance))[:, None], design)
        curvature = bent + np.diag(penalty * np.ones(len(current)))
        # 2. To the top of that parabola; by least squares, as the curvature can be singular.
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        # 3. `gradient @ step` is twice what the parabola still promises: in noise it is the last.
        last = gradient @ step <= (noise := _TOLERANCE * (1 + reached))
        # 4. Far away the parabola may point beyond the maximum and downhill: halve until it climbs.
        while (tried := at(current + step))[0] > reached + noise:
            step = step / 2
        current, (reached, values) = current + step, tried
        if last:
            break
    return current


def _product(first: Numbers, second: Numbers) -> Numbers:
    # For a product of two long columns BLAS would wake all its threads, at 20 times the cost.
    one = first.shape[1] == second.shape[1] == 1
    return (first * second).sum(axis=0, keepdims=True) if one else first.T @ second


def _loss(
    values: Numbers, positives: npt.NDArray[Any], images: npt.NDArray[np.int64] | float
) -> float:
    # logaddexp(0, x) is log(1 + exp(x)) that does not overflow.
    return float((images * np.logaddexp(0, values) - positives * values).sum())
