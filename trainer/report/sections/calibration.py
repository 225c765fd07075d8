# SPDX-License-Identifier: MIT
"""The section on calibration: whether scores are probabilities, and what makes them so.

In report.json `findings.NAME.SPLIT` holds the figures of the scores as they are (intervals but for
the ECE) and the bins of the `reliability` diagram, with the smooth curve of the headline split;
`findings.NAME.shift` is test minus validation.
`recalibration.findings.NAME` holds the `parameters` of every method, the one `chosen`, and what
each does on `test`; `recalibration.export.NAME` is the map to store, for `recalibration.apply`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import number, words
from trainer.evaluation import calibration_intervals as described
from trainer.evaluation import recalibration_effect, smooth_calibration
from trainer.evaluation.calibration import BINS
from trainer.evaluation.recalibration import METHODS
from trainer.report import controls, decisions
from trainer.report.figures import charts, reliability
from trainer.report.parts import Fold, Heading, Notes, Part, Words, flagged, unavailable
from trainer.report.sections import calibration_notes, external
from trainer.report.source import ANOTHER, EXTERNAL, Source

_FIGURES = {
    "brier": "Brier",
    "brier_skill": "Brier skill",
    "log_loss": "Log loss",
    "observed_expected": "Observed / expected",
    "in_the_large": "In the large",
    "slope": "Slope",
    "intercept": "Intercept",
}
_FORM = ".4f"
_T = TypeVar("_T")
_NOTHING = {"value": None, "low": None, "high": None}
_SMOOTH_POINTS = (0, 12, 24, 36, 49)
_SMOOTH_AREA = {"value": "observed", "low": "low", "high": "high"}


def build(source: Source) -> dict[str, Any]:
    """Returns the calibration of every split but train, and of scores calibrated on validation.

    Args:
        source: post-hoc calibration needs a validation split, and a test split to be judged on.
    """
    shown = [name for name in source.splits if name != "train"] or [source.headline]
    splits = {split: _by_finding(source, split, described.describe) for split in shown}
    smooth = _by_finding(source, source.headline, smooth_calibration.curve)
    findings: dict[str, Any] = {}
    for name in source.predictions.findings:
        of = {split: splits[split][name] for split in shown}
        entry = findings[name] = {split: one.entry for split, one in of.items()}
        both = len(shown) == 2
        entry["shift"] = described.shift(of["validation"], of["test"]) if both else None
        if (bins := entry[source.headline]["reliability"]) is not None:
            bins["smooth"] = smooth[name]
    post_hoc = _post_hoc(source, smooth)
    section: dict[str, Any] = {
        "available": True,
        "split": source.headline,
        "splits": shown,
        "bins": BINS,
        "findings": findings,
        "mean": {split: described.mean(list(splits[split].values())) for split in shown},
        "recalibration": post_hoc,
    }
    return section | {"notes": calibration_notes.notes_on(section)}


def _by_finding(source: Source, split: str, figure: Callable[..., _T]) -> dict[str, _T]:
    """What a figure of labels, scores and draws is of each finding of a split."""
    rows, draws = source.rows(split), source.free_draws(split)
    columns = zip(rows.findings, rows.labels.T, rows.scores.T, strict=True)
    return {name: figure(labels, scores, draws) for name, labels, scores in columns}


def _post_hoc(source: Source, smooth: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    """What is fitted on validation; what it does on test, where there is one."""
    if own := source.context.get(EXTERNAL):
        calibrated = (
            decisions.OWN_SCORES
            if own.get("calibration")
            else "The model brings no calibration, so that these are its scores as they are"
        )
        more = "; a recalibration on some of its patients is in the section on the external test"
        more *= own.get(ANOTHER) != "no"
        return unavailable(f"{calibrated}. Nothing here was fitted on this test{more}.")
    if "validation" not in source.splits:
        reason = (
            "Post-hoc calibration was not fitted: the predictions hold no validation split, and "
            "fitted on the images that it is judged by it would flatter. Hand in both splits."
        )
        return unavailable(reason)
    findings = {name: dict(entry) for name, entry in source.calibrations.items()}
    result: dict[str, Any] = {"available": True, "methods": list(METHODS), "findings": findings}
    result["export"] = {
        name: entry["parameters"][entry["chosen"]] for name, entry in findings.items()
    }
    if "test" not in source.splits:
        return {**result, "judged": False}
    test = source.rows("test")
    for position, (name, entry) in enumerate(findings.items()):
        labels, scores = test.labels[:, position], test.scores[:, position]
        draws = source.free_draws("test")
        entry["test"] = recalibration_effect.effect(entry, labels, scores, draws)
        entry["reliability"] = recalibration_effect.after(result["export"][name], labels, scores)
        if entry["reliability"] is not None:
            mapped = smooth_calibration.mapped(smooth[name], result["export"][name])
            entry["reliability"]["smooth"] = mapped
    effects = {name: entry["test"] for name, entry in findings.items()}
    return {**result, "judged": True, "mean": recalibration_effect.mean_effect(effects)}


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the table of each split, the reliability diagrams and what calibration changes."""
    first, *others = reversed(section["splits"])
    title, post_hoc = "Scores as they are, {} split", section["recalibration"]
    tested = report.get("external", {}).get("available")
    shown = external.in_the_large(section) if tested else []
    shown.append(Notes([words(note) for note in section["notes"]]))
    shown += [Heading(title.format(first)), _figures(section, first)]
    shown += [Fold(title.format(split), [_figures(section, split)]) for split in others]
    shown += _reliability(section)
    if not post_hoc["available"]:
        shown.append(Words(post_hoc["reason"]))
    elif post_hoc["judged"]:
        shown += [Heading("Calibrated on validation, judged on test"), _effects(post_hoc)]
    return shown


def _reliability(section: Mapping[str, Any]) -> list[Part]:
    """The diagram of all findings, and one for each finding before and after calibration."""
    split, post_hoc = section["split"], section["recalibration"]
    before = {name: entry[split]["reliability"] for name, entry in section["findings"].items()}
    after = {
        name: post_hoc["findings"][name].get("reliability") if post_hoc["available"] else None
        for name in before
    }
    chart = controls.figure(
        charts.markup(reliability.chart(section, split)),
        f"{split.capitalize()} split, scores as they are, at most {section['bins']} bins of equal "
        "numbers of images; whiskers are 95% intervals, as is the band of the smooth curve of a "
        "finding that is read. On the dashed line scores are probabilities; above it the finding "
        "is more common than the scores say.",
    )
    colours = [(split, "as it is"), ("validation", "as calibrated on validation")]
    small = [(name, *reliability.small(name, split, before[name], after[name])) for name in before]
    return [
        controls.explorer(list(before), chart, title="Reliability"),
        controls.key(
            colours if any(after.values()) else colours[:1],
            "; a smooth curve with its 95% band where there are images enough, and the bins as "
            "dots. Each square runs from 0 to the score below its name, both ways.",
        ),
        controls.multiples((name, number(limit, "g"), drawn) for name, limit, drawn in small),
        *_smooth_figures(section, split),
    ]


def _smooth_figures(section: Mapping[str, Any], split: str) -> list[Part]:
    """Some points of each smooth curve, evenly spaced along its scores."""
    rows: list[list[Cell | str]] = []
    for name, entry in section["findings"].items():
        if found := (entry[split]["reliability"] or {}).get("smooth"):
            row: list[Cell | str] = [words(name)]
            for at in _SMOOTH_POINTS:
                area = {key: found[of][at] for key, of in _SMOOTH_AREA.items()}
                row += [numeric(found["scores"][at]), interval(area)]
            rows.append(row)
    columns: list[Column | str] = ["Finding"]
    for at in range(1, len(_SMOOTH_POINTS) + 1):
        group = f"Point {at}"
        columns += [Column(title, group=group, of=group) for title in ("Score", "Share")]
    caption = (
        f"Share of {split} images with the finding by the smooth curve, with 95% intervals, at "
        "evenly spaced scores from the first percentile to the fifth highest."
    )
    return [Fold("The smooth curves in figures", [Table(caption, columns, rows)])] if rows else []


def _figures(section: Mapping[str, Any], split: str) -> Table:
    def row(one: Mapping[str, Any]) -> list[Cell | str]:
        floor = one["ece_floor"]
        chance = "" if floor is None else f"{number(floor, _FORM)} by chance"
        areas = (interval(one[key], _FORM) if key in one else "" for key in _FIGURES)
        return [numeric(one["ece"], _FORM, below=chance), *areas]

    rows = []
    for name, entry in section["findings"].items():
        one, moved = entry[split], split == "test" and entry["shift"] and entry["shift"]["moved"]
        counts = [numeric(one["positives"], ",")]
        counts += [numeric(one[key], _FORM) for key in ("mean_score", "prevalence")]
        rows.append([flagged(name, "shifted", bool(moved)), *counts, *row(one)])
    return Table(
        f"Calibration of each finding on {split}, with 95% intervals. Beside an ECE is what chance "
        "alone would give.",
        [
            *("Finding", "Positives", "Mean score", "Prevalence", Column("ECE", css="strong")),
            *_FIGURES.values(),
        ],
        rows,
        [["Mean", "", "", "", *row(section["mean"][split])]],
        sortable=True,
    )


def _effects(post_hoc: Mapping[str, Any]) -> Table:
    methods = list(post_hoc["methods"])
    fitted = [method for method in methods if method != "none"]
    columns: list[Column | str] = ["Finding", Column("Stored", "text")]
    for group, shown in (("ECE", methods), ("Brier", methods), ("Change of log loss", fitted)):
        of = f"({group})"
        columns += [
            Column(calibration_notes.METHODS[method], group=group, of=of) for method in shown
        ]
    rows: list[list[Cell | str]] = []
    for name, entry in post_hoc["findings"].items():
        strong = {method: "strong" if method == entry["chosen"] else "" for method in methods}
        cells = [
            numeric((entry["test"][method] or {}).get(key), _FORM, css=strong[method])
            for key in ("ece", "brier")
            for method in methods
        ]
        for method in fitted:
            change = (entry["test"][method] or {}).get("log_loss_change", _NOTHING)
            cells.append(interval(change, f"+{_FORM}", css=strong[method]))
        rows.append([words(name), calibration_notes.METHODS[entry["chosen"]], *cells])
    means = post_hoc["mean"]["methods"]
    mean = [numeric(means[method][key], _FORM) for key in ("ece", "brier") for method in methods]
    for method in fitted:
        loss = means[method]["log_loss"]
        change = None if loss is None else loss - means["none"]["log_loss"]
        mean.append(numeric(change, f"+{_FORM}"))
    return Table(
        "ECE and Brier score on test of the scores as they are and after each method, and the "
        "change of the log loss against the scores as they are, with its 95% interval: below 0 is "
        "better.",
        columns,
        rows,
        [[f"Mean of {len(post_hoc['mean']['findings'])}", "", *mean]],
    )
