# SPDX-License-Identifier: MIT
"""Compares groups at the crossing of several facts with all the others, and corrects for how many.

The others of a group are not pooled: pairs of images of two groups would count whether the groups
can be told apart. Each is measured within itself, and their mean is weighted by images.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.evaluation.auc import Floats
from trainer.evaluation.comparison import holm, p_value
from trainer.evaluation.group_comparison import SHARE_OF_FINDINGS
from trainer.evaluation.grouping import Division
from trainer.evaluation.intervals import Resamples
from trainer.evaluation.subgroups import MEASURES, Figures, measure


def compare(
    labels: Floats,
    scores: Floats,
    draws: Resamples,
    *,
    free: Resamples | None = None,
    thresholds: Sequence[float | None],
    division: Division,
) -> dict[str, Any]:
    """Returns how each group that is large enough differs from the others.

    Arguments as `subgroups.measure` takes them, and the `division` of the images.

    Returns:
        `groups`: with means over the findings that the group and others have figures of, the
        same minus the others', and p-values corrected after Holm for all `tests`. `too_small`:
        groups with figures of fewer than half of the findings, or alone in theirs.
    """
    measured = {
        name: measure(
            *(labels, scores, draws, thresholds, division.groups[name]),
            free=free,
            first_order=True,
        )
        for name in division.known
    }
    groups = _against_others(measured)
    corrected = holm([group["p_holm"][key] for group in groups for key in MEASURES])
    chances = iter(corrected)
    for group in groups:
        group["p_holm"] = {key: next(chances) for key in MEASURES}
    shown = [group["name"] for group in groups]
    return {
        "formed": len(measured),
        "tests": sum(p is not None for p in corrected),
        "groups": groups,
        "too_small": [
            {"name": name, "images": each.images, "patients": each.patients}
            for name, each in measured.items()
            if name not in shown
        ],
    }


def _against_others(measured: Mapping[str, Figures]) -> list[dict[str, Any]]:
    """The entries of groups with figures of half of the findings, p-values not yet corrected."""
    large = {
        name: own
        for name, own in measured.items()
        if own.enough.sum() >= SHARE_OF_FINDINGS * len(own.enough)
    }
    groups = []
    for name, own in large.items():
        others = [each for other, each in large.items() if other != name]
        gap = own.minus(_mean(others)) if others else own
        at = {key: np.flatnonzero(~np.isnan(gap.points[key])).tolist() for key in MEASURES}
        if not (others and at["auc"]):
            continue
        means = gap.means(at)
        groups.append(
            {
                "name": name,
                "images": own.images,
                "patients": own.patients,
                "findings": len(at["auc"]),
                "mean": own.means(at),
                "minus_others": means,
                "p_holm": {
                    key: None
                    if means[key]["low"] is None
                    else p_value(means[key]["value"], gap.draws[key][at[key]].mean(axis=0))
                    for key in MEASURES
                },
            }
        )
    return groups


def _mean(groups: Sequence[Figures]) -> Figures:
    """Means weighted by images, over the groups that have the figure."""

    def mean(kind: str, key: str) -> Any:
        each = np.array([getattr(group, kind)[key] for group in groups])
        weights = np.array([group.images for group in groups]).reshape(-1, *[1] * (each.ndim - 1))
        with np.errstate(invalid="ignore"):
            return np.nansum(weights * each, axis=0) / (weights * ~np.isnan(each)).sum(axis=0)

    points, draws = ({key: mean(kind, key) for key in MEASURES} for kind in ("points", "draws"))
    return dataclasses.replace(groups[0], points=points, draws=draws)
