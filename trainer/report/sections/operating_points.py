# SPDX-License-Identifier: MIT
"""The section on thresholds: chosen on validation, judged on test.

An external test judges the model's own thresholds instead, on its scores before calibration.

In report.json `findings.NAME.rules.RULE` holds `threshold` (None with a `reason`), the measures on
`validation` as numbers, those on `test` as intervals, and `at_prevalence.ppv` and `.npv` as lists
along `prevalences`. `mean.RULE` holds means over findings; `findings` in it says of how many.
`per_image.RULE` says what the thresholds of all findings call together, image by image. `at_half`
says what the threshold 0.5 would do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import estimate, number, words
from trainer.evaluation.applied_thresholds import (
    PREVALENCES,
    Applied,
    apply,
    apply_given,
    at_half,
    means,
)
from trainer.evaluation.calls_per_image import per_image
from trainer.evaluation.operating_points import MEASURES, RULES, predictive_values
from trainer.report import controls, rule_thresholds
from trainer.report.figures import charts
from trainer.report.parts import Fold, Heading, Notes, Part, Words, flagged, unavailable
from trainer.report.sections import operating_points_words as words_of
from trainer.report.source import EXTERNAL, Source

_COLUMNS = {
    "sensitivity": ("Sensitivity", ".3f"),
    "specificity": ("Specificity", ".3f"),
    "ppv": ("PPV", ".3f"),
    "npv": ("NPV", ".3f"),
    "f1": ("F1", ".3f"),
    "lr_positive": ("LR+", ".2f"),
    "lr_negative": ("LR\N{MINUS SIGN}", ".2f"),
    "alerts_per_1000": ("Alerts per 1,000", ".0f"),
}
# The rule whose PPV is drawn: its sensitivity and specificity weigh alike.
_DRAWN_RULE = "youden"


def build(source: Source) -> dict[str, Any]:
    """Returns the thresholds of every finding and rule, and what they do on the test split.

    Args:
        source: needs a validation and a test split, or the thresholds of an external test.
    """
    given = source.context.get(EXTERNAL, {}).get("thresholds")
    if EXTERNAL in source.context and not given:
        return unavailable(
            "The model brings no thresholds (a mean of models has none, nor has a model that was "
            "exported without a report), and one chosen on the images that it is judged by would "
            "flatter."
        )
    if not given and not {"validation", "test"} <= {*source.splits}:
        lacking = rule_thresholds.lacking(source)
        return unavailable(f"{lacking}: give predictions that hold both splits.")
    test, applied = source.rows("test"), _applied(source, given)
    scores, draws = rule_thresholds.scores(source), source.free_draws("test")
    thresholds = {
        rule: [one.entry["rules"][rule]["threshold"] for one in applied] for rule in RULES
    }
    section: dict[str, Any] = {
        "available": True,
        "chosen_on": rule_thresholds.OWN if given else rule_thresholds.VALIDATION,
        "applied_to": "test",
        "rules": dict(RULES),
        "measures": list(MEASURES),
        "prevalences": list(PREVALENCES),
        "findings": {name: one.entry for name, one in zip(test.findings, applied, strict=True)},
        "mean": means(applied),
        "per_image": {
            rule: per_image(test.labels, scores, found, draws) for rule, found in thresholds.items()
        },
        "at_half": at_half(test.labels, scores, test.findings),
    }
    notes = [words_of.CHOSEN, *words_of.FIXED, words_of.FLATTERS]
    if given:
        notes = [words_of.GIVEN, *words_of.FIXED]
    return section | {"notes": [*_found(section), *notes, *words_of.LIMITS]}


def _applied(source: Source, given: Mapping[str, Any] | None) -> list[Applied]:
    """What thresholds do that are given, or else chosen on validation."""
    test, draws = source.rows("test"), source.free_draws("test")
    judged = list(zip(test.labels.T, rule_thresholds.scores(source).T, strict=True))
    if given:
        named = zip(test.findings, judged, strict=True)
        return [apply_given(given.get(name, {}), pair, draws) for name, pair in named]
    validation = source.rows("validation")
    chosen = zip(validation.labels.T, validation.scores.T, strict=True)
    return [apply(*pairs, draws) for pairs in zip(chosen, judged, strict=True)]


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the tables of each rule, and the chart of PPV against prevalence."""
    shown: list[Part] = [Notes([words(note) for note in section["notes"]])]
    for at, (rule, title) in enumerate(section["rules"].items()):
        inner: list[Part] = [Words(words_of.together(section["per_image"][rule], estimate))]
        inner += [_measures(section, rule), Heading("At other prevalences")]
        inner.append(_prevalences(section, rule))
        shown.append(Fold(f"Threshold: {title}", inner, opened=not at))
    chart = controls.figure(
        charts.markup(ppv_chart(section)),
        f"PPV at the thresholds for {section['rules'][_DRAWN_RULE]}. Each line supposes that "
        "sensitivity and specificity are those of the test split.",
    )
    title = "How often a call is right, by prevalence"
    return [*shown, controls.explorer(report["findings"], chart, title=title)]


def ppv_chart(section: Mapping[str, Any]) -> charts.Chart:
    """Returns PPV against prevalence at the thresholds of Youden's index."""
    shares = np.linspace(0.002, max(section["prevalences"]), 60)
    lines = []
    for name, entry in section["findings"].items():
        measured = entry["rules"][_DRAWN_RULE]["test"]
        found, spared = measured["sensitivity"]["value"], measured["specificity"]["value"]
        if found is None or spared is None or (found, spared) == (0.0, 1.0):
            continue
        rates = np.array(found), np.array(spared)
        ppv = [float(predictive_values(*rates, share)[0]) for share in shares.tolist()]
        words = [("sensitivity", f"{found:.3f}"), ("specificity", f"{spared:.3f}")]
        lines.append(charts.Line(name, shares.tolist(), ppv, kind="test", words=words))
    label = (
        f"PPV of {len(lines)} findings for prevalences up to {max(section['prevalences']):.0%}, at "
        "the thresholds of Youden's index; the table gives the values"
    )
    x = charts.Axis("share of images with the finding", 0.0, max(section["prevalences"]))
    return charts.Chart(label, x, charts.Axis("PPV"), lines)


def _found(section: Mapping[str, Any]) -> list[str]:
    """Statements that depend on what was found."""
    notes = []
    findings = section["findings"]
    chosen = [entry["rules"]["max_f1"]["threshold"] for entry in findings.values()]
    chosen = [threshold for threshold in chosen if threshold is not None]
    half = section["at_half"]
    if chosen:
        below = sum(threshold < 0.5 for threshold in chosen)
        text = (
            f"The thresholds of the highest F1 lie between {min(chosen):.2g} and "
            f"{max(chosen):.2g}, {below} of {len(chosen)} below 0.5: 0.5 is no default."
        )
        if half["mean_sensitivity"] is not None:
            text += f" At 0.5 a mean share of {half['mean_sensitivity']:.1%} of positives is found"
            never = len(half["never_called"])
            are = "1 finding is" if never == 1 else f"{never} findings are"
            text += f", and {are} never called." if never else "."
        notes.append(text)
    mean = section["mean"]["sensitivity_90"]["test"]["sensitivity"]
    if mean["value"] is not None:
        missed = [name for name, entry in findings.items() if _below_target(entry)]
        text = (
            "The thresholds for a sensitivity of 0.90 reach a mean sensitivity of "
            f"{mean['value']:.3f} on test"
        )
        named = ", ".join(missed)
        notes.append(f"{text}; the interval lies below 0.90 for {named}." if missed else f"{text}.")
    for rule, title in section["rules"].items():
        for name, entry in findings.items():
            if entry["rules"][rule]["reason"]:
                reason = entry["rules"][rule]["reason"]
                notes.append(f"{name}, {title}: not defined, because {reason}.")
    return notes


def _below_target(entry: Mapping[str, Any]) -> bool:
    high = entry["rules"]["sensitivity_90"]["test"]["sensitivity"]["high"]
    return high is not None and high < 0.9


def _measures(section: Mapping[str, Any], rule: str) -> Table:
    own = section["chosen_on"] == rule_thresholds.OWN
    shown = () if own else ("Sensitivity", "Specificity")
    before = [Column(f"{each}, validation", css="validation") for each in shown]
    return Table(
        f"Thresholds for {section['rules'][rule]}, chosen on {section['chosen_on']}, and what they "
        "do on test, with 95% intervals.",
        [
            *("Finding", "Positives", "Threshold"),
            *before,
            *(_COLUMNS[key][0] for key in section["measures"]),
        ],
        [
            [
                flagged(name, "calls every image", entry["rules"][rule]["calls_every_image"]),
                numeric(entry["test"]["positives"], ","),
                numeric(entry["rules"][rule]["threshold"], "#.4g"),
                *_cells(entry["rules"][rule], section["measures"], own=own),
            ]
            for name, entry in section["findings"].items()
        ],
        [["Mean", "", "", *_cells(section["mean"][rule], section["measures"], own=own)]],
        sortable=True,
    )


def _cells(found: Mapping[str, Any], keys: Sequence[str], *, own: bool) -> list[Cell]:
    before = found["validation"] or {}
    return [
        *(numeric(before.get(key)) for key in ("sensitivity", "specificity") if not own),
        *(interval(found["test"][key], _COLUMNS[key][1]) for key in keys),
    ]


def _prevalences(section: Mapping[str, Any], rule: str) -> Table:
    columns: list[Column | str] = ["Finding"]
    for share in (number(share, ".1%") for share in section["prevalences"]):
        columns += [Column(name, group=share, of=f"at {share}") for name in ("PPV", "NPV")]
    rows: list[list[Cell | str]] = []
    for name, entry in section["findings"].items():
        found = entry["rules"][rule]["at_prevalence"]
        pairs = zip(found["ppv"]["value"], found["npv"]["value"], strict=True)
        rows.append([words(name), *(numeric(value) for pair in pairs for value in pair)])
    title = section["rules"][rule]
    return Table(
        "PPV and NPV if the finding were in this share of the images, at the thresholds for "
        f"{title}.",
        columns,
        rows,
    )
