# SPDX-License-Identifier: MIT
"""Logistic regression of a label on a score's logit: the line behind calibration.

Maximum likelihood without a penalty, by Newton's method (McCullagh and Nelder, Generalized Linear
Models, 2nd edition 1989, section 4.4). Where the likelihood has no maximum, as when the scores part
the labels completely, there is no answer, and none is made up.
"""

from dataclasses import dataclass

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
    start, slope = _newton(design, labels, np.zeros(len(values)))
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
    return float(_newton(values[:, None], labels, np.zeros(len(values)))[0])


def fit_intercept(values: Numbers, labels: Numbers) -> float | None:
    """Returns the most likely intercept of a line of slope 1: calibration in the large.

    Above 0 the finding is more common than the scores say, below 0 rarer. None without both labels.
    """
    if not (labels == 1).any() or not (labels == 0).any():
        return None
    return float(_newton(np.ones((len(values), 1)), labels, values)[0])


def _newton(design: Numbers, labels: Numbers, offset: Numbers) -> Numbers:
    """The coefficients, float64 [k], that maximise the likelihood; there must be a maximum."""
    current = np.zeros(design.shape[1])
    reached = _loss(design @ current + offset, labels)
    for _ in range(_STEPS):
        chance = sigmoid(design @ current + offset)
        gradient = design.T @ (labels - chance)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        noise = _TOLERANCE * (1 + reached)
        # The gain that Newton's method still expects, in units of the log likelihood.
        last = gradient @ step <= noise
        # Halving keeps a step from jumping over the maximum from far away.
        while (loss := _loss(design @ (current + step) + offset, labels)) > reached + noise:
            step = step / 2
        current, reached = current + step, loss
        if last:
            break
    return current


def _loss(values: Numbers, labels: Numbers) -> float:
    """Minus the log likelihood."""
    return float((np.logaddexp(0, values) - labels * values).sum())
