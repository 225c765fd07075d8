# SPDX-License-Identifier: MIT
"""What thresholds chosen on one set of images do on another, with intervals."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
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
from trainer.evaluation.resamples import Resamples

# Shares of images with the finding, at which predictive values are given.
PREVALENCES = (0.001, 0.01, 0.05, 0.1, 0.3)
# In place of infinity, between which and a number there is no quantile.
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
    draws: Resamples,
) -> Applied:
    """Chooses a threshold by every rule and judges it.

    Args:
        validation: labels and scores [n] of one finding, on which thresholds are chosen.
        test: labels and scores [m], which change no threshold.
        draws: resamples of the test images.
    """
    thresholds = {rule: choose(*validation, rule) for rule in RULES}
    reasons = {rule: why_undefined(*validation, rule) for rule in RULES}
    before = called_counts(*validation, [*thresholds.values()]).sum(axis=0, dtype=np.float64)
    return _judged(thresholds, reasons, before, test, draws)


def apply_given(
    thresholds: Mapping[str, float | None], test: tuple[Floats, Floats], draws: Resamples
) -> Applied:
    """Judges thresholds that were chosen elsewhere, before this test.

    Args:
        thresholds: by rule; None where the rule found none.
        test: labels and scores [m].
        draws: resamples of the test images.

    Returns:
        As `apply`, but `validation` is None, and `calls_every_image` is said of test.
    """
    lacking = "the rule found none where the model's thresholds were chosen"
    found = {rule: thresholds.get(rule) for rule in RULES}
    reasons = {rule: lacking if each is None else None for rule, each in found.items()}
    return _judged(found, reasons, None, test, draws)


def _judged(
    chosen: Mapping[str, float | None],
    reasons: Mapping[str, str | None],
    before: Numbers | None,
    test: tuple[Floats, Floats],
    draws: Resamples,
) -> Applied:
    thresholds = [*chosen.values()]
    columns = called_counts(*test, thresholds)
    after, sums = columns.sum(axis=0, dtype=np.float64), draws.sums(columns)
    points, drawn = measures(after), measures(sums)
    chosen_on = None if before is None else measures(before)
    missing = np.array([threshold is None for threshold in thresholds])
    points[missing] = np.nan
    drawn[:, missing] = np.nan
    drawn[:, :, _of_one_patient(test[0], draws)] = np.nan
    counted = after if before is None else before
    called = counted[2:].reshape(-1, 2)
    rules = {
        rule: {
            "threshold": threshold,
            "reason": reasons[rule],
            "calls_every_image": threshold is not None and bool((called[at] == counted[:2]).all()),
            "validation": None if threshold is None or chosen_on is None else _plain(chosen_on[at]),
            "test": {
                name: _interval(points[at, column], drawn[:, at, column])
                for column, name in enumerate(MEASURES)
            },
            "at_prevalence": _at_prevalences(points[at], drawn[:, at]),
        }
        for at, (rule, threshold) in enumerate(zip(RULES, thresholds, strict=True))
    }
    entry = {
        "validation": None if before is None else _counts(before),
        "test": _counts(after),
        "rules": rules,
    }
    return Applied(entry, points, drawn)


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
            values = points[:, number, column]
            defined = np.isfinite(values)
            counted[name] = int(defined.sum())
            mean = float(values[defined].mean()) if defined.any() else math.nan
            # Every resample averages the same findings, or is dropped.
            resampled = drawn[defined, :, number, column].sum(axis=0) / max(1, counted[name])
            test[name] = _interval(mean, resampled)
            known = [entry[name] for entry in before if entry and entry[name] is not None]
            validation[name] = sum(known) / len(known) if known else None
        result[rule] = {"findings": counted, "validation": validation, "test": test}
    return result


def at_half(labels: Floats, scores: Floats, findings: Sequence[str]) -> dict[str, Any]:
    """Returns what the threshold 0.5 would do, which no rule chose.

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


def _of_one_patient(labels: Floats, draws: Resamples) -> npt.NDArray[np.bool_]:
    """The measures, bool [8], that rest on the images of one patient."""
    positives, negatives = draws.several(labels == 1), draws.several(labels == 0)
    alone = np.full(len(MEASURES), not (positives and negatives))
    alone[MEASURES.index("sensitivity")] = not positives
    alone[MEASURES.index("specificity")] = not negatives
    alone[MEASURES.index("alerts_per_1000")] = not draws.several(~np.isnan(labels))
    return alone


def _counts(sums: Numbers) -> dict[str, int]:
    return {"n": int(sums[0] + sums[1]), "positives": int(sums[0])}


def _plain(values: Numbers) -> dict[str, float | None]:
    numbers = zip(MEASURES, values.tolist(), strict=True)
    return {name: value if math.isfinite(value) else None for name, value in numbers}


def _interval(point: float, drawn: Numbers) -> dict[str, Any]:
    """An infinite value is not defined; an infinite upper end leaves no interval."""
    value = float(point) if math.isfinite(point) else math.nan
    found = intervals.entry(value, np.minimum(drawn, _ENDLESS))
    # Between a number and infinity lies a share of infinity.
    if found["high"] is not None and found["high"] >= 1e-6 * _ENDLESS:
        found |= {"low": None, "high": None}
    return found


def _at_prevalences(point: Numbers, drawn: Numbers) -> dict[str, Any]:
    """PPV and NPV of one threshold at each of `PREVALENCES`: lists of values and of ends."""
    result: dict[str, Any] = {name: {"value": [], "low": [], "high": []} for name in ("ppv", "npv")}
    for prevalence in PREVALENCES:
        values = predictive_values(point[0], point[1], prevalence)
        resampled = predictive_values(drawn[:, 0], drawn[:, 1], prevalence)
        for lists, value, column in zip(result.values(), values, resampled, strict=True):
            found = _interval(float(value), column)
            for key, numbers in lists.items():
                numbers.append(found[key])
    return result
