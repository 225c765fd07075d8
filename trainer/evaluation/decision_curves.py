# SPDX-License-Identifier: MIT
"""Decision curves: what calling images at a threshold is worth against calling all or none.

Net benefit after Vickers and Elkin (Medical Decision Making 2006; 26:565-574). A threshold
probability p is the risk at which somebody is just willing to act: acting for nothing then weighs
p / (1 - p) of what missing somebody does.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.calibration import known
from trainer.evaluation.logistic import Numbers

# Of a grid; its step is 1, 2 or 5 times a power of ten, so that there are 25 or more.
MOST_POINTS = 62
PER = 100


def grid(low: float, high: float) -> list[float]:
    """Returns thresholds at round steps from `low` to `high`, both ends among them.

    Args:
        low: above 0.
        high: above `low`, below 1.

    >>> grid(0.01, 0.5)[:3], len(grid(0.01, 0.5))
    ([0.01, 0.02, 0.03], 50)
    >>> grid(0.125, 0.15)[:4]
    [0.125, 0.1255, 0.126, 0.1265]
    """
    least = (high - low) / (MOST_POINTS - 2)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= least)
    places = range(math.ceil(low / step), math.floor(high / step) + 1)
    inner = (round(place * step, 12) for place in places)
    return [low, *(threshold for threshold in inner if low < threshold < high), high]


def net_benefit(true: Numbers, false: Numbers, images: Numbers, odds: Numbers) -> Numbers:
    """Returns true / images - false / images * odds: Vickers and Elkin 2006.

    Args:
        true: images with the finding that are called; all of the arguments broadcast.
        false: images without it that are called.
        images: all images, called or not.
        odds: p / (1 - p) of the thresholds p.
    """
    return np.asarray(true / images - false / images * odds)


def curve(
    labels: Floats, scores: Floats, thresholds: npt.ArrayLike, draws: intervals.Resamples
) -> dict[str, Any] | None:
    """Returns the decision curve of one finding.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n], probabilities; an image is called at a score of at least the threshold.
        thresholds: [k], rising, inside 0 to 1.
        draws: resamples of these images.

    Returns:
        None without any known label. Otherwise lists along `threshold`, ready for JSON:
        `net_benefit` with `low` and `high`, `treat_all` (calling every image; calling none is
        worth 0), `net_interventions_avoided` of 100 images against calling every one with its
        `value`, `low` and `high` (Vickers et al., BMC Medical Informatics and Decision Making
        2008; 8:53), and `better`, the ranges of thresholds at which both intervals lie above 0:
        better than calling none and than calling all. Intervals are pointwise, of resampled
        patients, with scores held fixed; None where there are none.
    """
    which, (truth, chance) = ~np.isnan(labels), known(labels, scores)
    if not len(truth):
        return None
    at = np.asarray(thresholds, np.float64)
    odds, positive = at / (1 - at), (truth == 1)[:, None]
    called = chance[:, None] >= at
    # Whole numbers, so that no sum is rounded: true and false calls at each threshold, all
    # positives and all negatives.
    counted = np.hstack([called & positive, called & ~positive, positive, ~positive])
    model, everything = _worth(counted.sum(axis=0, dtype=np.float64)[None], odds)
    drawn, drawn_everything = _worth(draws.select(which).sums(counted), odds)
    if not (draws.several(labels == 1) and draws.several(labels == 0)):
        drawn[:] = np.nan
    found = intervals.along(model[0], drawn)
    gain, drawn_gain = model[0] - everything[0], drawn - drawn_everything
    avoided = intervals.along(gain / odds * PER, drawn_gain / odds * PER)
    return {
        "threshold": at.tolist(),
        "net_benefit": found["value"],
        "low": found["low"],
        "high": found["high"],
        "treat_all": everything[0].tolist(),
        "net_interventions_avoided": avoided,
        "better": _ranges(at.tolist(), found["low"], avoided["low"]),
    }


def _worth(counts: Numbers, odds: Numbers) -> tuple[Numbers, Numbers]:
    """The net benefit of the scores and of calling all, [B, k], of counts [B, 2 k + 2]."""
    true, false, positives, negatives = np.split(
        counts, [len(odds), 2 * len(odds), 2 * len(odds) + 1], axis=1
    )
    images = positives + negatives
    with np.errstate(invalid="ignore"):
        return (
            net_benefit(true, false, images, odds),
            net_benefit(positives, negatives, images, odds),
        )


def _ranges(thresholds: list[float], *lows: list[float | None]) -> list[list[float]]:
    """The first and the last of neighbouring thresholds at which every lower end is above 0."""
    found: list[list[float]] = []
    going = False
    for threshold, *ends in zip(thresholds, *lows, strict=True):
        above = all(end is not None and end > 0 for end in ends)
        if above and not going:
            found.append([threshold, threshold])
        elif above:
            found[-1][1] = threshold
        going = above
    return found
