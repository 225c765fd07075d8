# SPDX-License-Identifier: MIT
"""Decision curves: net benefit against the threshold probability, all findings and one by one."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from preprocessing.contract.wording import ends, number, words
from trainer.report.figures import charts, plots


def chart(report: Mapping[str, Any], split: str) -> charts.Chart | None:
    """Returns the decision curves of a split; None where no finding has one to draw.

    Args:
        report: what `trainer.report.report.build` returned.
        split: one of the report's.
    """
    lines, reached = [], []
    for name, entry in report["splits"][split]["findings"].items():
        if not drawable(entry):
            continue
        found = entry["decision_curve"]
        areas = [
            dict(zip(("value", "low", "high"), three, strict=True))
            for three in zip(found["net_benefit"], found["low"], found["high"], strict=True)
        ]
        reached += areas
        more: dict[str, list[float | int | str]] = {
            "95% interval": [ends(area, ".4f") for area in areas],
            "Working up every image": [number(value, ".4f") for value in found["treat_all"]],
        }
        band = None
        if None not in found["low"]:
            band = (found["threshold"], found["low"], found["high"])
        given = (name, found["threshold"], found["net_benefit"])
        lines.append(charts.Line(*given, kind=split, more=more, band=band))
    if not lines:
        return None
    low, high = report["request"]["threshold_range"]
    label = (
        f"Decision curves of {len(lines)} findings, {split} split; the table gives the net benefit "
        "at a few thresholds"
    )
    x = charts.Axis("threshold probability", low, high)
    _, top = plots.nice_limits(reached, include=[0])
    lowest = min(end for area in reached for end in area.values() if end is not None)
    y = charts.Axis("net benefit", min(lowest, -top / 20), top, digits=4)
    return charts.Chart(label, x, y, lines, references=[(low, 0, high, 0)])


def drawable(entry: Mapping[str, Any]) -> bool:
    """Whether a finding of a split has a decision curve that says something."""
    return bool(entry.get("decision_curve") and entry["positives"])


def small(name: str, split: str, found: Mapping[str, Any]) -> Markup:
    """Returns one finding's diagram: the scores, their interval, and working up all or none."""
    at, model = found["threshold"], found["net_benefit"]
    known = [value for key in ("low", "high") for value in found[key] if value is not None]
    top = max([0.0, *model, *known, found["treat_all"][0]])
    # Working up every image may be worth less than nothing at once: a piece of that is shown too.
    harm = found["treat_all"][len(at) // 10] if found["treat_all"][0] < 0 else 0
    bottom = min([*model, *known, -top / 8, harm])
    height = top - bottom or 1.0

    def placed(values: list[float]) -> tuple[list[float], list[float]]:
        across = [(each - at[0]) / (at[-1] - at[0]) for each in at]
        return across, [(value - bottom) / height for value in values]

    zero = -bottom / height
    band = (*placed(found["low"]), placed(found["high"])[1]) if known else None
    return plots.small_lines(
        {"all": placed(found["treat_all"]), split: placed(model)},
        f"Decision curve of {words(name)}, beside working up every image and none",
        bands={split: band} if band else {},
        reference=(zero, zero),
    )
