# SPDX-License-Identifier: MIT
"""The figures of the report as files of their own, SVG and PNG, for slides and papers.

Unlike on the page every finding has a colour and a legend names it, because a picture has no
script that could be asked. Matplotlib brings its own fonts, so a container needs none.
"""

import io
import warnings
from collections.abc import Mapping
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

from preprocessing.contract.wording import estimate
from trainer.report.figures import curves, decision, reliability
from trainer.report.figures.charts import Chart
from trainer.report.figures.plots import domain
from trainer.report.source import headline

# Seven colours that stay apart for the colour-blind (after Okabe and Ito, Color Universal Design,
# 2008, with a darker yellow); the next seven findings have them again, dashed.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_INK, _MUTED, _GRID, _ACCENT = "#17212b", "#54606c", "#e4e8e8", "#0b5c9e"
_STYLE = {
    # Names are text: not TeX, and in an SVG words that can be found and edited, not outlines.
    "text.parse_math": False,
    "svg.fonttype": "none",
    # Without a salt the ids in an SVG would be random: equal reports have equal files.
    "svg.hashsalt": "cxr14",
    "axes.axisbelow": True,
    "axes.edgecolor": _GRID,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "errorbar.capsize": 3,
    "font.size": 9,
    "grid.color": _GRID,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "savefig.dpi": 250,
    "xtick.color": _GRID,
    "xtick.labelcolor": "black",
    "ytick.color": _GRID,
    "ytick.labelcolor": "black",
}


def plot_files(report: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the files of figures, name -> content; a figure that has nothing to show is left out.

    `forest` and `decision_SPLIT` are of the headline split, `roc_SPLIT` and
    `precision_recall_SPLIT` of each split, `reliability_SPLIT` of each split with calibration; each
    once as .svg and once as .png.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    charts: dict[str, Chart | None] = {}
    for split in report["splits"]:
        charts[f"roc_{split}"] = curves.roc(report, split)
        charts[f"precision_recall_{split}"] = curves.precision_recall(report, split)
    split = headline(report["splits"])
    charts[f"decision_{split}"] = decision.chart(report, split)
    section = report.get("calibration", {"available": False})
    for split in section["splits"] if section["available"] else []:
        charts[f"reliability_{split}"] = reliability.chart(section, split)
    # The settings of a program that loaded Matplotlib itself must not reach the report.
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        # What the font lacks is a box in the PNG; the SVG has it as text.
        warnings.filterwarnings("ignore", "Glyph")
        figures = {name: _chart(chart) for name, chart in charts.items() if chart and chart.lines}
        if forest := _forest(report):
            figures["forest"] = forest
        return {
            f"{name}.{form}": _file(figure, form)
            for name, figure in figures.items()
            for form in ("svg", "png")
        }


def _file(figure: Figure, form: str) -> bytes:
    content = io.BytesIO()
    # Dates and versions would make equal figures unequal.
    unsaid = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    metadata = {"Title": figure.axes[0].get_title(loc="left"), **unsaid[form]}
    # As wide as the longest name in the legend.
    sheet = figure.get_tightbbox().padded(0.1)
    figure.savefig(content, format=form, bbox_inches=sheet, metadata=metadata)
    return content.getvalue()


def _chart(chart: Chart) -> Figure:
    figure = Figure(figsize=(5, 5))
    axes = figure.add_subplot(
        title=chart.label.partition(";")[0].partition(":")[0],
        xlabel=chart.x.title,
        ylabel=chart.y.title,
        xlim=(chart.x.low, chart.x.high),
        ylim=(chart.y.low, chart.y.high),
    )
    for x0, y0, x1, y1 in chart.references:
        axes.plot([x0, x1], [y0, y1], color=_MUTED, linewidth=0.8, linestyle=":", zorder=3)
    handles, labels = [], []
    for number, line in enumerate(chart.lines):
        turn, colour = divmod(number, len(_COLOURS))
        handles += axes.plot(
            line.x,
            line.y,
            color=_COLOURS[colour],
            linestyle="--" if turn % 2 else "-",
            marker="o" if line.marks or len(line.x) == 1 else "",
            # Most curves run along an edge of the plane.
            clip_on=False,
        )
        words = [f"{name} {text}" for name, text in line.words[:1]]
        if line.band:
            axes.fill_between(*line.band, color=_COLOURS[colour], alpha=0.12, linewidth=0)
        labels.append("\n".join([line.name.replace("_", " "), *words]))
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.03, 1.02))
    return figure


def _forest(report: Mapping[str, Any]) -> Figure | None:
    """AUCs of the headline split with their intervals, highest first, the mean below."""
    split = headline(report["splits"])
    entry = report["splits"][split]
    areas = [(name.replace("_", " "), one["auc"]) for name, one in entry["findings"].items()]
    defined = [row for row in areas if row[1]["value"] is not None]
    if not defined:
        return None
    rows = sorted(defined, key=lambda row: -row[1]["value"]) + [("Mean", entry["mean_auc"])]
    figure = Figure(figsize=(5, 0.8 + 0.25 * len(rows)))
    axes = figure.add_subplot(
        title=f"AUC with 95% interval, {split} split",
        xlim=domain([area for _, area in rows]),
        ylim=(len(rows) - 0.5, -0.5),
    )
    for place, (_, area) in enumerate(rows):
        value, low, high = (area[key] for key in ("value", "low", "high"))
        axes.errorbar(
            value,
            place,
            xerr=None if low is None else [[value - low], [high - value]],
            color=_INK if place == len(rows) - 1 else _ACCENT,
            fmt="o",
        )
        words = estimate(area)
        axes.text(1.05, place, words, transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.grid(visible=False, axis="y")
    return figure
