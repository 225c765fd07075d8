# SPDX-License-Identifier: MIT
"""How many patients a later study needs to show that a model is no worse by a margin.

A study of m patients like those here spreads the difference of two mean AUCs as those do, by the
root of n / m: n patients here. With a normal difference of mean d it then falls above minus the
margin, by the 95% interval, with power b where m = n (se (z(0.975) + z(b)) / (margin + d))^2
(of shares Blackwelder, Controlled Clinical Trials 1982; 3:345-353; here with the standard error of
AUCs). Whether this holds is tried: studies of that size are drawn from the patients here, with
their exact AUCs and their own standard errors.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats
from trainer.evaluation.comparison import Scored
from trainer.evaluation.margins import NO_WORSE
from trainer.evaluation.resamples import Resamples

POWER = 0.8
# Drawn of one size: their share is known to 3 points in 100.
STUDIES = 200
# Of the patients here, beyond which no studies are drawn.
_MOST = 10
# How often a study is enlarged, by how much, and how far below the power is the luck of the draw.
_TRIES, _LARGER, _LUCK = 6, 1.3, 0.03
_REACH = NormalDist().inv_cdf(1 - NO_WORSE)


@dataclass(frozen=True)
class Plan:
    """A later study.

    Attributes:
        difference: of the mean AUCs in truth, as assumed.
        patients: that give it the power `POWER`; None where the difference is beyond the margin.
        shown: share of drawn studies of this size that showed the model to be no worse; None where
            none were drawn.
    """

    difference: float
    patients: int | None
    shown: float | None = None


def needed(difference: float, *, margin: float, error: float, patients: int) -> int | None:
    """Returns how many patients give a later study the power `POWER`.

    Args:
        difference: of the mean AUCs in truth.
        margin: above 0.
        error: standard error of the difference here.
        patients: here.

    Returns:
        At least 2; None where the difference is as low as minus the margin or lower.

    >>> needed(0.0, margin=0.01, error=0.01, patients=1000)
    7849
    """
    if (room := margin + difference) <= 0:
        return None
    reach = _REACH + NormalDist().inv_cdf(POWER)
    return max(2, math.ceil(patients * (reach * error / room) ** 2))


def plans(
    labels: Floats,
    scores: tuple[Floats, Floats],
    scored: tuple[Scored, Scored],
    patient_of: npt.NDArray[np.intp],
    *,
    margin: float,
    seed: int,
) -> list[Plan]:
    """Tries a study for no true difference and one for that seen here; none without an error.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L] of the first model, and of the one that is to be no worse.
        scored: the AUCs of both.
        patient_of: the number of the patient of each image, int [n], from 0 without a gap.
        margin: above 0.
        seed: of the studies that are drawn.
    """
    total = int(patient_of.max()) + 1
    gaps = scored[1].areas - scored[0].areas
    defined = ~np.isnan(gaps)
    if not defined.any():
        return []
    # 1. What each patient adds to the variance of the difference: DeLong's components, summed over
    #    the images of the patient.
    pulls = (scored[1].pulls - scored[0].pulls)[defined].mean(axis=0)
    squares = np.square(np.bincount(patient_of, pulls, total).astype(np.float64))
    if np.isnan(squares).any() or not squares.any():
        return []
    error = math.sqrt(squares.sum())
    observed = float(gaps[defined].mean())
    found = [
        Plan(each, needed(each, margin=margin, error=error, patients=total))
        for each in dict.fromkeys((0.0, observed))
    ]
    # 2. Studies of that size, moved to the difference that is assumed.
    columns = [each.T[defined] for each in (labels, *scores)]

    def shown(size: int, difference: float, seed: int) -> float:
        drawn, errors = _studies(size, columns, squares, patient_of, seed)
        low = drawn - observed + difference - _REACH * errors
        return float((low > -margin).mean())

    return [_tried(plan, shown, _MOST * total, seed + at) for at, plan in enumerate(found)]


def _tried(plan: Plan, shown: Callable[[int, float, int], float], most: int, seed: int) -> Plan:
    """Enlarges a study until enough of those that are drawn show it, or `most` patients are passed.

    Small studies meet few patients with a rare finding, and spread more than the formula says. A
    finding that nobody drawn has leaves a study without a mean, and so without what it was to show.
    """
    size = plan.patients
    for _ in range(_TRIES):
        if size is None or size > most:
            break
        plan = dataclasses.replace(plan, patients=size, shown=shown(size, plan.difference, seed))
        if plan.shown is None or plan.shown >= POWER - _LUCK:
            break
        size = math.ceil(_LARGER * size)
    return plan


def _studies(
    patients: int,
    columns: Sequence[Floats],
    squares: npt.NDArray[np.float64],
    patient_of: npt.NDArray[np.intp],
    seed: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Draws patients with replacement; returns differences and standard errors, [STUDIES] each."""
    generator = np.random.Generator(np.random.PCG64(seed))
    total = len(squares)
    counts = np.empty((total, STUDIES), dtype=np.uint16, order="F")
    for column in range(STUDIES):
        counts[:, column] = np.bincount(generator.integers(0, total, patients), minlength=total)
    draws = Resamples(counts, patient_of)
    findings = zip(*columns, strict=True)
    drawn = [draws.aucs(of, right) - draws.aucs(of, left) for of, left, right in findings]
    # `sums` takes the share of each image.
    variances = draws.sums((squares / np.bincount(patient_of))[patient_of])
    return np.mean(drawn, axis=0), np.sqrt(variances) * total / patients
