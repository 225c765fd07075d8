# SPDX-License-Identifier: MIT
"""Reliability diagrams: the share of images with a finding against the score, bin by bin."""

from collections.abc import Mapping
from typing import Any

from trainer.report.figures import charts, plots

_ROUND_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def chart(section: Mapping[str, Any], split: str) -> charts.Chart:
    """Returns the reliability diagram of all findings of one split."""
    lines, reach = [], 0.0
    for name, entry in section["findings"].items():
        parts = entry[split]["reliability"]
        if parts is None:
            continue
        ends = {}
        if None not in parts["low"]:
            ends = {"low": parts["low"], "high": parts["high"]}
        ece = entry[split]["ece"]
        line = charts.Line(
            name,
            parts["scores"],
            parts["observed"],
            kind=split,
            words=[("ECE", f"{ece:.4f}")],
            more={"images": parts["counts"]},
            marks=True,
            **ends,
        )
        lines.append(line)
        reach = max(reach, *parts["scores"], *parts["observed"], *ends.get("high", ()))
    limit = _limit(reach)
    label = (
        f"Reliability of {len(lines)} findings, {split} split: the share of images with the "
        "finding against the mean score, in bins of equal numbers of images"
    )
    x = charts.Axis("mean score of the bin", 0.0, limit)
    y = charts.Axis("share with the finding", 0.0, limit)
    return charts.Chart(label, x, y, lines, references=[(0.0, 0.0, limit, limit)])


def small(
    name: str, split: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[float | None, str]:
    """The score that fills the width of one finding's diagram, and the diagram."""
    shown = {kind: one for kind, one in (("validation", after), (split, before)) if one}
    if not shown or before is None:
        return None, ""
    limit = _limit(
        max(value for one in shown.values() for value in one["scores"] + one["observed"])
    )
    lines = {
        kind: ([x / limit for x in one["scores"]], [y / limit for y in one["observed"]])
        for kind, one in shown.items()
    }
    state = "before and after calibration" if after else "as it is"
    return limit, plots.small_lines(lines, f"Reliability of {name}, {state}")


def _limit(value: float) -> float:
    """The round number that an axis ends at."""
    return next((limit for limit in _ROUND_LIMITS if value <= limit), 1.0)
