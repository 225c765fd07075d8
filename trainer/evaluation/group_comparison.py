# SPDX-License-Identifier: MIT
"""Sets groups of images beside all images and beside their largest group."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.grouping import UNKNOWN, Division
from trainer.evaluation.intervals import Resamples
from trainer.evaluation.subgroups import MEASURES, Figures, measure

# A group that is large enough for fewer of the findings has no mean: it would shrink all others'.
SHARE_OF_FINDINGS = 0.5


def compare(
    labels: Floats,
    scores: Floats,
    draws: Resamples,
    *,
    thresholds: Sequence[float | None],
    divisions: Sequence[Division],
    findings: Sequence[str],
) -> dict[str, Any]:
    """Returns the figures of every group of every division, as the report holds them.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        draws: resamples of the patients of the n images.
        thresholds: one a finding, chosen on other images; None where there is none.
        divisions: of the n images.
        findings: L names.

    Returns:
        `overall`: finding -> figures of all images. `divisions`: each with its `groups`, whose
        `minus_reference` is the difference from the largest known group, resample by resample,
        and whose `outside` names the measures whose interval leaves out the value of all images.
        `comparisons`: measure -> how many such intervals there are, and how many leave it out.
        `left_out`: the divisions that have fewer than two known groups.
    """
    figures = functools.partial(measure, labels, scores, draws, thresholds)
    overall = figures(np.ones(len(labels), dtype=bool))
    possible = [division for division in divisions if len(division.known) > 1]
    entries = [
        _division(
            division, [figures(group.members) for group in division.groups], overall, findings
        )
        for division in possible
    ]
    return {
        "overall": {name: _figures(overall, at) for at, name in enumerate(findings)},
        "divisions": entries,
        "comparisons": {name: _count(entries, name) for name in MEASURES},
        "left_out": [division.name for division in divisions if division not in possible],
    }


def _division(
    division: Division, measured: Sequence[Figures], overall: Figures, findings: Sequence[str]
) -> dict[str, Any]:
    known = [at for at, group in enumerate(division.groups) if group.name != UNKNOWN]
    reference = max(known, key=lambda at: measured[at].images)
    fewest = max(1, math.ceil(SHARE_OF_FINDINGS * int(overall.enough.sum())))
    large = [at for at in known if measured[at].enough.sum() >= fewest]
    shared = np.all([overall.enough, *(measured[at].enough for at in large)], axis=0)
    averaged = np.flatnonzero(shared).tolist()
    groups = []
    for at, (group, own) in enumerate(zip(division.groups, measured, strict=True)):
        other = None if at == reference else measured[reference]
        groups.append({"name": group.name, **_group(own, other, overall, averaged, findings)})
    return {
        "name": division.name,
        "reference": division.groups[reference].name,
        "averaged": [findings[at] for at in averaged],
        "averaged_rates": [findings[at] for at in _with_rates(overall, averaged)],
        "overall": _means(overall, averaged, _with_rates(overall, averaged)),
        "groups": groups,
    }


def _group(
    own: Figures,
    reference: Figures | None,
    overall: Figures,
    averaged: Sequence[int],
    findings: Sequence[str],
) -> dict[str, Any]:
    """The entry of one group; `reference` is None for the largest one itself."""
    gap = None if reference is None else own.minus(reference)
    rated = _with_rates(overall, averaged)
    mean, all_means = _means(own, averaged, rated), _means(overall, averaged, rated)
    entry: dict[str, Any] = {
        "images": own.images,
        "patients": own.patients,
        "mean": mean,
        "mean_minus_reference": gap and _means(gap, averaged, rated),
        "outside": _outside(mean, all_means),
        "findings": {},
    }
    for at, name in enumerate(findings):
        counts = {"positives": int(own.positives[at]), "negatives": int(own.negatives[at])}
        if not own.enough[at]:
            entry["findings"][name] = {**counts, "too_few": True}
            continue
        figures = _figures(own, at)
        entry["findings"][name] = {
            **counts,
            "too_few": False,
            **figures,
            "minus_reference": gap and _figures(gap, at),
            "outside": _outside(figures, _figures(overall, at)),
        }
    return entry


def _figures(figures: Figures, finding: int) -> dict[str, Any]:
    return {name: intervals.as_json(figures.interval(name, finding)) for name in MEASURES}


def _with_rates(overall: Figures, averaged: Sequence[int]) -> list[int]:
    """Those that have a threshold, and so rates."""
    return [at for at in averaged if not np.isnan(overall.points["tpr"][at])]


def _means(figures: Figures, averaged: Sequence[int], rated: Sequence[int]) -> dict[str, Any]:
    return {
        name: intervals.as_json(figures.mean(name, averaged if name == "auc" else rated))
        for name in MEASURES
    }


def _outside(own: dict[str, Any], overall: dict[str, Any]) -> list[str]:
    """The measures whose interval leaves out the value of all images."""
    return [
        name
        for name in MEASURES
        if None not in (own[name]["low"], overall[name]["value"])
        and not own[name]["low"] <= overall[name]["value"] <= own[name]["high"]
    ]


def _count(divisions: Sequence[dict[str, Any]], name: str) -> dict[str, int]:
    compared = [
        finding
        for division in divisions
        for group in division["groups"]
        for finding in group["findings"].values()
        if not finding["too_few"] and finding[name]["low"] is not None
    ]
    outside = sum(name in finding["outside"] for finding in compared)
    return {"intervals": len(compared), "outside": outside}
