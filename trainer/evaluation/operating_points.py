# SPDX-License-Identifier: MIT
"""Thresholds on scores: how one is chosen, and what it does on other images.

An image is called positive at `score >= threshold`, and only scores that occur are candidates. A
threshold must be chosen on the validation split and then applied to the test split as it is:
chosen on the images that it is judged by, it flatters.

All counting is done on whole numbers, so that a target is met exactly or not at all.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats, counts_by_score

Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

RULES: Mapping[str, str] = {
    "youden": "Youden's index",
    "max_f1": "highest F1",
    "sensitivity_90": "sensitivity of at least 0.90",
    "specificity_90": "specificity of at least 0.90",
}
TARGET = Fraction(9, 10)

MEASURES = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "lr_positive",
    "lr_negative",
    "alerts_per_1000",
)


def choose(labels: Floats, scores: Floats, rule: str) -> float | None:
    """Returns the threshold that a rule chooses; the images must be of the validation split.

    - `youden`: the largest sensitivity + specificity - 1 (Youden, Cancer 1950; 3:32-35). Of equal
      ones the highest threshold, which calls the fewest images.
    - `max_f1`: the largest F1. Of equal ones the highest threshold.
    - `sensitivity_90`: the largest specificity among those with a sensitivity of at least 0.90. Of
      equal ones the largest sensitivity, which leaves one.
    - `specificity_90`: the largest sensitivity among those with a specificity of at least 0.90. Of
      equal ones the largest specificity, which leaves one.

    Args:
        labels: [n]; 1 with the finding, 0 without, NaN unknown (left out).
        scores: [n]; higher means more suspicious.
        rule: one of `RULES`.

    Returns:
        One of the scores, or None where the rule has no answer; `why_undefined` says why.

    Raises:
        ValueError: there is no such rule, a label is something else, or a counted score is NaN.

    >>> choose(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.3, 0.8]), "youden")
    0.8
    >>> choose(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.3, 0.8]), "sensitivity_90")
    0.3
    >>> choose(np.array([0.0, 0.0]), np.array([0.1, 0.4]), "max_f1") is None
    True
    """
    if rule not in RULES:
        raise ValueError(f"{rule} is not a rule for a threshold; use one of {', '.join(RULES)}")
    hits, alarms, values = _called_from(labels, scores)
    if not len(values) or not hits[0] or not alarms[0]:
        return None
    place = _PLACES[rule](hits, alarms)
    return None if place is None else float(values[place])


def why_undefined(labels: Floats, scores: Floats, rule: str) -> str | None:
    """Returns why `choose` has no answer, to be said after "because"; None where it has one."""
    if choose(labels, scores, rule) is not None:
        return None
    if not (labels == 1).any():
        return "no image of the validation split is known to have the finding"
    if not (labels == 0).any():
        return "no image of the validation split is known to be without the finding"
    if rule == "specificity_90":
        return "more than one in ten images without the finding have the highest score of all"
    return "no threshold is better than calling every image or none"


def called_counts(
    labels: Floats, scores: Floats, thresholds: Sequence[float | None]
) -> npt.NDArray[np.float32]:
    """Returns what each image adds to the counts of a confusion matrix, float32 [n, 2 + 2 T].

    Args:
        labels: [n]; 1, 0 or NaN.
        scores: [n].
        thresholds: T of them; at None no image is called.

    Returns:
        Columns of 0 and 1: the image has the finding, is without it, then for each threshold that
        it is a true positive, a false positive. Images with an unknown label add nothing.
    """
    positive, negative = labels == 1, labels == 0
    columns = [positive, negative]
    for threshold in thresholds:
        called = np.zeros(len(scores), bool) if threshold is None else scores >= threshold
        columns += [positive & called, negative & called]
    return np.stack(columns, axis=1).astype(np.float32)


def measures(sums: npt.NDArray[Any]) -> Numbers:
    """Returns the measures of every threshold from sums over the columns of `called_counts`.

    Args:
        sums: [..., 2 + 2 T]; of all images, or one row a resample.

    Returns:
        float64 [..., T, 8] in the order of `MEASURES`; NaN where one is not defined, as everything
        that compares images with and without the finding is where either are missing. The positive
        likelihood ratio is infinite where no image without the finding is called.
    """
    counts = np.asarray(sums, np.float64)
    positives, negatives = counts[..., :1], counts[..., 1:2]
    true, false = counts[..., 2::2], counts[..., 3::2]
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity, specificity = true / positives, (negatives - false) / negatives
        quiet = positives - true + negatives - false
        result = [
            sensitivity,
            specificity,
            true / (true + false),
            (negatives - false) / quiet,
            2 * true / (positives + true + false),
            (true * negatives) / (false * positives),
            (1 - sensitivity) / specificity,
            1000 * (true + false) / (positives + negatives),
        ]
    stacked = np.stack(result, axis=-1)
    # The five measures in the middle compare images with and without the finding.
    stacked[..., 2:7][((positives == 0) | (negatives == 0))[..., 0]] = np.nan
    return stacked


def predictive_values(
    sensitivity: npt.NDArray[Any], specificity: npt.NDArray[Any], prevalence: float
) -> tuple[Numbers, Numbers]:
    """Returns PPV and NPV where a share `prevalence` of the images has the finding.

    By Bayes' theorem, which supposes that sensitivity and specificity stay as they are. They often
    do not: where a finding is rarer it is commonly also milder.

    Args:
        sensitivity: any shape.
        specificity: the same shape.
        prevalence: between 0 and 1.

    Returns:
        Both of that shape; NaN where no image would be called, or none not called.

    >>> ppv, npv = predictive_values(np.array(0.9), np.array(0.9), 0.1)
    >>> float(ppv.round(3)), float(npv.round(3))
    (0.5, 0.988)
    """
    true, missed = sensitivity * prevalence, (1 - sensitivity) * prevalence
    false, spared = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    with np.errstate(invalid="ignore"):
        return np.asarray(true / (true + false)), np.asarray(spared / (spared + missed))


def _called_from(labels: Floats, scores: Floats) -> tuple[Counts, Counts, npt.NDArray[Any]]:
    """True and false positives at each distinct score, and the scores, rising."""
    positives, negatives, values = counts_by_score(labels, scores)
    hits, alarms = (np.cumsum(mass[::-1])[::-1] for mass in (positives, negatives))
    return hits.astype(np.int64), alarms.astype(np.int64), values


def _youden(hits: Counts, alarms: Counts) -> int | None:
    # Youden's index times both totals is a whole number.
    gain = hits * alarms[0] - alarms * hits[0]
    return _last(gain == gain.max()) if gain.max() > 0 else None


def _highest_f1(hits: Counts, alarms: Counts) -> int | None:
    # Rounding keeps equal fractions equal, and different ones of below 2**26 images different.
    f1 = 2 * hits / (hits[0] + hits + alarms)
    return _last(f1 == f1.max())


def _sensitive(hits: Counts, alarms: Counts) -> int | None:
    # Hits and alarms fall with the threshold: the last that meets the target has fewest alarms.
    last = _last(hits * TARGET.denominator >= TARGET.numerator * hits[0])
    return int(np.flatnonzero(alarms == alarms[last])[0])


def _specific(hits: Counts, alarms: Counts) -> int | None:
    spared = alarms[0] - alarms
    met = np.flatnonzero(spared * TARGET.denominator >= TARGET.numerator * alarms[0])
    return _last(hits == hits[met[0]]) if len(met) else None


def _last(found: npt.NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(found)[-1])


_PLACES: Mapping[str, Callable[[Counts, Counts], int | None]] = {
    "youden": _youden,
    "max_f1": _highest_f1,
    "sensitivity_90": _sensitive,
    "specificity_90": _specific,
}
