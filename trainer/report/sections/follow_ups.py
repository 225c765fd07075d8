# SPDX-License-Identifier: MIT
"""The section on the order of films: first against later ones, new findings against repeated."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preprocessing.contract.tables import Table, interval, numeric
from preprocessing.contract.wording import estimate, number, words
from trainer.evaluation import follow_ups
from trainer.evaluation.intersections import FEWEST_PATIENTS
from trainer.evaluation.subgroups import MEASURES, Figures, measure
from trainer.predictions import metadata
from trainer.report import rule_thresholds
from trainer.report.parts import Heading, Notes, Part, Words, unavailable
from trainer.report.source import Source

RULE = "youden"
# Look -> its heading, what comes first in it, what comes later.
_LOOKS = {
    "films": ("First films and later films", "first film", "later films"),
    "appearances": ("New findings and repeated ones", "first appearance", "repeats"),
}
_PARTS = ("first", "later", "later_minus_first")
_MEASURES = {"auc": "AUC", "tpr": "sensitivity"}
_KINDS = {"films": follow_ups.films, "appearances": follow_ups.appearances}
_NOTES = (
    "First and later films are of the same patients, those with both. Later films are commonly of "
    "sicker patients, more often lying (AP), so that a difference need not come from the order.",
    "First appearance: the earliest film of a patient that is labelled with the finding; repeats: "
    "all later such films, of the patients with both, against the same images without it. A model "
    "that knows treated disease by its drains and tubes does better on repeats, and sensitivity "
    "at first appearance is then what a user would meet.",
    "Follow-up numbers are an order, not dates, and begin with the first film in this hospital: a "
    "finding on it may be old. Patients with many films count more among later films and repeats.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns the figures of both looks, differences resample by resample.

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
    looks = {}
    for look, divide in _KINDS.items():
        divided = divide(rows.labels[usable], order[usable], own.patient_of)
        first, later = (
            measure(each, scores, own, thresholds, usable[usable], fewest_patients=FEWEST_PATIENTS)
            for each in divided
        )
        looks[look] = _look(first, later, rows.findings)
    return {
        "available": True,
        "split": source.headline,
        "chosen_on": chosen_on or None,
        "images": int(usable.sum()),
        "images_left_out": int((~usable).sum()),
        "fewest_patients": FEWEST_PATIENTS,
        "looks": looks,
        "notes": list(_NOTES),
    }


def _look(first: Figures, later: Figures, findings: Sequence[str]) -> dict[str, Any]:
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
    """Returns, for each look, what was found and the figures of each finding."""
    few = section["fewest_patients"]
    nothing = f"No finding has {few} patients with it and {few} without it in both."
    shown: list[Part] = []
    for look, (heading, *kinds) in _LOOKS.items():
        entry = section["looks"][look]
        shown.append(Heading(heading))
        if not entry["findings"]:
            shown.append(Words(nothing, "plain"))
            continue
        measures = _MEASURES if section["chosen_on"] else {"auc": "AUC"}
        said = [
            f"mean {name} {number(entry['mean']['first'][key]['value'])} at {kinds[0]}, "
            f"{number(entry['mean']['later'][key]['value'])} at {kinds[1]}, difference "
            f"{estimate(entry['mean']['later_minus_first'][key], '+.3f')}"
            for key, name in measures.items()
        ]
        text = f"Over {len(entry['findings'])} findings: {'; '.join(said)}."
        shown += [Words(text, "plain"), _table(entry, kinds, measures, section["split"])]
    left = section["images_left_out"]
    counted = f"{left:,} images left out: their patient's first film or a number is not here."
    return [*shown, Notes([*([counted] if left else []), *section["notes"]])]


def _table(
    entry: Mapping[str, Any], kinds: Sequence[str], measures: Mapping[str, str], split: str
) -> Table:
    heads = [
        f"{name[0].upper()}{name[1:]}, {head}"
        for name in measures.values()
        for head in (*kinds, "difference")
    ]
    forms = dict(zip(_PARTS, (".3f", ".3f", "+.3f"), strict=True))
    return Table(
        f"Figures of each finding, {kinds[0]} and {kinds[1]}, {split} split, with 95% intervals.",
        ["Finding", *(f"Positives, {kind}" for kind in kinds), *heads],
        [
            [
                words(name),
                *(numeric(count, ",") for count in each["positives"]),
                *(interval(each[part][key], forms[part]) for key in measures for part in _PARTS),
            ]
            for name, each in entry["findings"].items()
        ],
        sortable=True,
    )
