# SPDX-License-Identifier: MIT
"""The section on groups of images: by sex, age, view, follow-up number and detector."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.evaluation import grouping
from trainer.evaluation.group_comparison import compare
from trainer.evaluation.operating_points import choose
from trainer.evaluation.subgroups import FEWEST
from trainer.predictions import metadata
from trainer.report.figures import plots
from trainer.report.markdown import auc_text, difference_text, escape, pipe_lines
from trainer.report.sections import subgroup_notes
from trainer.report.source import Source

TITLES = {
    "sex": "Sex",
    "age": "Age",
    "view": "View",
    "follow_up": "Follow-up number",
    "detector": "Detector, by the size of the original image",
}
RULE = "youden"
_MEASURES = {"auc": "AUC", "tpr": "True positive rate", "fpr": "False positive rate"}
_NO_METADATA = (
    "No metadata were handed in, so that nothing is known of sex, age, view or detector: give "
    "ChestX-ray14's label file with --metadata."
)
_FACTS = ("sex", "age", "view", "follow_up", "width", "height")


def build(source: Source) -> dict[str, Any]:
    """Returns the figures of each group, beside those of all images.

    Args:
        source: needs metadata of its images, by name or, for the sex alone, by patient; and a
            validation split for the rates at a threshold.
    """
    if source.metadata is None:
        return _absent(_NO_METADATA)
    rows = source.rows(source.headline)
    joined = metadata.join(source.metadata, rows.ids, rows.patients)
    facts, basis = _facts(source.metadata, joined, rows.patients)
    if facts is None:
        return _absent(
            f"Neither an image nor a patient of the {source.headline} split stands in the "
            "metadata: give the metadata of the same data set."
        )
    compared, thresholds = _compared(source, facts)
    if not compared["divisions"]:
        return _absent(
            f"The metadata tell no two groups of the {source.headline} images apart: give a "
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


def markdown(section: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Returns the section as Markdown; the single findings of the groups are in report.json."""
    parts = ["## Subgroups", "\n".join(f"- {escape(note)}" for note in section["notes"])]
    for division in section["divisions"]:
        header = ["group", "images", "patients", "mean AUC [95% interval]"]
        header += [f"minus {division['reference']}", "mean TPR", "mean FPR"]
        rows = [
            [
                _marked(group["name"], group["outside"]),
                f"{group['images']:,}",
                f"{group['patients']:,}",
                auc_text(group["mean"]["auc"], with_interval=True),
                _gap_text(group["mean_minus_reference"], "auc"),
                *(auc_text(group["mean"][name], with_interval=False) for name in ("tpr", "fpr")),
            ]
            for group in division["groups"]
        ]
        parts += [f"### {TITLES[division['name']]}", pipe_lines(header, rows)]
        parts.append(escape(subgroup_notes.averaged(division, section)))
    parts.append(escape("* The interval of the mean AUC leaves out that of all images."))
    rows = [
        [TITLES[kind], group, finding, auc_text(own, with_interval=True), f"{overall:.3f}"]
        for kind, group, finding, own, overall in _outside(section)
    ]
    if rows:
        parts.append("### AUC intervals that leave out the AUC of all images")
        parts.append(pipe_lines(["division", "group", "finding", "AUC", "all images"], rows))
    return "\n\n".join(parts)


def page(section: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rows of the tables and of the forest plots."""
    areas = [
        area
        for division in section["divisions"]
        for area in [division["overall"]["auc"], *(g["mean"]["auc"] for g in division["groups"])]
    ]
    limits = plots.nice_limits(areas)
    return {
        "ticks": plots.tick_row(limits),
        "measures": _MEASURES,
        "has_rates": section["thresholds"]["reason"] is None,
        "divisions": [
            {
                **division,
                "title": TITLES[division["name"]],
                "key": division["name"],
                "averaged_text": subgroup_notes.averaged(division, section),
                "too_few_text": subgroup_notes.too_few(division),
                "forest": [
                    plots.interval_row(
                        group["mean"]["auc"],
                        limits,
                        section["split"],
                        reference=division["overall"]["auc"]["value"],
                    )
                    for group in division["groups"]
                ],
                "details": _details(division, section["overall"]),
            }
            for division in section["divisions"]
        ],
    }


def _absent(reason: str) -> dict[str, Any]:
    return {"available": False, "reason": reason}


def _facts(
    known: metadata.Metadata, joined: Any, patients: metadata.Texts
) -> tuple[dict[str, Any] | None, str]:
    """What is known of each image, and whether it was found by the image or by the patient."""
    found = joined >= 0
    nothing: dict[str, Any] = {
        "sex": "",
        "age": -1,
        "view": "",
        "follow_up": -1,
        "width": 0,
        "height": 0,
    }
    if found.any():
        facts = {
            name: np.where(found, getattr(known, name)[joined], nothing[name]) for name in _FACTS
        }
        return facts, "image"
    sex = metadata.sex_of_patients(known, patients)
    if not (sex != "").any():
        return None, ""
    facts = {name: np.full(len(sex), nothing[name]) for name in _FACTS}
    return facts | {"sex": sex}, "patient"


def _compared(source: Source, facts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of all groups, and the thresholds that their rates are at."""
    rows = source.rows(source.headline)
    thresholds, reason = _thresholds(source)
    compared = compare(
        rows.labels,
        rows.scores,
        source.draws(source.headline),
        thresholds=thresholds,
        divisions=grouping.divisions(**facts),
        findings=rows.findings,
    )
    return compared, {
        "rule": RULE,
        "chosen_on": "validation" if reason is None else None,
        "reason": reason,
        "values": dict(zip(rows.findings, thresholds, strict=True)),
    }


def _thresholds(source: Source) -> tuple[list[float | None], str | None]:
    """One a finding, chosen on validation alone; or the reason why there are none."""
    findings = len(source.predictions.findings)
    if source.headline != "test" or "validation" not in source.splits:
        lacking = "test" if source.headline != "test" else "validation"
        return [None] * findings, (
            f"The predictions hold no {lacking} split, and a threshold must be chosen on other "
            "images than those it is judged by"
        )
    chosen_on = source.rows("validation")
    columns = zip(chosen_on.labels.T, chosen_on.scores.T, strict=True)
    return [choose(labels, scores, RULE) for labels, scores in columns], None


def _details(division: Mapping[str, Any], overall: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a finding and group that is large enough, findings together."""
    return [
        {
            "finding": finding,
            "group": group["name"],
            "overall": overall[finding],
            **group["findings"][finding],
        }
        for finding in overall
        for group in division["groups"]
        if not group["findings"][finding]["too_few"]
    ]


def _outside(section: Mapping[str, Any]) -> list[tuple[str, str, str, Any, float]]:
    return [
        (division["name"], row["group"], row["finding"], row["auc"], row["overall"]["auc"]["value"])
        for division in section["divisions"]
        for row in _details(division, section["overall"])
        if "auc" in row["outside"]
    ]


def _marked(name: str, outside: Sequence[str]) -> str:
    return f"{name} *" if "auc" in outside else name


def _gap_text(gap: Mapping[str, Any] | None, name: str) -> str:
    if gap is None:
        return "-"
    return difference_text(gap[name])
