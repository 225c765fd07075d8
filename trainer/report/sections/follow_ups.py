# SPDX-License-Identifier: MIT
"""The section on the order of films: findings when they are new, and when they are repeated."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preprocessing.contract.tables import Table, interval, numeric
from preprocessing.contract.wording import estimate, number, words
from trainer.evaluation import follow_ups
from trainer.evaluation.subgroups import FEWEST, MEASURES, Figures, measure
from trainer.predictions import metadata
from trainer.report import rule_thresholds
from trainer.report.parts import Notes, Part, Words, unavailable
from trainer.report.source import Source

RULE = "youden"
_PARTS = {"first": "first appearance", "later": "repeats", "later_minus_first": "difference"}
_MEASURES = {"auc": "AUC", "tpr": "sensitivity"}
_NOTES = (
    "First appearance: the earliest film of a patient that is labelled with the finding; repeats: "
    "all later such films. Only patients with both count, and both are set against the same images "
    "without the finding.",
    "A model does better on repeats if it knows treated disease by its drains and tubes, by the "
    "bedside view, or because patients are sicker: this table cannot tell which. A finding that "
    "nobody knows of yet is nearer to the figures at first appearance, but these leave out "
    "patients in whom it was seen only once.",
    "In the subgroup of follow-up number 0 the films without a finding are first films as well, "
    "mostly of patients who are less ill. Here they are films of any number: the AUC can be "
    "highest in that subgroup and still lower at first appearance than at repeats.",
    "Follow-up numbers are an order, not dates, and begin with the first film in this hospital: a "
    "finding on it may be old. Patients with many films count more among repeats.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns the figures of new and of repeated findings, differences resample by resample.

    Args:
        source: needs metadata with the follow-up number of each image of a patient.
    """
    if source.metadata is None or not (source.metadata.follow_up >= 0).any():
        return unavailable(
            "The order of films is not known: give follow-up numbers, such as those of "
            "ChestX-ray14's label file, with --metadata."
        )
    rows, draws = source.rows(source.headline), source.draws(source.headline)
    joined = metadata.join(source.metadata, rows.ids, rows.patients)
    order = np.where(joined >= 0, source.metadata.follow_up[joined], -1)
    usable = follow_ups.complete(order, draws.patient_of)
    own, scores = draws.select(usable), rule_thresholds.scores(source)[usable]
    thresholds, chosen_on = rule_thresholds.of(source, RULE)
    without = [] if chosen_on else [f"Without sensitivity. {rule_thresholds.lacking(source)}."]
    first, later = (
        measure(
            *(each, scores, own, thresholds, usable[usable]),
            free=source.free_draws(source.headline).select(usable),
            first_order=True,
        )
        for each in follow_ups.appearances(rows.labels[usable], order[usable], own.patient_of)
    )
    return {
        "available": True,
        "split": source.headline,
        "chosen_on": chosen_on or None,
        "images": int(usable.sum()),
        "images_left_out": int((~usable).sum()),
        "fewest_patients": FEWEST,
        **_figures(first, later, rows.findings),
        "notes": [*_NOTES, *without],
    }


def _figures(first: Figures, later: Figures, findings: Sequence[str]) -> dict[str, Any]:
    gap = later.minus(first)
    at = {key: np.flatnonzero(~np.isnan(gap.points[key])).tolist() for key in MEASURES}
    named = dict(zip(_PARTS, (first, later, gap), strict=True))
    return {
        "mean": {key: each.means(at) for key, each in named.items()},
        "findings": {
            findings[place]: {
                "positives": [int(each.positives[place]) for each in (first, later)],
                **{key: each.entry(place) for key, each in named.items()},
            }
            for place in at["auc"]
        },
    }


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns what was found and the figures of each finding."""
    left, few = section["images_left_out"], section["fewest_patients"]
    counted = [f"{left:,} images left out: their patient's first film or a number is not here."]
    notes = Notes([*(counted if left else ()), *section["notes"]])
    if not section["findings"]:
        text = f"No finding has {few} patients in whom it is repeated and {few} without it."
        return [Words(text, "plain"), notes]
    measures = _MEASURES if section["chosen_on"] else {"auc": "AUC"}
    first, later, gap = section["mean"].values()
    said = (
        f"mean {name} "
        f"{number(first[key]['value'])} at first appearance, {number(later[key]['value'])} at "
        f"repeats, difference {estimate(gap[key], '+.3f')}"
        for key, name in measures.items()
    )
    text = f"Over {len(section['findings'])} findings: {'; '.join(said)}."
    areas = {name: each["first"]["auc"] for name, each in section["findings"].items()}
    if guessed := [words(name) for name, area in areas.items() if (area["low"] or 0) <= 0.5]:
        text += f" Not above guessing at first appearance: {', '.join(guessed)}."
    return [Words(text, "plain"), _table(section, measures), notes]


def _table(section: Mapping[str, Any], measures: Mapping[str, str]) -> Table:
    forms = dict(zip(_PARTS, (".3f", ".3f", "+.3f"), strict=True))
    shown = [(key, part) for key in measures for part in _PARTS]
    return Table(
        f"Figures of each finding when new and when repeated, {section['split']} split, with 95% "
        "intervals.",
        [
            *("Finding", "Positives, first appearance", "Positives, repeats"),
            *(
                f"{measures[key][0].upper()}{measures[key][1:]}, {_PARTS[part]}"
                for key, part in shown
            ),
        ],
        [
            [
                words(name),
                *(numeric(count, ",") for count in each["positives"]),
                *(interval(each[part][key], forms[part]) for key, part in shown),
            ]
            for name, each in section["findings"].items()
        ],
        sortable=True,
    )
