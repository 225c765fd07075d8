# SPDX-License-Identifier: MIT
"""What the page and report.md show of every finding: areas, intervals, curves and counts."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import number, words
from trainer.report import controls
from trainer.report.figures import curves as charts
from trainer.report.figures import plots
from trainer.report.figures.charts import markup
from trainer.report.parts import Drawn, Group, Part, Words, finding_cell, flagged, forest
from trainer.report.source import SPLIT_ORDER, headline

_READ = (
    "Move over a curve, or choose a chart and press the arrow keys, to read a point: left and "
    "right go along a curve, up and down to another finding. A press on a finding hides or shows "
    "its curve in every chart of this page."
)
_ROC = (
    "Each ROC curve shows every trade that one finding offers: how many of its images are found "
    "(sensitivity) against how many of the others are flagged in error (1 \N{MINUS SIGN} "
    "specificity), from the strictest threshold at the lower left to the laxest at the upper "
    "right. The dashed line is guessing. A curve does not say which threshold to use, nor how "
    "often a flagged image has the finding: that depends on how common it is."
)
_PRECISION_RECALL = (
    "Each precision-recall curve shows, for the same thresholds, how many of the flagged images "
    "have the finding (precision) against how many of its images are found (recall, the same as "
    "sensitivity). Guessing gives a flat line at the prevalence, so a curve must be read against "
    "that, and findings or data sets of different prevalence cannot be compared by it."
)


def table(report: Mapping[str, Any]) -> Table:
    """Returns the AUC of every finding with counts of the headline split, and the mean."""
    split, compared = headline(report["splits"]), compared_split(report)
    main = report["splits"][split]
    few = report["few_positives_below"]
    auc = Column(f"{split.capitalize()} AUC [95% interval]", css="strong")
    other = [Column("Validation AUC", css="validation")] if compared else []

    def row(entry: Mapping[str, Any], key: str, validation: Mapping[str, Any] | None) -> list[Cell]:
        return [
            numeric(entry["n"], ",", css="wide"),
            numeric(entry["positives"], ",") if "positives" in entry else Cell(),
            numeric(entry["positive_patients"], ",") if "positives" in entry else Cell(),
            *([numeric(validation[key]["value"])] if validation else []),
            interval(entry[key]),
        ]

    rows = [
        [
            finding_cell(name, entry, few),
            *row(entry, "auc", compared and compared["findings"][name]),
        ]
        for name, entry in main["findings"].items()
    ]
    return Table(
        f"AUC of each finding. Counts are of the {split} split; the interval covers 95%.",
        ["Finding", Column("Images", css="wide"), "Positives", "of patients", *other, auc],
        rows,
        [["Mean", *row(main, "mean_auc", compared)]],
        sortable=True,
    )


def curves(report: Mapping[str, Any]) -> tuple[str, list[Part]]:
    """Returns the heading of the curves, and the curves of every split with how to read them."""
    shown, figures, recalls = _splits(report), [], 0
    for split in shown:
        drawn = [
            controls.figure(markup(charts.roc(report, split)), f"ROC, {split} split, all findings.")
        ]
        if recall := charts.precision_recall(report, split):
            text = f"Precision and recall, {split} split, all findings."
            drawn.append(controls.figure(markup(recall), text))
            recalls += 1
        pair = Markup('<div class="duo" data-split="{}">\n{}\n</div>')
        figures.append(pair.format(split, Markup("\n").join(drawn)))
    choice = controls.choice("split", shown) if len(shown) > 1 else ""
    read = Markup('<p class="aside script-only" hidden>{}</p>').format(_READ)
    explained: list[Part] = [Words(_ROC), *([Words(_PRECISION_RECALL)] if recalls else [])]
    parts: list[Part] = [
        controls.explorer(report["findings"], *figures, before=choice),
        Drawn(read),
        Group(explained, "columns"),
        controls.key([(split, split) for split in shown], title="One finding at a time"),
        controls.multiples(_small(report, name) for name in report["findings"]),
    ]
    return "ROC and precision-recall curves" if recalls else "ROC curves", parts


def _small(report: Mapping[str, Any], name: str) -> tuple[str, str, Markup]:
    entries = {split: report["splits"][split]["findings"][name] for split in _splits(report)}
    area = number(entries[headline(report["splits"])]["auc"]["value"])
    # The first drawn lies lowest, so that the headline split stays on top.
    rocs = {split: entries[split]["roc"] for split in reversed(entries)}
    return name, area, plots.small_roc(rocs, f"ROC curve of {name}, AUC {area}")


def _splits(report: Mapping[str, Any]) -> list[str]:
    return [split for split in SPLIT_ORDER if split in report["splits"]]


def compared_split(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the validation split where the headline is test."""
    found: Mapping[str, Any] | None = report["splits"].get("validation")
    return found if headline(report["splits"]) == "test" else None


def _ranked(report: Mapping[str, Any]) -> tuple[list[str], tuple[float, float]]:
    """The findings from the highest AUC to those without one, and the limits of a figure."""
    main, compared = report["splits"][headline(report["splits"])], compared_split(report)
    shown = [main, *([compared] if compared else [])]
    areas = [entry["auc"] for split in shown for entry in split["findings"].values()]
    limits = plots.domain([*areas, main["mean_auc"]])
    entries = main["findings"]
    return sorted(entries, key=lambda name: -(entries[name]["auc"]["value"] or -1)), limits


def certainty(report: Mapping[str, Any], notes: Mapping[str, str]) -> Part:
    """Returns the intervals drawn, the highest AUC first."""
    split = headline(report["splits"])
    main, (ranked, limits) = report["splits"][split], _ranked(report)
    entries = {name: main["findings"][name] for name in ranked}
    rows = [
        (flagged(name, "few", entry["few_positives"]), entry["auc"], split)
        for name, entry in entries.items()
    ]
    drawn = forest(
        f"{split.capitalize()} AUC with its 95% interval, highest first.",
        ("Finding", "AUC with interval", "AUC"),
        [*rows, ("Mean", main["mean_auc"], "mean")],
        limits,
        means=1,
    )
    text = "Two findings whose intervals overlap may still differ: this figure does not test that."
    return Group([drawn, Words(f"{notes['interval']} {text}")])


def validation(report: Mapping[str, Any], notes: Mapping[str, str]) -> list[Part]:
    """Returns validation beside test; nothing without both."""
    main, compared = report["splits"][headline(report["splits"])], compared_split(report)
    if not compared:
        return []
    ranked, limits = _ranked(report)
    rows: list[list[Cell | str]] = []
    for name in ranked:
        test, other = main["findings"][name]["auc"], compared["findings"][name]["auc"]
        known = None not in (test["value"], other["value"])
        pair = Cell(
            plots.pair_row(other, test, limits),
            unseen=f"validation {number(other['value'])}, test {number(test['value'])}",
        )
        gap = numeric(other["value"] - test["value"] if known else None, "+.3f")
        rows.append([words(name), pair, gap])
    drawn = Column("Validation and test AUC", "plot", drawing=plots.tick_row(limits))
    columns: list[Column | str] = ["Finding", drawn, Column("Difference", css="value")]
    caption = "Validation AUC minus test AUC; the page draws both."
    figure = Group([Table(caption, columns, rows, css="rows"), Words(notes["validation"])])
    colours = [("test", "test AUC"), ("validation", "validation AUC")]
    return [controls.key(colours, mark="dot"), figure]


def counts(report: Mapping[str, Any]) -> Part:
    """Returns how common each finding is in each split."""
    splits = {split: report["splits"][split] for split in _splits(report)}
    most = max(
        entry["prevalence"] or 0.0
        for split in splits.values()
        for entry in split["findings"].values()
    )
    rows: list[list[Cell | str]] = [
        [
            words(name),
            Cell(split, css=split),
            Cell(plots.share_row(entry["findings"][name]["prevalence"], most), css=split),
            numeric(entry["findings"][name]["prevalence"], ".1%"),
            numeric(entry["findings"][name]["positives"], ","),
            numeric(entry["findings"][name]["n"], ","),
        ]
        for name in report["findings"]
        for split, entry in splits.items()
    ]
    table = Table(
        "Positives among the images with a known label. Bars share one scale.",
        [
            "Finding",
            Column("Split", "text", css="value wide"),
            Column("Prevalence, drawn", "plot", drawing=" "),
            *(Column(title, css="value") for title in ("Prevalence", "Positives")),
            Column("Images", css="value wide"),
        ],
        rows,
        css="rows counts",
        grouped=True,
    )
    sizes = {
        split: f"{split}, {entry['n']:,} images of {entry['patients']:,} patients"
        for split, entry in splits.items()
    }
    text = (
        "The AUC does not depend on prevalence; almost everything a user would notice does. At 1% "
        "prevalence even a good AUC means that most flagged images do not have the finding. The "
        "fewer the positives, the wider the interval."
    )
    keys = [controls.key([size]) for size in sizes.items()]
    return Group([table, Group([*keys, Words(text)], "side")])
