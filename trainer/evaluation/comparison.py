# SPDX-License-Identifier: MIT
"""Whether two models differ in their AUCs on the same images of the same patients.

Both models are scored on the same resamples of patients, so that what makes a resample easy or hard
falls out of the difference. The p-value takes the difference as normal with the spread that it has
over the resamples (as the bootstrap test of pROC does: Robin et al., BMC Bioinformatics 2011;
12:77). Counting the resamples beyond no difference would need no normality, but a thousand of them
cannot tell p-values as small as fourteen findings ask for. The p-values of the findings are
corrected after Holm (Scandinavian Journal of Statistics 1979; 6:65-70).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation import delong
from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.resamples import Resamples
from trainer.evaluation.summary import mean_of


@dataclass(frozen=True)
class Difference:
    """The AUCs of two models on one finding, or their means over the findings.

    Attributes:
        first: AUC of the first model; None where it is not defined.
        second: of the second.
        difference: second minus first, resampling patients.
        p_value: two-sided, from the spread over the same resamples; None without an interval.
        p_holm: the same, corrected for the number of findings tested; None for the mean.
        delong: the paired test that takes images as independent; None without an AUC.
    """

    first: float | None
    second: float | None
    difference: Interval
    p_value: float | None
    p_holm: float | None
    delong: delong.PairedTest | None


@dataclass(frozen=True)
class Comparison:
    """The differences of every finding, in the order of the columns, and of the mean."""

    findings: tuple[Difference, ...]
    mean: Difference


def compare(labels: Floats, first: Floats, second: Floats, draws: Resamples) -> Comparison:
    """Returns how the AUCs of a second model differ from those of a first.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        first: [n, L], scores of one model.
        second: [n, L], scores of the other on the same images.
        draws: of the patients, for these images.
    """
    points = np.array([aurocs(labels, scores) for scores in (first, second)])
    gaps = points[1] - points[0]
    spread = np.array(
        [
            draws.aucs(column, right) - draws.aucs(column, left)
            for column, left, right in zip(labels.T, first.T, second.T, strict=True)
        ]
    )
    pulls = np.array(
        [
            delong.deviations(column, right) - delong.deviations(column, left)
            for column, left, right in zip(labels.T, first.T, second.T, strict=True)
        ]
    )
    intervals = [percentile(gap, row) for gap, row in zip(gaps, spread, strict=True)]
    raw = [
        p_value(each.value, row) if each.value is not None and each.low is not None else None
        for each, row in zip(intervals, spread, strict=True)
    ]
    findings = tuple(
        Difference(*_pair(points[:, at]), intervals[at], raw[at], corrected, _test(gaps, pulls, at))
        for at, corrected in enumerate(holm(raw))
    )
    return Comparison(findings, _mean(points, spread, pulls))


def p_value(value: float, draws: npt.NDArray[np.float64]) -> float | None:
    """Returns how unlikely a difference as far from 0 would be if there were none, two-sided.

    Args:
        value: the difference.
        draws: float64 [B], the difference in every resample; NaN where it is not defined.

    Returns:
        From 0 to 1; None with fewer than two usable resamples, or where a difference never varies.

    >>> round(p_value(1.96, np.array([-1.0, 0.0, 1.0])), 3)
    0.05
    """
    usable = draws[~np.isnan(draws)]
    if len(usable) < 2:
        return None
    spread = float(usable.std(ddof=1))
    if spread == 0:
        return 1.0 if value == 0 else None
    return math.erfc(abs(value) / spread / math.sqrt(2))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p-values corrected for how many there are, by Holm's step-down method.

    Args:
        p_values: None where nothing was tested; these count for nothing and stay None.

    >>> holm([0.25, None, 0.125, 0.5])
    [0.5, None, 0.375, 0.5]
    """
    tested = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for place, (p, at) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - place) * p))
        corrected[at] = largest
    return corrected


def _mean(
    points: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    pulls: npt.NDArray[np.float64],
) -> Difference:
    gaps = points[1] - points[0]
    defined = ~np.isnan(gaps)
    interval = mean_of(gaps, spread)
    if interval.value is None:
        return Difference(None, None, interval, None, None, None)
    drawn = spread[defined].mean(axis=0)
    p = p_value(interval.value, drawn) if interval.low is not None else None
    test = delong.paired_test(interval.value, pulls[defined].mean(axis=0))
    return Difference(*_pair(points[:, defined].mean(axis=1)), interval, p, None, test)


def _pair(points: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    first, second = (None if np.isnan(value) else float(value) for value in points)
    return first, second


def _test(
    gaps: npt.NDArray[np.float64], pulls: npt.NDArray[np.float64], at: int
) -> delong.PairedTest | None:
    return None if np.isnan(gaps[at]) else delong.paired_test(float(gaps[at]), pulls[at])
