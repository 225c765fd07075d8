# SPDX-License-Identifier: MIT
"""The calibration of a split with intervals, and its change from one split to another."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.calibration import MEASURES, Calibration, measure, resampled
from trainer.evaluation.logistic import Numbers
from trainer.evaluation.summary import mean_of

# These are defined of any images; the others only where some have the finding and some do not.
_SIMPLE = ("brier", "log_loss")


@dataclasses.dataclass(frozen=True)
class Described:
    """One finding's calibration on one split.

    Attributes:
        entry: for JSON: `n`, `positives`, `prevalence`, `mean_score`, `clipped`, the figures of
            `Calibration` (those of `MEASURES` as intervals), `reliability` and, where something is
            not defined, the `reason`.
        drawn: `MEASURES` -> float64 [B], NaN where not defined.
    """

    entry: dict[str, Any]
    drawn: dict[str, Numbers]


def describe(labels: Floats, scores: Floats, draws: intervals.Resamples) -> Described:
    """Measures one finding on one split.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n], probabilities.
        draws: resamples of these images.
    """
    known = ~np.isnan(labels)
    truth, chance = labels[known], scores[known]
    counts = {"n": len(truth), "positives": int(truth.sum())}
    found = measure(truth, chance)
    if found is None:
        drawn = {name: np.full(draws.number, np.nan) for name in MEASURES}
        return Described({**counts, **_nothing(), "reason": "no label is known"}, drawn)
    drawn, shares = resampled(truth, chance, found, draws.select(known))
    several = bool(draws.several(known))
    both = several and bool(draws.several(labels == 1) and draws.several(labels == 0))
    for name, values in drawn.items():
        if not (several if name in _SIMPLE else both):
            values[:] = np.nan
    figures = {name: intervals.entry(getattr(found, name), drawn[name]) for name in MEASURES}
    plain = {name: getattr(found, name) for name in ("ece", "ece_floor", "clipped")}
    entry = {
        **counts,
        "prevalence": float(truth.mean()),
        "mean_score": float(chance.mean(dtype=np.float64)),
        **figures,
        **plain,
        "reliability": _reliability(found, shares, several=several),
        "reason": _reason(found, counts),
    }
    return Described(entry, drawn)


def shift(validation: Described, test: Described) -> dict[str, Any]:
    """Compares the calibration of test with that of validation.

    Returns:
        `in_the_large` and `slope` of test minus validation with their intervals, `ece` likewise
        without one; `moved`, what of the two is different by more than resampling explains, as
        "in_the_large" or "slope" with "up" or "down"; and `worse`, which of those are also farther
        from perfect on test than on validation.
    """
    result: dict[str, Any] = {"moved": {}, "worse": []}
    for name, perfect in (("in_the_large", 0.0), ("slope", 1.0)):
        before, after = (one.entry[name]["value"] for one in (validation, test))
        difference = None if None in (before, after) else after - before
        # Both splits may be drawn by one stream of numbers: their resamples are paired crosswise.
        drawn = test.drawn[name] - np.roll(validation.drawn[name], 1)
        found = result[name] = intervals.entry(difference, drawn)
        if found["low"] is None or found["low"] <= 0 <= found["high"]:
            continue
        result["moved"][name] = "up" if found["low"] > 0 else "down"
        if abs(after - perfect) > abs(before - perfect):
            result["worse"].append(name)
    eces = [one.entry["ece"] for one in (validation, test)]
    result["ece"] = None if None in eces else eces[1] - eces[0]
    return result


def mean(findings: Sequence[Described]) -> dict[str, Any]:
    """Returns unweighted means over the findings of which a figure is defined."""
    result: dict[str, Any] = {}
    for name in ("brier", "brier_skill", "log_loss"):
        values = np.array([one.entry[name]["value"] for one in findings], np.float64)
        drawn = np.array([one.drawn[name] for one in findings])
        result[name] = intervals.as_json(mean_of(values, drawn))
    for name in ("ece", "ece_floor"):
        known = [one.entry[name] for one in findings if one.entry[name] is not None]
        result[name] = sum(known) / len(known) if known else None
    return result


def _nothing() -> dict[str, Any]:
    empty = {name: intervals.as_json(intervals.NOTHING) for name in MEASURES}
    others = ("prevalence", "mean_score", "ece", "ece_floor", "reliability")
    return {**empty, **dict.fromkeys(others), "clipped": 0}


def _reason(found: Calibration, counts: dict[str, int]) -> str | None:
    if counts["positives"] == 0:
        return "no image is known to have the finding"
    if counts["positives"] == counts["n"]:
        return "no image is known to be without the finding"
    if math.isnan(found.slope):
        return "the scores are all equal, or one score parts the labels, so that no line fits best"
    return None


def _reliability(found: Calibration, shares: Numbers, *, several: bool) -> dict[str, Any]:
    """The bins, with intervals of the share that has the finding."""
    parts = found.reliability
    ends = [
        intervals.percentile(float(value), column if several else column * np.nan)
        for value, column in zip(parts.observed, shares.T, strict=True)
    ]
    return {
        **parts.as_json(),
        "low": [end.low for end in ends],
        "high": [end.high for end in ends],
    }
