# SPDX-License-Identifier: MIT
"""The figures of the report as files of their own, SVG and PNG, for slides and papers.

Unlike on the page every finding has a colour and its name stands beside, because nobody can ask a
picture.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.report.figures import curves
from trainer.report.figures.canvas import Canvas, Png, Svg
from trainer.report.figures.charts import Chart, Line, nice_ticks, tick_text
from trainer.report.figures.plots import domain
from trainer.report.markdown import auc_text, headline_split
from trainer.report.sections import calibration

_INK, _MUTED, _GRID, _ACCENT = "#17212b", "#54606c", "#e4e8e8", "#0b5c9e"
# Seven colours that stay apart for the colour-blind (after Okabe and Ito, Color Universal Design,
# 2008, with a darker yellow); the next seven findings have them again, dashed.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_LEFT, _TOP, _PLANE, _LEGEND = 62, 46, 400, 286


def plot_files(report: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the files of figures, name -> content; a figure that has nothing to show is left out.

    `forest` is of the headline split, `roc_SPLIT` and `precision_recall_SPLIT` of each split,
    `reliability_SPLIT` of each split with calibration; each once as .svg and once as .png.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    files: dict[str, bytes] = {}
    figures: dict[str, Chart] = {}
    for split in report["splits"]:
        figures[f"roc_{split}"] = curves.roc(report, split)
        if recall := curves.precision_recall(report, split):
            figures[f"precision_recall_{split}"] = recall
    section = report.get("calibration", {"available": False})
    if section["available"]:
        for split in section["splits"]:
            figures[f"reliability_{split}"] = calibration.reliability_chart(section, split)
    for name, chart in figures.items():
        if chart.lines:
            files |= _chart_files(name, chart)
    return files | _forest_files(report)


def _chart_files(name: str, chart: Chart) -> dict[str, bytes]:
    width = _LEFT + _PLANE + _LEGEND
    height = _TOP + max(_PLANE + 56, 24 + 26 * len(chart.lines))
    title = chart.label.partition(";")[0].partition(":")[0]
    svg, png = Svg(width, height, title), Png(width, height)
    for canvas in (svg, png):
        canvas.text((16, 26), title, size=15)
        _plane(canvas, chart)
        for number, line in enumerate(chart.lines):
            colour = _COLOURS[number % len(_COLOURS)]
            _line(canvas, chart, line, colour, 5.0 * (number // len(_COLOURS) % 2))
            _legend(canvas, line, number, colour)
    return {f"{name}.svg": svg.content(), f"{name}.png": png.content()}


def _place(chart: Chart, x: float, y: float) -> tuple[float, float]:
    across = (x - chart.x.low) / (chart.x.high - chart.x.low)
    up = (y - chart.y.low) / (chart.y.high - chart.y.low)
    return _LEFT + across * _PLANE, _TOP + (1 - up) * _PLANE


def _plane(canvas: Canvas, chart: Chart) -> None:
    """Grid, ticks, titles of axes, references."""
    bottom, right = _TOP + _PLANE, _LEFT + _PLANE
    for value, text in _ticks(chart.x.low, chart.x.high):
        x, _ = _place(chart, value, chart.y.low)
        canvas.lines([(x, _TOP), (x, bottom)], _GRID)
        canvas.text((x, bottom + 18), text, anchor="middle", colour=_MUTED)
    for value, text in _ticks(chart.y.low, chart.y.high):
        _, y = _place(chart, chart.x.low, value)
        canvas.lines([(_LEFT, y), (right, y)], _GRID)
        canvas.text((_LEFT - 8, y + 4), text, anchor="end", colour=_MUTED)
    canvas.text((_LEFT + _PLANE / 2, bottom + 42), chart.x.title, size=13, anchor="middle")
    middle = (18, _TOP + _PLANE / 2)
    canvas.text(middle, chart.y.title, size=13, anchor="middle", upright=True)
    for x0, y0, x1, y1 in chart.references:
        canvas.lines([_place(chart, x0, y0), _place(chart, x1, y1)], _MUTED, dash=3)


def _line(canvas: Canvas, chart: Chart, line: Line, colour: str, dash: float) -> None:
    places = [_place(chart, x, y) for x, y in zip(line.x, line.y, strict=True)]
    if len(places) > 1:
        canvas.lines(places, colour, width=1.5, dash=dash)
    if line.marks or len(places) == 1:
        for place in places:
            canvas.dot(place, 2.5, colour)


def _legend(canvas: Canvas, line: Line, number: int, colour: str) -> None:
    x, y = _LEFT + _PLANE + 22, _TOP + 14 + 26 * number
    dash = 5.0 * (number // len(_COLOURS) % 2)
    canvas.lines([(x, y), (x + 24, y)], colour, width=2, dash=dash)
    canvas.text((x + 34, y), line.name.replace("_", " "), size=12)
    canvas.text((x + 34, y + 12), _words(line), size=10, colour=_MUTED)


def _words(line: Line) -> str:
    return ", ".join(f"{name} {text}" for name, text in line.words[:1])


def _forest_files(report: Mapping[str, Any]) -> dict[str, bytes]:
    """AUCs of the headline split with their intervals, highest first, the mean below."""
    split = headline_split(report)
    entry = report["splits"][split]
    findings = [(name, finding["auc"]) for name, finding in entry["findings"].items()]
    defined = [pair for pair in findings if pair[1]["value"] is not None]
    if not defined:
        return {}
    rows = sorted(defined, key=lambda pair: -pair[1]["value"]) + [("Mean", entry["mean_auc"])]
    title = f"AUC with 95% interval, {split} split"
    width, height = 700, 96 + 24 * len(rows)
    svg, png = Svg(width, height, title), Png(width, height)
    for canvas in (svg, png):
        canvas.text((16, 26), title, size=15)
        _forest(canvas, rows, height)
    return {"forest.svg": svg.content(), "forest.png": png.content()}


def _forest(canvas: Canvas, rows: Sequence[tuple[str, Mapping[str, Any]]], height: int) -> None:
    limits = domain([area for _, area in rows])
    left, right = 176.0, 520.0

    def place(value: float) -> float:
        return left + (value - limits[0]) / (limits[1] - limits[0]) * (right - left)

    for value, text in _ticks(*limits):
        canvas.lines([(place(value), 42), (place(value), height - 42)], _GRID)
        canvas.text((place(value), height - 24), text, anchor="middle", colour=_MUTED)
    for number, (name, area) in enumerate(rows):
        y = 60 + 24 * number
        colour = _INK if number == len(rows) - 1 else _ACCENT
        canvas.text((16, y + 4), name.replace("_", " "))
        canvas.text((right + 24, y + 4), auc_text(area, with_interval=True))
        if area["low"] is not None:
            low, high = place(area["low"]), place(area["high"])
            canvas.lines([(low, y), (high, y)], colour, width=1.6)
            for end in (low, high):
                canvas.lines([(end, y - 4), (end, y + 4)], colour, width=1.6)
        canvas.dot((place(area["value"]), y), 4, colour)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    values = nice_ticks(low, high)
    return list(zip(values, tick_text(values), strict=True))
