# SPDX-License-Identifier: MIT
"""Compares groups of images with the largest group, beside the figures of all images."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trainer.evaluation.auc import Floats
from trainer.evaluation.grouping import Division, Mask
from trainer.evaluation.intervals import Resamples
from trainer.evaluation.subgroups import MEASURES, Figures, measure

# A group that is large enough for fewer of the findings has no mean: it would shrink all others'.
SHARE_OF_FINDINGS = 0.5


def compare(
    labels: Floats,
    scores: Floats,
    draws: Resamples,
    *,
    free: Resamples | None = None,
    thresholds: Sequence[float | None],
    divisions: Sequence[Division],
    findings: Sequence[str],
) -> dict[str, Any]:
    """Returns the figures of every group of every division, as the report holds them.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        draws: resamples of the patients of the n images.
        free: the same without strata, for the rates; None takes `draws`.
        thresholds: one a finding, chosen on other images; None where there is none.
        divisions: of the n images.
        findings: L names.

    Returns:
        `overall`: finding -> figures of all images. `divisions`: each with its `groups`, whose
        `minus_reference` is the difference from the largest known group, resample by resample,
        and whose `outside` names the measures in which the interval of that leaves out 0.
        `comparisons`: measure -> how many such intervals there are, and how many leave out 0.
        `left_out`: the divisions that have fewer than two known groups.
    """
    figures = functools.partial(measure, labels, scores, draws, thresholds, free=free)
    overall = figures(np.ones(len(labels), dtype=bool))
    possible = [division for division in divisions if len(division.known) > 1]
    entries = [_division(division, figures, overall, findings) for division in possible]
    return {
        "overall": {name: overall.entry(at) for at, name in enumerate(findings)},
        "divisions": entries,
        "comparisons": {name: _count(entries, name) for name in MEASURES},
        "left_out": [division.name for division in divisions if division not in possible],
    }


def _division(
    division: Division,
    figures: Callable[[Mask], Figures],
    overall: Figures,
    findings: Sequence[str],
) -> dict[str, Any]:
    measured = {name: figures(members) for name, members in division.groups.items()}
    reference = max(division.known, key=lambda name: measured[name].images)
    # 1. Which groups are large enough to have a mean: for half of the findings or more.
    fewest = max(1, math.ceil(SHARE_OF_FINDINGS * int(overall.enough.sum())))
    large = [measured[name].enough for name in division.known]
    large = [enough for enough in large if enough.sum() >= fewest]
    # 2. Means are over the findings that all of these can give: else groups would differ by them.
    shared = np.flatnonzero(np.all([overall.enough, *large], axis=0)).tolist()
    # 3. Of those, only findings with a threshold have rates.
    rated = [at for at in shared if not np.isnan(overall.points["tpr"][at])]
    averaged = {"auc": shared, "tpr": rated, "fpr": rated}
    groups = []
    for name, own in measured.items():
        gap = None if name == reference else own.minus(measured[reference])
        groups.append({"name": name, **_group(own, gap, averaged, findings)})
    return {
        "name": division.name,
        "reference": reference,
        "averaged": [findings[at] for at in shared],
        "averaged_rates": [findings[at] for at in rated],
        "overall": overall.means(averaged),
        "groups": groups,
    }


def _group(
    own: Figures,
    gap: Figures | None,
    averaged: Mapping[str, Sequence[int]],
    findings: Sequence[str],
) -> dict[str, Any]:
    """The entry of one group; `gap` to the largest one is None for the largest one itself."""
    gap_mean, entries = gap.means(averaged) if gap else None, {}
    for at, name in enumerate(findings):
        entry: dict[str, Any] = {
            "positives": int(own.positives[at]),
            "negatives": int(own.negatives[at]),
            "too_few": not own.enough[at],
        }
        if own.enough[at]:
            entry |= own.entry(at)
            entry["minus_reference"] = gap.entry(at) if gap else None
            entry["outside"] = _outside(entry["minus_reference"])
        entries[name] = entry
    return {
        "images": own.images,
        "patients": own.patients,
        "mean": own.means(averaged),
        "mean_minus_reference": gap_mean,
        "outside": _outside(gap_mean),
        "findings": entries,
    }


def _outside(gaps: dict[str, Any] | None) -> list[str]:
    """The measures in which the interval of a difference leaves out 0.

    The value of all images is not what to compare with: it counts pairs of images of two groups,
    and it holds the group itself, so that chance alone leaves it out less often than the interval
    says.
    """
    return [
        name
        for name, gap in (gaps or {}).items()
        if gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]
    ]


def _count(divisions: Sequence[dict[str, Any]], name: str) -> dict[str, int]:
    compared = [
        finding
        for division in divisions
        for group in division["groups"]
        for finding in group["findings"].values()
        if finding.get("minus_reference") and finding["minus_reference"][name]["low"] is not None
    ]
    outside = sum(name in finding["outside"] for finding in compared)
    return {"intervals": len(compared), "outside": outside}
