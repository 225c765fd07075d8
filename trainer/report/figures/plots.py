# SPDX-License-Identifier: MIT
"""Figures without axes text as inline SVG: rows of a forest plot, bars, histograms, small curves.

They are made of numbers and of nothing that can be fetched. Colours and type come from the page's
style sheet through class names, so that a figure follows dark mode and print. Rows place their
marks in percent of the width: they stretch with the page while points stay round and text stays
text.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from trainer.report.figures.charts import nice_ticks, tick_text

_SMALL = 100
_SHADES = 8


def domain(intervals: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The range of AUCs that a figure shows: 0.5 to 1, or wider where a value needs it.

    >>> domain([{"value": 0.8, "low": 0.42, "high": 0.9}])
    (0.4, 1.0)
    """
    ends = [area[key] for area in intervals for key in ("value", "low") if area[key] is not None]
    return min([0.5, *(math.floor(end * 10) / 10 for end in ends)]), 1.0


def nice_limits(
    intervals: Sequence[Mapping[str, Any]], *, include: Sequence[float] = ()
) -> tuple[float, float]:
    """Round limits of an axis that holds all values and interval ends.

    Args:
        intervals: `value`, `low` and `high`; each may be None.
        include: numbers that the axis holds too, for example 0 for differences.

    >>> nice_limits([{"value": 0.012, "low": 0.004, "high": 0.021}], include=[0])
    (0.0, 0.025)
    """
    keys = ("value", "low", "high")
    ends = [area[key] for area in intervals for key in keys if area[key] is not None]
    ends += list(include)
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    inner = nice_ticks(low, high)
    step = inner[1] - inner[0]
    floor, ceiling = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return round(floor * step, 10) + 0.0, round(ceiling * step, 10) + 0.0


def percent(value: float, limits: tuple[float, float]) -> str:
    """Where a value lies between the limits, as CSS and SVG want it.

    >>> percent(0.75, (0.5, 1.0))
    '50.00%'
    """
    return f"{100 * (value - limits[0]) / (limits[1] - limits[0]):.2f}%"


def ticks(limits: tuple[float, float]) -> list[tuple[str, str]]:
    """The labels of an axis with their places.

    >>> ticks((0.7, 1.0))
    [('0.7', '0.00%'), ('0.8', '33.33%'), ('0.9', '66.67%'), ('1', '100.00%')]
    """
    values = nice_ticks(*limits)
    return [
        (text, percent(value, limits))
        for value, text in zip(values, tick_text(values), strict=True)
    ]


def tick_row(limits: tuple[float, float]) -> Markup:
    """The labels of an axis above rows of `interval_row`, for a head cell of class "plot"."""
    places = [f'<text x="{place}" y="13">{escape(text)}</text>' for text, place in ticks(limits)]
    return Markup(
        f'<svg class="row ticks" aria-hidden="true" focusable="false">{"".join(places)}</svg>'
    )


def interval_row(
    area: Mapping[str, Any],
    limits: tuple[float, float],
    kind: str,
    *,
    reference: float | None = None,
    dashed: Sequence[float] = (),
) -> Markup:
    """One row of a forest plot: a whisker for the interval, a mark for the value.

    Args:
        area: `value`, `low` and `high`; each may be None.
        limits: of the axis.
        kind: class of the marks, which gives the colour: a split, or "mean".
        reference: of a heavier line, for example 0 for differences.
        dashed: of dashed lines, for example a margin.
    """
    parts = [_grid_lines(limits)]
    heavy = [] if reference is None else [reference]
    for kinds, values in (("reference", heavy), ("chance", dashed)):
        for place in (percent(value, limits) for value in values):
            parts.append(f'<line class="{kinds}" x1="{place}" x2="{place}" y1="0" y2="100%"/>')
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
    """A bar for a share, for example a prevalence; `most` fills the width."""
    width = 0.0 if share is None or most == 0 else 100 * share / most
    return _row([f'<rect class="bar" x="0" y="30%" height="40%" width="{width:.2f}%"/>'], "share")


def histogram(groups: Mapping[str, Sequence[float]], label: str) -> Markup:
    """Overlaid histograms over the same bins of equal width, each group filled to its own height.

    Args:
        groups: class that gives the colour ("positive", "negative", a split) -> one count or share
            a bin. Each group is scaled to its own largest bin: shapes can be compared, heights not.
        label: what a screen reader says.
    """
    parts = [
        f'<svg class="histogram" role="img" viewBox="0 0 {_SMALL} 50" preserveAspectRatio="none" '
        f'aria-label="{escape(label)}">'
    ]
    for kind, counts in groups.items():
        most, width = max(counts, default=0) or 1, _SMALL / max(len(counts), 1)
        steps = "".join(
            f"V{50 - 49 * count / most:.2f}H{(at + 1) * width:.2f}"
            for at, count in enumerate(counts)
        )
        parts.append(f'<path class="fill {escape(kind)}" d="M0 50{steps}V50Z"/>')
    return Markup("".join([*parts, f'<path class="base" d="M0 50H{_SMALL}"/></svg>']))


def small_roc(rocs: Mapping[str, Mapping[str, Any] | None], label: str) -> Markup:
    """One finding's ROC curves, one for each split, without axis text.

    Args:
        rocs: split -> curve or None; drawn in this order.
        label: what a screen reader says.
    """
    curves = {
        split: (roc["false_positive_rates"], roc["true_positive_rates"])
        for split, roc in rocs.items()
        if roc is not None
    }
    return small_lines(curves, label)


def small_lines(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    label: str,
    *,
    bands: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]] | None = None,
    dots: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    reference: tuple[float, float] = (0.0, 1.0),
) -> Markup:
    """Lines in a unit square without axis text, for small multiples; what leaves it is cut off.

    Args:
        lines: class that gives the colour -> x and y of the points.
        label: what a screen reader says.
        bands: likewise, of areas below the lines: x, lower and upper ends.
        dots: likewise, of points that no line joins.
        reference: heights of a dashed line at the left and at the right; the diagonal by default.
    """
    left, right = (f"{(1 - height) * _SMALL:g}" for height in reference)
    parts = [
        f'<svg class="small" role="img" viewBox="-1 -1 {_SMALL + 2} {_SMALL + 2}" '
        f'aria-label="{escape(label)}"><path class="frame" d="M0 0H{_SMALL}V{_SMALL}H0Z"/>'
        f'<path class="chance" d="M0 {left}L{_SMALL} {right}"/>'
    ]
    for kind, (across, low, high) in (bands or {}).items():
        edge = _small_path([*across, *reversed(across)], [*low, *reversed(high)])
        parts.append(f'<path class="band {escape(kind)}" d="{edge}Z"/>')
    for kind, points in lines.items():
        parts.append(f'<path class="curve {escape(kind)}" d="{_small_path(*points)}"/>')
    for kind, points in (dots or {}).items():
        for x, y in zip(*points, strict=True):
            place = f'cx="{x * _SMALL:.1f}" cy="{(1 - y) * _SMALL:.1f}"'
            parts.append(f'<circle class="mark {escape(kind)}" {place} r="1.8"/>')
    return Markup("".join([*parts, "</svg>"]))


def _small_path(across: Sequence[float], up: Sequence[float]) -> str:
    places = zip(across, up, strict=True)
    return "M" + "L".join(f"{x * _SMALL:.1f} {(1 - y) * _SMALL:.1f}" for x, y in places)


def shade(value: float | None, most: float) -> str:
    """Class of a table cell tinted by its value: "shade-0" (none) to "shade-7" (`most` or more).

    >>> shade(0.5, 1.0), shade(2.0, 1.0), shade(None, 1.0)
    ('shade-4', 'shade-7', 'shade-0')
    """
    if value is None or most <= 0:
        return "shade-0"
    return f"shade-{max(0, min(_SHADES - 1, round(value / most * (_SHADES - 1))))}"


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
