# SPDX-License-Identifier: MIT
"""What the parts of the page show that every report has: findings, curves, counts, provenance."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from trainer.report.contents import SECTIONS, missing
from trainer.report.figures import curves, plots
from trainer.report.figures.charts import markup
from trainer.report.markdown import auc_text, flatten, headline_split

SPLIT_ORDER = ("test", "validation", "train")


def variables(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the templates of the frame use beside `report`.

    Args:
        report: what `trainer.report.report.build` returned.
    """
    headline = headline_split(report)
    main, validation = report["splits"][headline], report["splits"].get("validation")
    compared = validation if headline == "test" else None
    areas = [entry["auc"] for entry in main["findings"].values()]
    others = [entry["auc"] for entry in compared["findings"].values()] if compared else []
    limits = plots.domain([*areas, *others, main["mean_auc"]])
    rows = [_row(report, name, headline, limits) for name in report["findings"]]
    return {
        "notes": {note["topic"]: note["text"] for note in report["notes"]},
        "headline": headline,
        "shown": [split for split in SPLIT_ORDER if split in report["splits"]],
        "main": main,
        "compared": compared,
        "rows": rows,
        "ranked": sorted(rows, key=lambda row: -(row["auc"]["value"] or -1)),
        "mean_row": plots.interval_row(main["mean_auc"], limits, "mean"),
        "ticks": plots.tick_row(limits),
        "charts": _charts(report),
        "absent": [(SECTIONS[name].title, report[name]["reason"]) for name in missing(report)],
        "provenance": _provenance(report),
        "defined": len(rows) - len(main["undefined_findings"]),
    }


def _row(
    report: Mapping[str, Any], name: str, headline: str, limits: tuple[float, float]
) -> dict[str, Any]:
    """All that the page says of one finding."""
    main = report["splits"][headline]["findings"][name]
    shown = [split for split in SPLIT_ORDER if split in report["splits"]]
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
    rocs = {split: entries[split]["roc"] for split in reversed(shown)}
    area = auc_text(main["auc"], with_interval=False)
    return {
        "finding": name,
        "name": name.replace("_", " "),
        **main,
        "validation": validation["auc"] if validation else None,
        "forest": plots.interval_row(main["auc"], limits, headline),
        "pair": pair,
        "difference": difference,
        "small": plots.small_roc(rocs, f"ROC curve of {name}, AUC {area}"),
        "counts": [
            (split, entries[split], plots.share_row(entries[split]["prevalence"], max(shares)))
            for split in shown
        ],
    }


def _charts(report: Mapping[str, Any]) -> list[tuple[str, Markup, Markup | None]]:
    """Each split with its ROC chart and, where the report holds them, precision-recall chart."""
    charts = []
    for split in (name for name in SPLIT_ORDER if name in report["splits"]):
        recall = curves.precision_recall(report, split)
        charts.append(
            (split, markup(curves.roc(report, split)), markup(recall) if recall else None)
        )
    return charts


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
