# SPDX-License-Identifier: MIT
"""Reliability diagrams: the share of images with a finding against the score, bin by bin."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.report.figures import charts, plots

_ROUND_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def chart(section: Mapping[str, Any], split: str) -> charts.Chart:
    """Returns the reliability diagram of all findings of one split."""
    entries = {
        name: entry[split]
        for name, entry in section["findings"].items()
        if entry[split]["reliability"] is not None
    }
    reach = [0.0]
    for parts in (entry["reliability"] for entry in entries.values()):
        highs = parts["high"] if None not in parts["high"] else ()
        reach += [*parts["scores"], *parts["observed"], *highs]
    limit = _limit(max(reach))
    lines = []
    for name, entry in entries.items():
        parts, ends = entry["reliability"], {}
        if None not in parts["low"]:
            ends = {"low": parts["low"], "high": parts["high"]}
        line = charts.Line(
            name,
            parts["scores"],
            parts["observed"],
            kind=split,
            words=[("ECE", f"{entry['ece']:.4f}")],
            more={"images": parts["counts"]},
            marks=True,
            band=_band(parts.get("smooth"), limit),
            **ends,
        )
        lines.append(line)
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

    def placed(values: Sequence[float]) -> list[float]:
        return [value / limit for value in values]

    lines, dots, bands = {}, {}, {}
    for kind, one in shown.items():
        bins = placed(one["scores"]), placed(one["observed"])
        if smooth := one.get("smooth"):
            across = placed(smooth["scores"])
            lines[kind], dots[kind] = (across, placed(smooth["observed"])), bins
            bands[kind] = (across, placed(smooth["low"]), placed(smooth["high"]))
        else:
            lines[kind] = bins
    state = "before and after calibration" if after else "as it is"
    label = f"Reliability of {name}, {state}"
    return limit, plots.small_lines(lines, label, bands=bands, dots=dots)


def _band(
    smooth: Mapping[str, Any] | None, limit: float
) -> tuple[list[float], list[float], list[float]] | None:
    """The band of a smooth curve, cut off where the plane ends."""
    if smooth is None:
        return None
    points = zip(smooth["scores"], smooth["low"], smooth["high"], strict=True)
    kept = [(x, min(low, limit), min(high, limit)) for x, low, high in points if x <= limit]
    across, low, high = (list(each) for each in zip(*kept, strict=True)) if kept else ([], [], [])
    return (across, low, high) if len(across) > 1 else None


def _limit(value: float) -> float:
    """The round number that an axis ends at."""
    return next((limit for limit in _ROUND_LIMITS if value <= limit), 1.0)
