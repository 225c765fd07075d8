# SPDX-License-Identifier: MIT
"""What thresholds chosen on one set of images do on another, with intervals."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.operating_points import (
    MEASURES,
    RULES,
    Numbers,
    called_counts,
    choose,
    measures,
    predictive_values,
    why_undefined,
)

# Shares of images with the finding, at which predictive values are given.
PREVALENCES = (0.001, 0.01, 0.05, 0.1, 0.3)
# Stands for infinity, which has no place between two quantiles.
_ENDLESS = 1e100


@dataclasses.dataclass(frozen=True)
class Applied:
    """One finding's thresholds and their effect.

    Attributes:
        entry: for JSON: `validation` and `test` with `n` and `positives`, and `rules`: by rule the
            `threshold`, the `reason` where there is none, `calls_every_image`, the measures on
            `validation` (numbers) and `test` (intervals), and `at_prevalence`.
        points: measures on test, float64 [rules, 8], NaN where not defined.
        drawn: measures on the resamples of test, float64 [B, rules, 8].
    """

    entry: dict[str, Any]
    points: Numbers
    drawn: Numbers


def apply(
    validation: tuple[Floats, Floats],
    test: tuple[Floats, Floats],
    draws: intervals.Resamples,
) -> Applied:
    """Chooses a threshold by every rule and judges it.

    Args:
        validation: labels and scores [n] of one finding, on which thresholds are chosen.
        test: labels and scores [m], which change no threshold.
        draws: resamples of the test images.
    """
    thresholds = [choose(*validation, rule) for rule in RULES]
    before = called_counts(*validation, thresholds).sum(axis=0, dtype=np.float64)
    columns = called_counts(*test, thresholds)
    after, sums = columns.sum(axis=0, dtype=np.float64), draws.sums(columns)
    alone = _of_one_patient(test[0], draws.patient_of)
    rules, points, drawn = {}, [], []
    for number, (rule, threshold) in enumerate(zip(RULES, thresholds, strict=True)):
        point, resampled = measures(after, number), measures(sums, number)
        if threshold is None:
            point = np.full_like(point, np.nan)
        resampled[:, alone | (threshold is None)] = np.nan
        points.append(point)
        drawn.append(resampled)
        rules[rule] = {
            "threshold": threshold,
            "reason": why_undefined(*validation, rule),
            "calls_every_image": threshold is not None and _all_called(before, number),
            "validation": None if threshold is None else _plain(measures(before, number)),
            "test": _ends(point, resampled),
            "at_prevalence": _at_prevalences(point, resampled),
        }
    entry = {"validation": _counts(before), "test": _counts(after), "rules": rules}
    return Applied(entry, np.stack(points), np.stack(drawn, axis=1))


def means(findings: Sequence[Applied]) -> dict[str, Any]:
    """Returns unweighted means over the findings of which a measure is defined, by rule.

    Returns:
        By rule `findings` (how many each mean is of), `validation` (numbers) and `test`
        (intervals), each by measure.
    """
    points = np.stack([finding.points for finding in findings])
    drawn = np.stack([finding.drawn for finding in findings])
    result = {}
    for number, rule in enumerate(RULES):
        before = [finding.entry["rules"][rule]["validation"] for finding in findings]
        test, validation, counted = {}, {}, {}
        for column, name in enumerate(MEASURES):
            defined = np.isfinite(points[:, number, column])
            counted[name] = int(defined.sum())
            mean = float(points[defined, number, column].mean()) if defined.any() else math.nan
            # Every resample averages the same findings, or is dropped.
            resampled = drawn[defined, :, number, column].sum(axis=0) / max(1, counted[name])
            test[name] = intervals.as_json(_interval(mean, resampled))
            known = [entry[name] for entry in before if entry and entry[name] is not None]
            validation[name] = sum(known) / len(known) if known else None
        result[rule] = {"findings": counted, "validation": validation, "test": test}
    return result


def at_half(labels: Floats, scores: Floats, findings: Sequence[str]) -> dict[str, Any]:
    """Returns what the threshold 0.5 would do, which nobody chose.

    Args:
        labels: [n, L].
        scores: [n, L].
        findings: the L names.

    Returns:
        `mean_sensitivity` over the findings with a positive, None without any, and `never_called`:
        the findings that no image is called for.
    """
    shares, never = [], []
    for name, label, score in zip(findings, labels.T, scores.T, strict=True):
        if (label == 1).any():
            shares.append(float((score[label == 1] >= 0.5).mean()))
        if not (score[~np.isnan(label)] >= 0.5).any():
            never.append(name)
    mean = sum(shares) / len(shares) if shares else None
    return {"mean_sensitivity": mean, "never_called": never}


def _of_one_patient(labels: Floats, patients: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The measures, bool [8], that rest on the images of one patient.

    Drawing that patient again and again says nothing of what others would have given.
    """
    kinds = [np.unique(patients[found]) for found in (labels == 1, labels == 0)]
    positives, negatives = (len(found) < 2 for found in kinds)
    alone = np.full(len(MEASURES), positives or negatives)
    alone[MEASURES.index("sensitivity")] = positives
    alone[MEASURES.index("specificity")] = negatives
    alone[MEASURES.index("alerts_per_1000")] = len(np.union1d(*kinds)) < 2
    return alone


def _all_called(sums: Numbers, number: int) -> bool:
    return bool((sums[:2] == sums[2 + 2 * number : 4 + 2 * number]).all())


def _counts(sums: Numbers) -> dict[str, int]:
    return {"n": int(sums[0] + sums[1]), "positives": int(sums[0])}


def _plain(values: Numbers) -> dict[str, float | None]:
    numbers = zip(MEASURES, values.tolist(), strict=True)
    return {name: value if math.isfinite(value) else None for name, value in numbers}


def _ends(point: Numbers, drawn: Numbers) -> dict[str, Any]:
    """Each measure with its interval, from a point [8] and resamples [B, 8]."""
    return {
        name: intervals.as_json(_interval(float(value), drawn[:, number]))
        for number, (name, value) in enumerate(zip(MEASURES, point, strict=True))
    }


def _interval(point: float, drawn: Numbers) -> intervals.Interval:
    """An infinite value is not defined; an infinite upper end leaves no interval."""
    found = intervals.percentile(
        point if math.isfinite(point) else math.nan, np.minimum(drawn, _ENDLESS)
    )
    # Between a number and infinity lies a share of infinity.
    if found.high is not None and found.high >= 1e-6 * _ENDLESS:
        return dataclasses.replace(found, low=None, high=None)
    return found


def _at_prevalences(point: Numbers, drawn: Numbers) -> dict[str, Any]:
    """PPV and NPV of one threshold at each of `PREVALENCES`: lists of values and of ends."""
    result: dict[str, Any] = {name: {"value": [], "low": [], "high": []} for name in ("ppv", "npv")}
    for prevalence in PREVALENCES:
        values = predictive_values(point[0], point[1], prevalence)
        resampled = predictive_values(drawn[:, 0], drawn[:, 1], prevalence)
        for name, value, column in zip(result, values, resampled, strict=True):
            found = _interval(float(value), column)
            for key in ("value", "low", "high"):
                result[name][key].append(getattr(found, key))
    return result
