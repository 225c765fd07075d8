# SPDX-License-Identifier: MIT
"""Charts of lines, as inline SVG and the data by which the page's script reads points aloud.

A chart is a value: the page shows it by `markup`, a file holds it by `trainer.report.plot_files`.
Colours come from the page's style sheet through class names, so that a chart follows dark mode
and print.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

# The plane of a chart in its own units, and room for tick labels and axis titles.
WIDTH, HEIGHT = 400, 400
LEFT, TOP, RIGHT, BOTTOM = 58, 12, 14, 52


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`; `digits` are the decimals of a reading."""

    title: str
    low: float = 0.0
    high: float = 1.0
    digits: int = 3


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: the finding, as in `report["findings"]`: the page's chips hide and show it in all
            charts at once.
        x: places of the points, as many as `y`, at least one.
        y: likewise.
        kind: class that gives the colour while the line is read, for example a split. All lines
            are grey otherwise: a page has no room for a colour a finding.
        words: what a reading says of the line as a whole, as name and text ("AUC", "0.81").
        more: what a reading says of each point: a name and as many numbers or texts as points.
        low: lower ends of whiskers at the points; empty for none.
        high: upper ends likewise.
        marks: whether the points are marked.
        band: places and their lower and upper ends, of an area that is shown while the line is
            read; None for none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: str = ""
    words: Sequence[tuple[str, str]] = ()
    more: Mapping[str, Sequence[float | int | str]] = dataclasses.field(default_factory=dict)
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    marks: bool = False
    band: tuple[Sequence[float], Sequence[float], Sequence[float]] | None = None


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        label: what a screen reader says instead of the drawing.
        x: the axis below.
        y: the axis at the left.
        lines: drawn in this order, the first lies lowest; may be empty.
        references: dashed lines as (x, y, x, y), for example of guessing.
        split: where the page lets its reader choose a split, the one that the chart shows.
        height: of the plane, whose width is 400.
    """

    label: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    references: Sequence[tuple[float, float, float, float]] = ()
    split: str = ""
    height: int = HEIGHT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height with axes."""
        return LEFT + WIDTH + RIGHT, TOP + self.height + BOTTOM

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the drawing."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return LEFT + across * WIDTH, TOP + (1 - up) * self.height


def markup(chart: Chart) -> Markup:
    """Returns a chart for a page: the drawing and, for the script, its points as JSON."""
    split = f' data-split="{escape(chart.split)}"' if chart.split else ""
    data = f'<script type="application/json">{_data(chart)}</script>'
    return Markup(f'<div class="chart"{split}>{drawing(chart)}{data}</div>')


def drawing(chart: Chart) -> Markup:
    """Returns the drawing alone, an SVG element that takes its colours from a style sheet."""
    width, height = chart.size
    parts = [
        f'<svg class="lines {escape(chart.split)}" role="img" viewBox="0 0 {width} {height}" '
        f'aria-label="{escape(chart.label)}">',
        *_axes(chart),
    ]
    for number, line in enumerate(chart.lines):
        parts.append(_line(chart, line, number))
    for x0, y0, x1, y1 in chart.references:
        start, end = chart.place(x0, y0), chart.place(x1, y1)
        parts.append(f'<path class="chance" d="M{_text(start)}L{_text(end)}"/>')
    return Markup("".join([*parts, "</svg>"]))


def nice_ticks(low: float, high: float) -> list[float]:
    """Four to eleven round numbers from `low` to `high`.

    >>> nice_ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> nice_ticks(-0.03, 0.02)
    [-0.03, -0.02, -0.01, 0.0, 0.01, 0.02]
    """
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    # 0.2 / 5 is a little less or more than 0.04: such a step must not fall to the next one.
    step = next(s * power for s in (1, 2, 5, 10) if s * power > rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Adding zero turns -0.0 into 0.0.
    return [round(number * step, 10) + 0.0 for number in range(first, last + 1)]


def tick_text(values: Sequence[float]) -> list[str]:
    """The labels of ticks, all with as many decimals as one needs.

    >>> tick_text([0.0, 0.25, 0.5])
    ['0', '0.25', '0.5']
    """
    return [f"{value:g}".replace("-", "\N{MINUS SIGN}") for value in values]


def _axes(chart: Chart) -> list[str]:
    bottom, middle = TOP + chart.height, TOP + chart.height / 2
    parts = []
    xs, ys = nice_ticks(chart.x.low, chart.x.high), nice_ticks(chart.y.low, chart.y.high)
    for value, text in zip(xs, tick_text(xs), strict=True):
        x, _ = chart.place(value, chart.y.low)
        parts.append(f'<path class="grid" d="M{x:g} {TOP}V{bottom}"/>')
        parts.append(f'<text class="tick" x="{x:g}" y="{bottom + 19}">{text}</text>')
    for value, text in zip(ys, tick_text(ys), strict=True):
        _, y = chart.place(chart.x.low, value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:g}H{LEFT + WIDTH}"/>')
        parts.append(f'<text class="tick side" x="{LEFT - 9}" y="{y + 4.5:g}">{text}</text>')
    parts.append(
        f'<text class="axis" x="{LEFT + WIDTH / 2:g}" y="{chart.size[1] - 6}">'
        f"{escape(chart.x.title)}</text>"
        f'<text class="axis" transform="translate(13 {middle:g}) rotate(-90)">'
        f"{escape(chart.y.title)}</text>"
    )
    return parts


def _line(chart: Chart, line: Line, number: int) -> str:
    places = [chart.place(x, y) for x, y in zip(line.x, line.y, strict=True)]
    parts = [f'<g class="line {escape(line.kind)}" data-line="{number}">']
    if line.band:
        across, lower, upper = line.band
        edge = [*zip(across, lower, strict=True), *reversed([*zip(across, upper, strict=True)])]
        around = "L".join(_text(chart.place(x, y)) for x, y in edge)
        parts.append(f'<path class="band" d="M{around}Z"/>')
    for x, low, high in zip(line.x, line.low, line.high, strict=False):
        start, end = chart.place(x, low), chart.place(x, high)
        parts.append(f'<path class="whisker" d="M{_text(start)}L{_text(end)}"/>')
    parts.append(f'<path class="curve" d="M{"L".join(_text(place) for place in places)}"/>')
    if line.marks or len(places) == 1:
        parts += [f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
    return "".join([*parts, "</g>"])


def _text(place: tuple[float, float]) -> str:
    return f"{place[0]:.1f} {place[1]:.1f}"


def _data(chart: Chart) -> str:
    """What the script needs, as JSON that cannot end its script element."""
    plane: dict[str, Any] = {"left": LEFT, "top": TOP, "width": WIDTH, "height": chart.height}
    lines = [
        {
            "name": line.name,
            "words": [list(pair) for pair in line.words],
            "x": [_short(value) for value in line.x],
            "y": [_short(value) for value in line.y],
            "more": {key: [_short(value) for value in line.more[key]] for key in line.more},
        }
        for line in chart.lines
    ]
    axes = {"x": dataclasses.asdict(chart.x), "y": dataclasses.asdict(chart.y)}
    text = json.dumps({"plane": plane, **axes, "lines": lines}, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _short(value: float | int | str) -> float | int | str:
    """Six digits are more than a reading shows, and a third of the bytes."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
