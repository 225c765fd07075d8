# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs no network: style, script and figures are inside it.

Every word and number is HTML text and tables; the figures repeat them. The script only adds
sorting, the reading of points and the hiding of curves: without it the page is complete.
"""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from trainer.report import plots
from trainer.report.markdown import auc_text, flatten, headline_split

_SPLIT_ORDER = ("test", "validation", "train")


def render(report: Mapping[str, Any]) -> str:
    """Returns report.html.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    folder = resources.files(__package__).joinpath("templates")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["auc"] = _auc
    page = environment.get_template("report.html.j2")
    # Both are files of this package, not input.
    style = Markup(folder.joinpath("report.css").read_text("utf-8"))
    script = Markup(folder.joinpath("report.js").read_text("utf-8"))
    return page.render(style=style, script=script, **_page(report))


def _page(report: Mapping[str, Any]) -> dict[str, Any]:
    headline = headline_split(report)
    main, validation = report["splits"][headline], report["splits"].get("validation")
    compared = validation if headline == "test" else None
    areas = [entry["auc"] for entry in main["findings"].values()]
    others = [entry["auc"] for entry in compared["findings"].values()] if compared else []
    limits = plots.domain([*areas, *others, main["mean_auc"]])
    rows = [_row(report, name, headline, limits) for name in report["findings"]]
    return {
        "report": report,
        "notes": {note["topic"]: note["text"] for note in report["notes"]},
        "headline": headline,
        "main": main,
        "compared": compared,
        "rows": rows,
        "ranked": sorted(rows, key=lambda row: -(row["auc"]["value"] or -1)),
        "mean_row": plots.interval_row(main["mean_auc"], limits, "mean"),
        "mean_place": _place(main["mean_auc"]["value"], limits),
        "ticks": plots.ticks(limits),
        "charts": _charts(report),
        "points": _points(report),
        "provenance": _provenance(report),
        "defined": len(rows) - len(main["undefined_findings"]),
    }


def _row(
    report: Mapping[str, Any], name: str, headline: str, limits: tuple[float, float]
) -> dict[str, Any]:
    """All that the page says of one finding."""
    main = report["splits"][headline]["findings"][name]
    shown = [split for split in _SPLIT_ORDER if split in report["splits"]]
    entries = {split: report["splits"][split]["findings"][name] for split in shown}
    validation = entries.get("validation") if headline == "test" else None
    shares = [
        entry["prevalence"] or 0.0
        for split in shown
        for entry in report["splits"][split]["findings"].values()
    ]
    pair, difference = None, None
    if validation:
        pair = plots.pair_row(validation["auc"], main["auc"], limits)
        if None not in (validation["auc"]["value"], main["auc"]["value"]):
            difference = validation["auc"]["value"] - main["auc"]["value"]
    # The first drawn lies lowest, so that the headline split stays on top.
    curves = {split: entries[split]["roc"] for split in reversed(shown)}
    return {
        "name": name.replace("_", " "),
        **main,
        "validation": validation["auc"] if validation else None,
        "forest": plots.interval_row(main["auc"], limits, headline),
        "pair": pair,
        "difference": difference,
        "small": plots.small_roc(curves, f"ROC curve of {name}, AUC {_auc(main['auc'])}"),
        "counts": [
            (split, entries[split], plots.share_row(entries[split]["prevalence"], max(shares)))
            for split in shown
        ],
    }


def _charts(report: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    charts = []
    for split in (name for name in _SPLIT_ORDER if name in report["splits"]):
        findings = report["splits"][split]["findings"]
        entries = [{"name": name, "roc": entry["roc"]} for name, entry in findings.items()]
        label = f"ROC curves of {len(entries)} findings, {split} split; the AUCs are in the table"
        charts.append((split, plots.roc_chart(entries, split, label)))
    return charts


def _points(report: Mapping[str, Any]) -> Markup:
    """The points of the curves for the script, as JSON that cannot end its script element."""
    splits = {
        split: [
            {
                "name": name.replace("_", " "),
                "auc": auc_text(finding["auc"], with_interval=True),
                "roc": finding["roc"]
                and [
                    finding["roc"]["false_positive_rates"],
                    finding["roc"]["true_positive_rates"],
                    finding["roc"]["thresholds"],
                ],
            }
            for name, finding in entry["findings"].items()
        ]
        for split, entry in report["splits"].items()
    }
    plane = {"size": plots.PLANE, "left": plots.LEFT, "top": plots.TOP}
    text = json.dumps({"plane": plane, "splits": splits}, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _provenance(report: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The parts of the provenance, each a title and rows."""
    titles = {"manifest": "Data set", "training": "Training run"}
    parts = [
        ("Predictions", flatten(report["predictions"])),
        ("This report", flatten({"schema_version": report["schema_version"], **report["request"]})),
    ]
    other = {key: value for key, value in report["context"].items() if key not in titles}
    for key, title in titles.items():
        facts = report["context"].get(key)
        if isinstance(facts, Mapping) and facts:
            parts.append((title, flatten(facts)))
        elif facts:
            other[key] = facts
    return [*parts, ("Further facts", flatten(other))] if other else parts


def _place(value: float | None, limits: tuple[float, float]) -> str | None:
    return None if value is None else plots.percent(value, limits)


def _auc(area: Mapping[str, Any] | None) -> str:
    return auc_text(area, with_interval=False)
