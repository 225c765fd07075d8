# SPDX-License-Identifier: MIT
"""A smooth calibration curve: the share with the finding at each score, with its band.

Logistic regression of the label on a restricted cubic spline of the score's logit, the flexible
curve that Van Calster et al. (Journal of Clinical Epidemiology 2016; 74:167-176) and their program
val.prob.ci.2 draw of large data, where loess is slow. It has few parameters, follows no bin edges,
and its resamples come from sums over images, as those of the line in `calibration`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.calibration import known
from trainer.evaluation.logistic import Numbers, logits, newton, sigmoid
from trainer.evaluation.recalibration import apply

# Fewer images with the finding, or without it, are too few for a flexible curve (ibid.).
ENOUGH = 200
POINTS = 50
# Where five knots lie (Harrell, Regression Modeling Strategies, 2nd edition 2015, table 2.3).
_KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)
# The curve ends at the fifth highest score, as in Harrell's rms::calibrate: beyond, single images
# decide. The lowest scores lie far apart in log odds, where few images decide, and not at all in
# probability, which the axis shows.
_LOWEST, _LAST = 0.01, 5
# Nearly equal columns, of hardly any different scores.
_WORST_CONDITION = 1e10
# Of the curvature, over columns of mean square 1: below it a coefficient has a standard error of
# more than ten logits. The scores part the labels over some range, and no curve fits best.
_FLATTEST = 0.01


def curve(labels: Floats, scores: Floats, draws: intervals.Resamples) -> dict[str, Any] | None:
    """Returns the smooth calibration curve of one finding.

    A resample's curve is one Newton step from that of all images (Moulton and Zeger, Computational
    Statistics and Data Analysis 1991; 11:53-63).

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n], probabilities.
        draws: resamples of these images.

    Returns:
        Lists of `POINTS`: `scores`, evenly spaced (1% of all lie below them), the share `observed`
        there, and the ends `low` and `high` of its pointwise 95% interval from resampled patients.
        None with fewer than `ENOUGH` images of either label, with positives or negatives of one
        patient only, or where no curve fits best.
    """
    which, (truth, chance) = ~np.isnan(labels), known(labels, scores)
    if min((truth == 1).sum(), (truth == 0).sum()) < ENOUGH:
        return None
    if not (draws.several(labels == 1) and draws.several(labels == 0)):
        return None
    values = logits(chance)
    knots = np.unique(np.quantile(values, _KNOTS))
    if len(knots) < 3:
        return None
    # Columns without correlation: Newton's steps lose no digits to each other.
    columns, turn = np.linalg.qr(spline(values, knots))
    columns, turn = columns * np.sqrt(len(values)), turn / np.sqrt(len(values))
    if np.linalg.cond(turn) > _WORST_CONDITION:
        return None
    best = newton(columns, truth)
    drawn = _resampled(columns, truth, best, draws.select(which))
    if drawn is None:
        return None
    places = np.linspace(np.quantile(chance, _LOWEST), np.sort(chance)[-_LAST], POINTS)
    basis = np.linalg.solve(turn.T, spline(logits(places), knots).T).T
    found = intervals.along(sigmoid(basis @ best), sigmoid(drawn @ basis.T))
    return {"scores": places.tolist(), "observed": found.pop("value"), **found}


def mapped(found: dict[str, Any] | None, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the smooth curve of calibrated scores.

    Log odds that a line maps have the same spline columns, so that the curve that fits best is the
    same one: only its scores move.

    Args:
        found: what `curve` returned.
        parameters: of a map along a line of log odds, as `recalibration.fit` returns it.
    """
    return found and {**found, "scores": apply(parameters, np.array(found["scores"])).tolist()}


def spline(values: Numbers, knots: Numbers) -> Numbers:
    """Returns the columns of a restricted cubic spline: cubic between knots, straight outside them.

    Devlin and Weeks (Proceedings of the 11th SAS Users Group International 1986; 646-651), scaled
    as Harrell does.

    Args:
        values: float64 [n].
        knots: float64 [k], rising, 3 or more.

    Returns:
        float64 [n, k]: 1, the value, and k - 2 columns that bend.
    """

    def cubed(knot: float) -> Numbers:
        return np.asarray(np.maximum(values - knot, 0.0) ** 3)

    *inner, before, last = knots.tolist()
    beyond, at_end = cubed(before), cubed(last)
    bent = [
        cubed(knot)
        - beyond * (last - knot) / (last - before)
        + at_end * (before - knot) / (last - before)
        for knot in inner
    ]
    scale = (last - knots[0]) ** 2
    return np.stack([np.ones(len(values)), values, *(each / scale for each in bent)], axis=1)


def _resampled(
    columns: Numbers, truth: Numbers, best: Numbers, draws: intervals.Resamples
) -> Numbers | None:
    """The coefficients in every resample, float64 [B, k]; None where the curvature is too flat."""
    chance = sigmoid(columns @ best)
    # The gradient and the upper half of the curvature, as sums over images.
    rows, others = np.triu_indices(len(best))
    weighted = columns * (chance * (1 - chance))[:, None]
    parts = np.hstack([columns * (truth - chance)[:, None], weighted[:, rows] * columns[:, others]])
    if np.linalg.eigvalsh(weighted.T @ columns)[0] < _FLATTEST:
        return None
    sums = draws.sums(parts)
    curvature = np.empty((draws.number, len(best), len(best)))
    curvature[:, rows, others] = curvature[:, others, rows] = sums[:, len(best) :]
    # Least squares: a resample may leave out the images that a coefficient hangs on.
    inverse = np.linalg.pinv(curvature, hermitian=True)
    return np.asarray(best + (inverse @ sums[:, : len(best), None])[:, :, 0])
