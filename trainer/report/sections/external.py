# SPDX-License-Identifier: MIT
"""The section on an external test: what other patients change, and what recalibrating there gives.

In report.json `prevalence.findings.NAME` compares how common a finding is here and in the model's
own data; `recalibration` holds, for some shares of the patients, what a recalibration on one such
share does for the others.
"""

from collections.abc import Mapping
from typing import Any

from preprocessing.contract import patients as people
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import estimate, number, words
from trainer.evaluation import prevalence_shift, updating
from trainer.evaluation.operating_points import RULES
from trainer.report import rule_thresholds
from trainer.report.parts import Fold, Heading, Notes, Part, Words, unavailable
from trainer.report.source import ANOTHER, COUNTS, EXTERNAL, Source

# One in so many patients is recalibrated on.
SHARES = (10, 2)
_SPLITS = ("validation", "test")
_RULE = next(iter(RULES))
_CALIBRATION = ("observed_expected", "in_the_large", "slope")
_METHODS = {"none": "as it is", "intercept": "intercept", "logistic": "intercept and slope"}
# How to read the tables, below them.
_LARGE = (
    "Expected is the sum of the scores: as many images would have the finding if scores were "
    "probabilities here. Above 1, and in the large above 0, it is more common than the scores say. "
    "Slope: below 1 the scores are too extreme here."
)
_PREVALENCE = (
    "The ratio is to the model's own validation split, on which thresholds and calibration were "
    "chosen; its interval is of the patients here, and the share there is taken as it stands. PPV "
    "there is that of the sensitivity and specificity found here at the prevalence there."
)
_UPDATED = (
    "This is what a local recalibration on so many patients would give for others, not the model "
    "as it came, whose scores are as its own validation left them. Patients were dealt to shares, "
    "blind to labels. Each share gave a line, an intercept alone or with a slope, and each image "
    "was judged by the line of a share that its patient is not in; where that gave none, as "
    "without a positive, the score stayed. Intervals draw again the patients who are judged. A "
    "hospital gets one such line: how far they lie apart is in the last columns, and the figures "
    "of all shares together hide it."
)
_ABSENT = (
    "This is not the report of an external test: cxr14-predict --model=RUN FILMS --labels=LABELS "
    "--output=FILE makes one, of films of another data set."
)


def build(source: Source) -> dict[str, Any]:
    """Returns what is asked of an external test alone.

    Args:
        source: its context says whether it is one, and of what the model was made.
    """
    facts = source.context.get(EXTERNAL)
    if facts is None or facts.get(ANOTHER) == "no":
        return unavailable(_ABSENT)
    number = people.count(source.rows("test").patients)
    section = {
        "available": True,
        "another_data_set": facts.get(ANOTHER) == "yes",
        "prevalence": _prevalence(source, facts.get(COUNTS, {})),
        "recalibration": [_updated(source, one) for one in SHARES if number >= 2 * one],
    }
    statement = [facts["statement"]] if "statement" in facts else []
    return section | {"notes": statement + _notes(section)}


def _prevalence(source: Source, counts: Mapping[str, Any]) -> dict[str, Any]:
    rows, scores = source.rows("test"), rule_thresholds.scores(source)
    draws = source.free_draws("test")
    own: list[dict[str, float | None]] = []
    for name in rows.findings:
        pairs = {split: counts.get(split, {}).get(name, (0, 0)) for split in _SPLITS}
        own.append({split: one / known if known else None for split, (one, known) in pairs.items()})
    thresholds, _ = rule_thresholds.of(source, _RULE)
    there = [one["validation"] for one in own]
    shifts = prevalence_shift.shifts(rows.labels, scores, thresholds, there, draws)
    findings = [{"own": one, **shift} for one, shift in zip(own, shifts, strict=True)]
    return {"rule": _RULE, "findings": dict(zip(rows.findings, findings, strict=True))}


def _updated(source: Source, shares: int) -> dict[str, Any]:
    rows = source.rows("test")
    dealt = updating.deal(rows.patients, shares, source.seed)
    found = updating.effects(rows.labels, rows.scores, dealt, source.free_draws("test"))
    found["findings"] = dict(zip(rows.findings, found["findings"], strict=True))
    return {"shares": shares, "patients": people.count(rows.patients) // shares, **found}


def _notes(section: Mapping[str, Any]) -> list[str]:
    """Returns what was found: of the prevalence, then of recalibration."""
    ratios = {name: entry["ratio"] for name, entry in section["prevalence"]["findings"].items()}
    more, fewer, unknown = _beyond(ratios)
    notes = [
        "Against the validation split of the model's own data, by more than resampling explains, "
        f"more common here: {more}; rarer: {fewer}{unknown}."
        if any(area["value"] is not None for area in ratios.values())
        else "How common the findings are in the model's own data is not known to this report."
    ]
    for share in section["recalibration"]:
        if all(mean["log_loss_change"]["value"] is None for mean in share["mean"].values()):
            notes.append(
                f"On {1 / share['shares']:.0%} of the patients ({share['patients']:,}) no finding "
                "could be recalibrated: too few images have it, or are without it."
            )
            continue
        changes = (
            f"{estimate(mean['log_loss_change'], '+.4f')} by {_METHODS[method]}"
            for method, mean in share["mean"].items()
        )
        notes.append(
            f"Recalibrated on {1 / share['shares']:.0%} of the patients ({share['patients']:,}), "
            f"the mean log loss of others would change by {', '.join(changes)}: that is not the "
            "model as it came."
        )
    few = "There are too few patients to recalibrate on some, or for intervals to be trusted."
    return notes if section["recalibration"] else [*notes, few]


def parts(section: dict[str, Any], report: dict[str, Any]) -> list[Part]:
    """Returns calibration in the large first, then the prevalence, then recalibration."""
    calibration = report["calibration"]
    shown: list[Part] = [Notes(section["notes"]), Heading("Calibration in the large")]
    shown += in_the_large(calibration)
    shown += [Heading("How common each finding is, here and in the model's own data")]
    shown += [_prevalences(section["prevalence"]), Words(_PREVALENCE)]
    for at, share in enumerate(section["recalibration"]):
        shown += [] if at else [Heading("What a local recalibration would give")]
        title = f"Recalibrated on {1 / share['shares']:.0%} of the patients: {share['patients']:,}"
        shown.append(Fold(title, [_effects(share, calibration)], opened=not at))
    return [*shown, Words(_UPDATED)] if section["recalibration"] else shown


def in_the_large(calibration: Mapping[str, Any]) -> list[Part]:
    """Returns what is read first of the calibration of an external test, from its section."""
    entries = {name: entry["test"] for name, entry in calibration["findings"].items()}
    rows: list[list[Cell | str]] = []
    for name, one in entries.items():
        expected = one["n"] * one["mean_score"] if one["n"] else None
        cells = [numeric(one["positives"], ","), numeric(expected, ",.1f")]
        cells += [interval(one[key], ".2f") for key in _CALIBRATION]
        rows.append([words(name), *cells])
    table = Table(
        "Calibration in the large of each finding, with 95% intervals.",
        ["Finding", "Observed", "Expected", "Observed / expected", "In the large", "Slope"],
        rows,
        sortable=True,
    )
    first = Words(_large(entries), "plain")
    return [first, table, Words(_LARGE)]


def _large(entries: Mapping[str, Any]) -> str:
    """Says for which findings scores are too low or too high here, and for which most."""
    areas = {name: entry["observed_expected"] for name, entry in entries.items()}
    if not any(area["value"] for area in areas.values()):
        return "Calibration in the large is not defined for any finding."
    sure = {name: area for name, area in areas.items() if area["low"] is not None}
    known = {name: area["value"] for name, area in sure.items() if area["value"]}
    if not known:
        return "There are too few patients for intervals: the figures below may be luck."
    more, fewer, unknown = _beyond(areas)
    far = max(known, key=lambda name: max(known[name], 1 / known[name]))
    expected = number(entries[far]["mean_score"] * entries[far]["n"], ",.1f")
    return (
        f"By more than resampling explains, scores are too low here for {more}, and too high for "
        f"{fewer}{unknown}. Farthest off is {words(far)}: {entries[far]['positives']:,} observed, "
        f"{expected} expected, ratio {estimate(areas[far], '.2f')}."
    )


def _beyond(areas: Mapping[str, Any]) -> tuple[str, str, str]:
    """Names the findings whose interval lies above 1, those below, and those that have none."""
    above = [name for name, area in areas.items() if (area["low"] or 0) > 1]
    below = [name for name, area in areas.items() if area["low"] is not None and area["high"] < 1]
    without = [name for name, area in areas.items() if area["low"] is None]
    first, second, third = (", ".join(map(words, each)) for each in (above, below, without))
    return first or "none", second or "none", f"; without an interval: {third}" if third else ""


def _prevalences(section: Mapping[str, Any]) -> Table:
    rows: list[list[Cell | str]] = []
    for name, one in section["findings"].items():
        own = [numeric(one["own"][split], ".1%") for split in _SPLITS]
        ppv = [numeric(one["ppv"][key]) for key in ("here", "there")]
        here = interval(one["prevalence"], ".1%")
        rows.append([words(name), here, *own, interval(one["ratio"], ".2f", css="strong"), *ppv])
    of_own = [Column(split, group="Own data", of="of the model's own data") for split in _SPLITS]
    of_ppv = [Column(title, group="PPV", of="PPV") for title in ("here", "there")]
    return Table(
        "Prevalence here, with 95% intervals, and in the model's own data; PPV at the model's "
        f"thresholds for {RULES[section['rule']]}.",
        ["Finding", "Here", *of_own, "Ratio", *of_ppv],
        rows,
    )


def _effects(share: Mapping[str, Any], calibration: Mapping[str, Any]) -> Table:
    methods, fitted = _METHODS, updating.METHODS
    changes = dict(zip(updating.LOSSES, ("Change of log loss", "Change of Brier"), strict=True))
    figures = {"ece": ("ECE", ".4f"), "in_the_large": ("In the large", "+.2f")}
    figures |= {"slope": ("Slope", ".2f")}
    groups = dict.fromkeys(changes.values(), [*fitted])
    groups |= {group: [*methods] for group, _ in figures.values()}
    named = [(group, methods[one]) for group, shown in groups.items() for one in shown]
    columns = [Column(title, group=group, of=f"({group})") for group, title in named]
    columns += [Column(one, group="Lines", of="of the lines") for one in ("intercepts", "slopes")]
    rows: list[list[Cell | str]] = []
    for name, entry in share["findings"].items():
        as_is = calibration["findings"][name]["test"]
        cells = [interval(entry[one][key], "+.4f") for key in changes for one in fitted]
        for key, (_, form) in figures.items():
            before = as_is[key] if key == "ece" else as_is[key]["value"]
            cells += [numeric(value, form) for value in (before, *(entry[m][key] for m in fitted))]
        ranges = (entry["intercept"]["intercept"], entry["logistic"]["slope_factor"])
        rows.append([words(name), *cells, *map(_range, ranges)])
    mean = [interval(share["mean"][one][key], "+.4f") for key in changes for one in fitted]
    return Table(
        "What recalibration does for patients who took no part in it. Changes are against the "
        "scores as they are, with 95% intervals, below 0 better; lines are lowest and highest.",
        ["Finding", *columns],
        rows,
        [["Mean", *mean, *[""] * (len(columns) - len(mean))]],
    )


def _range(ends: list[float] | None) -> Cell:
    low, high = ends or (None, None)
    return numeric(low, ".2f", below="" if high is None else f"to {number(high, '.2f')}")
