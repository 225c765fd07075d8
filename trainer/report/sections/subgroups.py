# SPDX-License-Identifier: MIT
"""The section on groups of images: by sex, age, view, follow-up number and detector."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract.tables import Cell, Table, interval, numeric
from preprocessing.contract.wording import words
from trainer.evaluation import grouping
from trainer.evaluation import intersections as crossing
from trainer.evaluation.group_comparison import compare
from trainer.evaluation.subgroups import FEWEST
from trainer.predictions import metadata, metadata_columns
from trainer.report import rule_thresholds
from trainer.report.figures import plots
from trainer.report.parts import (
    Drawn,
    Fold,
    Group,
    Heading,
    Notes,
    Part,
    Words,
    forest,
    unavailable,
)
from trainer.report.sections import intersections, subgroup_notes
from trainer.report.source import Source

TITLES = {
    "sex": "Sex",
    "age": "Age",
    "view": "View",
    "follow_up": "Follow-up number",
    "detector": "Detector, by the size of the original image",
}
_UNLIKE = "not 0"
_CROSSED = ("sex", "age", "view")
RULE = "youden"
_NO_METADATA = (
    "No metadata were given, so nothing is known of sex, age, view or detector: give "
    "ChestX-ray14's label file with --metadata."
)
# What is known of an image, as it is written where it is not known.
_UNKNOWN: dict[str, Any] = {"sex": "", "view": "", **metadata_columns.UNKNOWN}


def build(source: Source) -> dict[str, Any]:
    """Returns the figures of each group, beside those of all images.

    Args:
        source: needs metadata of its images, by name or, for the sex alone, by patient; and a
            validation split, or the thresholds of an external test, for the rates at a threshold.
    """
    if source.metadata is None:
        return unavailable(_NO_METADATA)
    rows = source.rows(source.headline)
    joined = metadata.join(source.metadata, rows.ids, rows.patients)
    facts, basis = _facts(source.metadata, joined, rows.patients)
    if facts is None:
        return unavailable(
            f"Neither an image nor a patient of the {source.headline} split is in the "
            "metadata: give the metadata of the same data set."
        )
    compared, thresholds = _compared(source, facts)
    if not compared["divisions"]:
        return unavailable(
            f"The metadata do not divide the {source.headline} images into two groups: give a "
            "file that names sex, age or view."
        )
    section = {
        "available": True,
        "split": source.headline,
        "fewest": FEWEST,
        "joined": {
            "by": basis,
            "images": int(((joined >= 0) if basis == "image" else facts["sex"] != "").sum()),
            "of": len(rows.ids),
            "differing_labels": metadata.label_disagreements(
                source.metadata, joined, rows.findings, rows.labels
            ),
            "refused": dict(source.metadata.refused),
        },
    }
    section |= {"thresholds": thresholds, **compared}
    return section | {"notes": subgroup_notes.notes_on(section)}


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the means and their drawing of each division, and each finding folded away."""
    areas = [
        area
        for division in section["divisions"]
        for area in [division["overall"]["auc"], *(g["mean"]["auc"] for g in division["groups"])]
    ]
    limits = plots.nice_limits(areas)
    shown: list[Part] = [Notes(section["notes"])]
    for division in section["divisions"]:
        title = TITLES[division["name"]]
        averaged: Part = Words(subgroup_notes.averaged(division, section))
        if division["averaged"]:
            averaged = Group([_drawn(division, section["split"], limits), averaged])
        too_few = subgroup_notes.too_few(division)
        findings: list[Part] = [_findings(division, section)]
        findings += [Words(too_few)] if too_few else []
        shown += [Heading(title), _means(division, section), averaged]
        shown.append(Fold(f"Each finding by {title[0].lower()}{title[1:]}", findings))
    if section["intersections"]:
        shown += intersections.parts(section["intersections"], _measures(section))
    return shown


def _measures(section: Mapping[str, Any]) -> list[str]:
    known = section["thresholds"]["reason"] is None
    return [key for key in intersections.MEASURES if key == "auc" or known]


def _means(division: Mapping[str, Any], section: Mapping[str, Any]) -> Table:
    keys = _measures(section)
    rows: list[list[Cell | str]] = []
    for at, group in enumerate(division["groups"]):
        flag = f"unlike {division['reference']}" if "auc" in group["outside"] else ""
        counts = [numeric(group[key], ",") for key in ("images", "patients")]
        rows.append([Cell(group["name"], flag=flag, value=at), *counts])
        for key in keys:
            rows[-1] += [interval(group["mean"][key]), _gap(group["mean_minus_reference"], key)]
    overall = [cell for key in keys for cell in (interval(division["overall"][key]), "")]
    return Table(
        f"Means over the findings of each group, {section['split']} split, with 95% intervals; "
        f"differences are from {division['reference']}, the largest group.",
        [
            "Group",
            "Images",
            "Patients",
            *intersections.columns(keys, "Difference", strong="strong"),
        ],
        rows,
        [["All images", "", "", *overall]],
        sortable=True,
    )


def _drawn(division: Mapping[str, Any], split: str, limits: tuple[float, float]) -> Drawn:
    return forest(
        "Mean AUC of each group with its 95% interval. The heavy line is the mean of all images "
        "over the same findings.",
        ("Group", "Mean AUC with interval", "AUC"),
        [(group["name"], group["mean"]["auc"], split) for group in division["groups"]],
        limits,
        reference=division["overall"]["auc"]["value"],
    )


def _findings(division: Mapping[str, Any], section: Mapping[str, Any]) -> Table:
    """One row a finding and group that is large enough, findings together."""
    rows: list[list[Cell | str]] = []
    for finding in section["overall"]:
        for group in division["groups"]:
            entry = group["findings"][finding]
            if entry["too_few"]:
                continue
            rows.append([words(finding), group["name"], numeric(entry["positives"], ",")])
            for key in _measures(section):
                flag = _UNLIKE * (key in entry["outside"])
                rows[-1] += [interval(entry[key]), _gap(entry["minus_reference"], key, flag)]
    return Table(
        f"Figures of each finding in each group; differences are from {division['reference']}. A "
        "mark says that the interval of a difference leaves out 0.",
        ["Finding", "Group", "Positives", *intersections.columns(_measures(section), "Difference")],
        rows,
        sortable=True,
    )


def _gap(gaps: Mapping[str, Any] | None, key: str, flag: str = "") -> Cell:
    return Cell("largest", value=0) if gaps is None else interval(gaps[key], "+.3f", flag=flag)


def _facts(
    known: metadata.Metadata, joined: Any, patients: metadata.Texts
) -> tuple[dict[str, Any] | None, str]:
    """What is known of each image, and whether it was found by the image or by the patient."""
    found = joined >= 0
    if found.any():
        facts = {
            name: np.where(found, getattr(known, name)[joined], missing)
            for name, missing in _UNKNOWN.items()
        }
        return facts, "image"
    sex = metadata.sex_of_patients(known, patients)
    if not (sex != "").any():
        return None, ""
    facts = {name: np.full(len(sex), missing) for name, missing in _UNKNOWN.items()}
    return facts | {"sex": sex}, "patient"


def _compared(source: Source, facts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of all groups, and the thresholds that their rates are at."""
    rows = source.rows(source.headline)
    thresholds, chosen_on = rule_thresholds.of(source, RULE)
    data = (rows.labels, rule_thresholds.scores(source), source.draws(source.headline))
    given: dict[str, Any] = {"free": source.free_draws(source.headline), "thresholds": thresholds}
    divisions = grouping.divisions(**facts)
    compared = compare(*data, **given, divisions=divisions, findings=rows.findings)
    crossed = [each for each in divisions if each.name in _CROSSED and len(each.known) > 1]
    compared["intersections"] = None
    if len(crossed) > 1:
        division = grouping.crossed(crossed)
        compared["intersections"] = crossing.compare(*data, **given, division=division)
    return compared, {
        "rule": RULE,
        "chosen_on": chosen_on or None,
        "reason": None if chosen_on else rule_thresholds.lacking(source),
        "values": dict(zip(rows.findings, thresholds, strict=True)),
    }
