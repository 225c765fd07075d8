# SPDX-License-Identifier: MIT
"""95% intervals from resamples of patients, all images of a patient together.

Images of one patient resemble each other. Resampling single images would treat them as independent
and give intervals that are too narrow, so the patient is what is drawn (see `resamples`), and the
interval is the percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.resamples import Resamples, resample

__all__ = [
    "LEVEL",
    "NOTHING",
    "Interval",
    "Resamples",
    "along",
    "as_json",
    "entry",
    "percentile",
    "resample",
    "standard_error",
]

LEVEL = 0.95
# Below this share of usable resamples the rest no longer represents the data.
MINIMUM_USABLE_SHARE = 0.5


@dataclass(frozen=True)
class Interval:
    """A figure with its interval.

    Attributes:
        value: the figure of all images, or None where it is not defined.
        low: lower end, or None where there is no interval.
        high: upper end, or None likewise.
        dropped_resamples: resamples in which the figure is not defined, and which are left out.
    """

    value: float | None
    low: float | None
    high: float | None
    dropped_resamples: int = 0


NOTHING = Interval(None, None, None)


def percentile(
    value: float | None, draws: npt.NDArray[np.float64], level: float = LEVEL
) -> Interval:
    """Returns the percentile interval of a figure, of 95% unless another level is given.

    The middle part of the resamples need not hold the figure itself: few images, many ties or a
    figure at the end of its range can leave it just outside. The nearer end is then moved out to
    the figure, so that an interval always holds it; that can only make the interval longer.

    Args:
        value: the figure of all images; None or NaN where it is not defined.
        draws: float64 [B], the figure in every resample; NaN where it is not defined there.
        level: of the interval, inside 0 to 1.

    Returns:
        No ends where the figure is not defined or fewer than half of the resamples can be used.

    >>> percentile(0.5, np.repeat([0.4, 0.6], 20))
    Interval(value=0.5, low=0.4, high=0.6, dropped_resamples=0)
    >>> percentile(0.5, np.array([0.4, np.nan, np.nan]))
    Interval(value=0.5, low=None, high=None, dropped_resamples=2)
    """
    usable = draws[~np.isnan(draws)]
    dropped = len(draws) - len(usable)
    if value is None or np.isnan(value):
        return Interval(None, None, None, dropped)
    point = float(value)
    if not len(usable) or len(usable) < MINIMUM_USABLE_SHARE * len(draws):
        return Interval(point, None, None, dropped)
    tail = (1 - level) / 2
    low, high = np.quantile(usable, [tail, 1 - tail]).tolist()
    return Interval(point, min(low, point), max(high, point), dropped)


def standard_error(draws: npt.NDArray[np.float64]) -> float | None:
    """Returns the standard deviation of a figure over the resamples in which it is defined.

    None with fewer than two of them.
    """
    usable = draws[~np.isnan(draws)]
    if len(usable) < 2:
        return None
    # Rounding gives equal figures a spread of their own.
    return float(usable.std(ddof=1)) if np.ptp(usable) else 0.0


def as_json(interval: Interval) -> dict[str, Any]:
    """Returns an interval as the report holds it.

    >>> as_json(Interval(0.5, None, None, 3))
    {'value': 0.5, 'low': None, 'high': None, 'dropped_resamples': 3}
    """
    return asdict(interval)


def entry(value: float | None, draws: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Returns a figure with its `percentile` interval as the report holds it."""
    return asdict(percentile(value, draws))


def along(values: npt.NDArray[np.float64], draws: npt.NDArray[np.float64]) -> dict[str, list[Any]]:
    """Returns `value`, `low` and `high` of figures along a list, each with its own interval.

    Args:
        values: float64 [k].
        draws: float64 [B, k].
    """
    pairs = zip(values.tolist(), draws.T, strict=True)
    ends = [percentile(value, column) for value, column in pairs]
    return {key: [getattr(end, key) for end in ends] for key in ("value", "low", "high")}
