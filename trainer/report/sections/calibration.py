# SPDX-License-Identifier: MIT
"""The section on calibration: whether scores are probabilities, and what makes them so.

In report.json `findings.NAME.SPLIT` holds the figures of the scores as they are (intervals but for
the ECE) and the bins of the `reliability` diagram; `findings.NAME.shift` is test minus validation.
`recalibration.findings.NAME` holds the `parameters` of every method, the one `chosen`, and what
each does on `test`; `recalibration.export.NAME` is the map to store, for `recalibration.apply`.
"""

from collections.abc import Mapping
from typing import Any

from trainer.evaluation import calibration_intervals as described
from trainer.evaluation import recalibration_effect
from trainer.evaluation.calibration import BINS
from trainer.evaluation.recalibration import METHODS
from trainer.report.figures import charts, plots
from trainer.report.markdown import NOT_DEFINED, escape, pipe_lines
from trainer.report.sections.calibration_notes import notes_on
from trainer.report.source import Source

_FIGURES = {
    "brier": "Brier",
    "brier_skill": "Brier skill",
    "log_loss": "Log loss",
    "in_the_large": "In the large",
    "slope": "Slope",
    "intercept": "Intercept",
}
_ROUND_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def build(source: Source) -> dict[str, Any]:
    """Returns the calibration of every split but train, and of scores calibrated on validation.

    Args:
        source: post-hoc calibration needs a validation split, and a test split to be judged on.
    """
    shown = [name for name in source.splits if name != "train"] or [source.headline]
    splits = {split: _of_split(source, split) for split in shown}
    findings: dict[str, Any] = {
        name: {split: splits[split][name].entry for split in shown}
        for name in source.predictions.findings
    }
    for name, entry in findings.items():
        both = len(shown) == 2
        entry["shift"] = (
            described.shift(splits["validation"][name], splits["test"][name]) if both else None
        )
    post_hoc = _post_hoc(source)
    section: dict[str, Any] = {
        "available": True,
        "split": source.headline,
        "splits": shown,
        "bins": BINS,
        "findings": findings,
        "mean": {split: described.mean(list(splits[split].values())) for split in shown},
        "recalibration": post_hoc,
    }
    return section | {"notes": notes_on(section)}


def _of_split(source: Source, split: str) -> dict[str, described.Described]:
    rows, draws = source.rows(split), source.draws(split)
    return {
        name: described.describe(rows.labels[:, position], rows.scores[:, position], draws)
        for position, name in enumerate(rows.findings)
    }


def _post_hoc(source: Source) -> dict[str, Any]:
    """What is fitted on validation; what it does on test, where there is one."""
    if "validation" not in source.splits:
        reason = (
            "Post-hoc calibration was not fitted: the predictions hold no validation split, and "
            "fitted on the images that it is judged by it would flatter. Hand in both splits."
        )
        return {"available": False, "reason": reason}
    rows = source.rows("validation")
    findings = {
        name: recalibration_effect.fitted(
            rows.labels[:, position], rows.scores[:, position], rows.patients, seed=source.seed
        )
        for position, name in enumerate(rows.findings)
    }
    result: dict[str, Any] = {"available": True, "methods": list(METHODS), "findings": findings}
    result["export"] = {
        name: entry["parameters"][entry["chosen"]] for name, entry in findings.items()
    }
    if "test" not in source.splits:
        return {**result, "judged": False}
    test = source.rows("test")
    for position, (name, entry) in enumerate(findings.items()):
        labels, scores = test.labels[:, position], test.scores[:, position]
        entry["test"] = recalibration_effect.effect(entry, labels, scores, source.draws("test"))
        entry["reliability"] = recalibration_effect.after(result["export"][name], labels, scores)
    effects = {name: entry["test"] for name, entry in findings.items()}
    return {**result, "judged": True, "mean": recalibration_effect.mean_effect(effects)}


def markdown(section: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Returns the section as Markdown."""
    parts = ["## Calibration", "\n".join(f"- {escape(note)}" for note in section["notes"])]
    for split in reversed(section["splits"]):
        parts += [f"### Scores as they are, {split} split", _figure_table(section, split)]
    post_hoc = section["recalibration"]
    if not post_hoc["available"]:
        return "\n\n".join([*parts, escape(post_hoc["reason"])])
    if post_hoc["judged"]:
        parts += ["### Calibrated on validation, judged on test", _effect_table(post_hoc)]
    return "\n\n".join(parts)


def page(section: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rows of the tables, the reliability chart and the small diagrams."""
    split, post_hoc = section["split"], section["recalibration"]
    before = {name: entry[split]["reliability"] for name, entry in section["findings"].items()}
    after = {
        name: post_hoc["findings"][name].get("reliability") if post_hoc["available"] else None
        for name in before
    }
    return {
        "figures": list(_FIGURES.items()),
        "chart": charts.markup(reliability_chart(section, split)),
        "small": [
            {"name": name, "limit": limit, "drawing": drawing}
            for name in before
            for limit, drawing in [_small(name, split, before[name], after[name])]
        ],
        "has_after": any(after.values()),
        "method_words": {
            "none": "as it is",
            "temperature": "temperature",
            "platt": "Platt",
            "isotonic": "isotonic",
        },
    }


def reliability_chart(section: Mapping[str, Any], split: str) -> charts.Chart:
    """Returns the reliability diagram of all findings of one split."""
    lines, reach = [], 0.0
    for name, entry in section["findings"].items():
        parts = entry[split]["reliability"]
        if parts is None:
            continue
        ends = {}
        if None not in parts["low"]:
            ends = {"low": parts["low"], "high": parts["high"]}
        ece = entry[split]["ece"]
        line = charts.Line(
            name,
            parts["scores"],
            parts["observed"],
            kind=split,
            words=[("ECE", f"{ece:.4f}")],
            more={"images": parts["counts"]},
            marks=True,
            **ends,
        )
        lines.append(line)
        reach = max(reach, *parts["scores"], *parts["observed"], *ends.get("high", ()))
    limit = _limit(reach)
    label = (
        f"Reliability of {len(lines)} findings, {split} split: the share of images with the "
        "finding against the mean score, in bins of equal numbers of images"
    )
    x = charts.Axis("mean score of the bin", 0.0, limit)
    y = charts.Axis("share with the finding", 0.0, limit)
    return charts.Chart(label, x, y, lines, references=[(0.0, 0.0, limit, limit)])


def _small(
    name: str, split: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[float | None, Any]:
    """One finding's diagram, and the score that fills its width."""
    shown = {kind: one for kind, one in (("validation", after), (split, before)) if one}
    if not shown or before is None:
        return None, None
    limit = _limit(
        max(value for one in shown.values() for value in one["scores"] + one["observed"])
    )
    lines = {
        kind: ([x / limit for x in one["scores"]], [y / limit for y in one["observed"]])
        for kind, one in shown.items()
    }
    words = "before and after calibration" if after else "as it is"
    return limit, plots.small_lines(lines, f"Reliability of {name}, {words}")


def _limit(value: float) -> float:
    """The round number that an axis ends at."""
    return next((limit for limit in _ROUND_LIMITS if value <= limit), 1.0)


def _figure_table(section: Mapping[str, Any], split: str) -> str:
    header = ["finding", "positives of n", "mean score", "prevalence", "ECE (by chance)"]
    header += [f"{title} (95% interval)" for title in _FIGURES.values()]
    rows = []
    for name, entry in section["findings"].items():
        one = entry[split]
        cells = [name, f"{one['positives']:,} of {one['n']:,}"]
        cells += [_number(one["mean_score"]), _number(one["prevalence"])]
        cells.append(f"{_number(one['ece'])} ({_number(one['ece_floor'])})")
        rows.append([*cells, *(_interval(one[key]) for key in _FIGURES)])
    mean = section["mean"][split]
    cells = ["mean", "", "", "", f"{_number(mean['ece'])} ({_number(mean['ece_floor'])})"]
    rows.append([*cells, *(_interval(mean[key]) if key in mean else "" for key in _FIGURES)])
    return pipe_lines(header, rows)


def _effect_table(post_hoc: Mapping[str, Any]) -> str:
    header = ["finding", "stored", *(f"ECE, {method}" for method in METHODS)]
    header += [*(f"Brier, {method}" for method in METHODS)]
    header += [f"log loss, {method}" for method in METHODS]
    rows = []
    for name, entry in post_hoc["findings"].items():
        cells = [
            _number(entry["test"][method] and entry["test"][method][key])
            for key in ("ece", "brier", "log_loss")
            for method in METHODS
        ]
        rows.append([name, entry["chosen"], *cells])
    means = post_hoc["mean"]["methods"]
    keys = ("ece", "brier", "log_loss")
    rows.append(["mean", "", *(_number(means[method][key]) for key in keys for method in METHODS)])
    return pipe_lines(header, rows)


def _number(value: float | None) -> str:
    return NOT_DEFINED if value is None else f"{value:.4f}"


def _interval(area: Mapping[str, float | None]) -> str:
    text = _number(area["value"])
    return text if area["low"] is None else f"{text} ({area['low']:.4f} to {area['high']:.4f})"
