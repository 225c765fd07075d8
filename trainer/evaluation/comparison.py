# SPDX-License-Identifier: MIT
"""Whether two models differ in their AUCs on the same images of the same patients.

Both models are scored on the same resamples of patients, so that what makes a resample easy or hard
falls out of the difference. The p-value takes the difference as normal with the spread that it has
over the resamples (as the bootstrap test of pROC does: Robin et al., BMC Bioinformatics 2011;
12:77). Counting the resamples beyond no difference would need no normality, but a thousand of them
cannot tell p-values as small as fourteen findings ask for. The p-values of the findings are
corrected after Holm (Scandinavian Journal of Statistics 1979; 6:65-70).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import clustered, delong
from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.delong import PairedTest
from trainer.evaluation.intervals import Interval
from trainer.evaluation.resamples import Resamples
from trainer.evaluation.summary import Summary


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
        clustered: the paired test that takes patients as independent; None likewise.
    """

    first: float | None
    second: float | None
    difference: Interval
    p_value: float | None = None
    p_holm: float | None = None
    delong: PairedTest | None = None
    clustered: PairedTest | None = None


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
    areas = np.array([aurocs(labels, scores) for scores in (first, second)])
    columns = list(zip(labels.T, first.T, second.T, strict=True))
    spread = np.array([draws.aucs(of, right) - draws.aucs(of, left) for of, left, right in columns])
    pulls = np.array(
        [delong.deviations(of, right) - delong.deviations(of, left) for of, left, right in columns]
    )
    by_patient = np.array(
        [
            clustered.deviations(of, right, draws.patient_of)
            - clustered.deviations(of, left, draws.patient_of)
            for of, left, right in columns
        ]
    )
    return of_areas(areas, spread, pulls, by_patient)


def of_areas(
    areas: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    pulls: npt.NDArray[np.float64] | None = None,
    by_patient: npt.NDArray[np.float64] | None = None,
) -> Comparison:
    """Returns how AUCs differ that are known already, as means over runs that differ in the seed.

    Args:
        areas: float64 [2, L], the AUCs of both.
        spread: float64 [L, B], the differences in every resample.
        pulls: float64 [L, n], what each image adds to the differences, for the test of DeLong.
        by_patient: float64 [L, k], the same of patients, for the test of Obuchowski.
    """
    gaps = areas[1] - areas[0]
    found = Summary.of(gaps, spread)

    def difference(interval: Interval, which: npt.NDArray[Any]) -> Difference:
        """Of one finding, or of the mean over several."""
        if interval.value is None:
            return Difference(None, None, interval)
        one, other = areas[:, which].mean(axis=1).tolist()
        p = None
        if interval.low is not None:
            p = p_value(interval.value, spread[which].mean(axis=0))
        tests = [
            None if each is None else delong.paired_test(interval.value, each[which].mean(axis=0))
            for each in (pulls, by_patient)
        ]
        return Difference(one, other, interval, p, delong=tests[0], clustered=tests[1])

    single = [difference(each, np.array([at])) for at, each in enumerate(found.findings)]
    corrected = holm([each.p_value for each in single])
    findings = [
        dataclasses.replace(each, p_holm=p) for each, p in zip(single, corrected, strict=True)
    ]
    return Comparison(tuple(findings), difference(found.mean, ~np.isnan(gaps)))


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
    return delong.two_sided(value, float(usable.std(ddof=1))) if len(usable) > 1 else None


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
