# SPDX-License-Identifier: MIT
"""The figures of report.html as inline SVG, made of numbers and of nothing that can be fetched.

Colours and type come from the page's style sheet through class names, so that a figure follows
dark mode and print. Rows of the forest plot and of the comparison place their marks in percent of
the width: they stretch with the page while points stay round and text stays text.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

# The large ROC chart in its own units: the plane, and room for tick labels and axis titles.
PLANE = 400
LEFT, TOP, RIGHT, BOTTOM = 52, 12, 14, 50
_SMALL = 100
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def domain(intervals: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The range of AUCs that a figure shows: 0.5 to 1, or wider where a value needs it.

    >>> domain([{"value": 0.8, "low": 0.42, "high": 0.9}])
    (0.4, 1.0)
    """
    ends = [area[key] for area in intervals for key in ("value", "low") if area[key] is not None]
    return min([0.5, *(math.floor(end * 10) / 10 for end in ends)]), 1.0


def percent(value: float, limits: tuple[float, float]) -> str:
    """Where a value lies between the limits, as CSS and SVG want it.

    >>> percent(0.75, (0.5, 1.0))
    '50.00%'
    """
    return f"{100 * (value - limits[0]) / (limits[1] - limits[0]):.2f}%"


def ticks(limits: tuple[float, float]) -> list[tuple[str, str]]:
    """The labels of an axis with their places.

    >>> ticks((0.8, 1.0))
    [('0.8', '0.00%'), ('0.9', '50.00%'), ('1.0', '100.00%')]
    """
    steps = round((limits[1] - limits[0]) * 10)
    values = [limits[0] + step / 10 for step in range(steps + 1)]
    return [(f"{value:.1f}", percent(value, limits)) for value in values]


def interval_row(area: Mapping[str, Any], limits: tuple[float, float], kind: str) -> Markup:
    """One row of a forest plot: a whisker for the interval, a mark for the value.

    Args:
        area: `value`, `low` and `high`; each may be None.
        limits: of the axis.
        kind: class of the marks, which gives the colour: a split, or "mean".
    """
    parts = [_grid_lines(limits)]
    if area["low"] is not None:
        low, high = percent(area["low"], limits), percent(area["high"], limits)
        parts.append(f'<line class="whisker" x1="{low}" x2="{high}" y1="50%" y2="50%"/>')
        for end in (low, high):
            parts.append(f'<line class="whisker" x1="{end}" x2="{end}" y1="34%" y2="66%"/>')
    if area["value"] is not None:
        parts.append(
            f'<circle class="mark" cx="{percent(area["value"], limits)}" cy="50%" r="4.5"/>'
        )
    return _row(parts, kind)


def pair_row(
    validation: Mapping[str, Any], test: Mapping[str, Any], limits: tuple[float, float]
) -> Markup:
    """One row of the comparison: validation (hollow) and test (filled), joined."""
    parts = [_grid_lines(limits)]
    places = [
        None if area["value"] is None else percent(area["value"], limits)
        for area in (validation, test)
    ]
    if None not in places:
        parts.append(f'<line class="join" x1="{places[0]}" x2="{places[1]}" y1="50%" y2="50%"/>')
    for place, kind in zip(places, ("validation", "test"), strict=True):
        if place is not None:
            parts.append(f'<circle class="mark {kind}" cx="{place}" cy="50%" r="4.5"/>')
    return _row(parts, "pair")


def share_row(share: float | None, most: float) -> Markup:
    """A bar for a prevalence, `most` filling the width."""
    width = 0.0 if share is None or most == 0 else 100 * share / most
    return _row([f'<rect class="bar" x="0" y="30%" height="40%" width="{width:.2f}%"/>'], "share")


def roc_chart(findings: Sequence[Mapping[str, Any]], split: str, label: str) -> Markup:
    """The ROC curves of all findings of one split in one chart.

    Args:
        findings: `name` and `roc` (None where there is no curve); the position is the curve's
            number, by which the page's script finds its points.
        split: class of the chart.
        label: what a screen reader says.
    """
    parts = [f'<svg class="roc" data-split="{escape(split)}" role="img" tabindex="0" ']
    width, height = LEFT + PLANE + RIGHT, TOP + PLANE + BOTTOM
    parts.append(f'viewBox="0 0 {width} {height}" aria-label="{escape(label)}">')
    for tick in _TICKS:
        x, y = LEFT + tick * PLANE, TOP + (1 - tick) * PLANE
        parts.append(
            f'<path class="grid" d="M{x:g} {TOP}V{TOP + PLANE}M{LEFT} {y:g}H{LEFT + PLANE}"/>'
        )
        parts.append(f'<text class="tick" x="{x:g}" y="{TOP + PLANE + 19}">{tick:g}</text>')
        parts.append(f'<text class="tick side" x="{LEFT - 9}" y="{y + 4.5:g}">{tick:g}</text>')
    middle = TOP + PLANE / 2
    parts.append(
        f'<text class="axis" x="{LEFT + PLANE / 2:g}" y="{height - 6}">1 &#8722; specificity</text>'
        f'<text class="axis" transform="translate(14 {middle:g}) rotate(-90)">sensitivity</text>'
        f'<path class="chance" d="M{LEFT} {TOP + PLANE}L{LEFT + PLANE} {TOP}"/>'
    )
    for number, finding in enumerate(findings):
        if finding["roc"] is not None:
            line = _line(finding["roc"], PLANE, LEFT, TOP)
            parts.append(f'<path class="curve" data-finding="{number}" d="{line}"/>')
    parts.append('<circle class="probe" r="5" cx="-20" cy="-20"/></svg>')
    return Markup("".join(parts))


def small_roc(rocs: Mapping[str, Mapping[str, Any] | None], label: str) -> Markup:
    """One finding's ROC curves, one for each split, without axis text.

    Args:
        rocs: split -> curve or None; drawn in this order.
        label: what a screen reader says.
    """
    parts = [
        f'<svg class="small" role="img" viewBox="-1 -1 {_SMALL + 2} {_SMALL + 2}" '
        f'aria-label="{escape(label)}"><path class="frame" d="M0 0H{_SMALL}V{_SMALL}H0Z"/>'
        f'<path class="chance" d="M0 {_SMALL}L{_SMALL} 0"/>'
    ]
    for split, roc in rocs.items():
        if roc is not None:
            parts.append(f'<path class="curve {escape(split)}" d="{_line(roc, _SMALL, 0, 0)}"/>')
    return Markup("".join([*parts, "</svg>"]))


def _line(roc: Mapping[str, Any], size: int, left: int, top: int) -> str:
    points = zip(roc["false_positive_rates"], roc["true_positive_rates"], strict=True)
    places = [f"{left + x * size:.1f} {top + (1 - y) * size:.1f}" for x, y in points]
    return "M" + "L".join(places)


def _grid_lines(limits: tuple[float, float]) -> str:
    lines = (
        f'<line class="grid" x1="{place}" x2="{place}" y1="0" y2="100%"/>'
        for _, place in ticks(limits)
    )
    return "".join(lines)


def _row(parts: Sequence[str], kind: str) -> Markup:
    # The words beside the row say the same: a screen reader need not hear it twice.
    drawing = "".join(parts)
    return Markup(f'<svg class="row {kind}" aria-hidden="true" focusable="false">{drawing}</svg>')
