# SPDX-License-Identifier: MIT
"""The section on radiologists' labels: the model and the mined labels held against them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract import patients as people
from trainer.evaluation import radiologists
from trainer.evaluation.radiologists import REFERENCES, Readings, Reference
from trainer.predictions.names import proven_rows
from trainer.predictions.table import Predictions
from trainer.report.figures import plots
from trainer.report.markdown import auc_text, difference_text, escape, pipe_lines
from trainer.report.source import Source

_RULES = {
    "score": "the score of {names}",
    "maximum": "the larger score of {names}, since one lesion is either of them",
    "noisy_or": (
        "1 minus the product of (1 minus score) over {names}: these names overlap, and each is "
        "evidence"
    ),
}
_OTHER = {"maximum": "the largest score instead", "noisy_or": "the product rule instead"}
_RATIOS = {"ppv": "PPV", "sensitivity": "Sensitivity", "specificity": "Specificity"}
_FIXED = (
    "Mined labels come from the text of reports; radiologists' labels from several radiologists "
    "who looked at the image and agreed (Majkowska et al., Radiology 2020; 294:421-431). Both AUCs "
    "of a row are of the same scores on the same images: their difference is due to the labels "
    "alone.",
    "An AUC that is higher against radiologists says that errors of the mined labels hid part of "
    "what the model does. One that is lower says that the model has learned what reports say "
    "rather than what the image shows.",
    "These images were not drawn at random: findings are more common among them than in the whole "
    "split. PPV, which depends on that, is not the PPV of the mined labels at large.",
    "Airspace opacity, and nodule or mass, have no score of their own. What stands for them is a "
    "choice that the AUC depends on, so that what the other choice gives is named above.",
    "PPV is the share of images with the mined label in which radiologists saw it, sensitivity the "
    "share of those in which they saw it that have the mined label.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns AUCs against radiologists' labels and against the mined ones.

    Args:
        source: `radiologists` must name a file that holds images of the headline split.
    """
    if not source.radiologists:
        return _absent(
            "No radiologists' labels were handed in: name "
            "google2019_nih-chest-xray-labels.csv with --radiologists."
        )
    readings = radiologists.read(source.radiologists)
    rows = source.rows(source.headline)
    joined = proven_rows(
        (readings.ids, readings.patients), (rows.ids, rows.patients), "radiologists' labels"
    )
    if not (joined >= 0).any():
        return _absent(
            f"None of the {len(readings.ids):,} images that radiologists labelled is among the "
            f"{len(rows.ids):,} {source.headline} images by its name: give predictions whose "
            "ids are the names of the images."
        )
    entries = [_entry(source, rows, readings, joined, at) for at in range(len(REFERENCES))]
    section = {
        "available": True,
        "split": source.headline,
        "images": int((joined >= 0).sum()),
        "patients": people.count(rows.patients[joined >= 0]),
        "in_file": len(readings.ids),
        "unused": list(radiologists.UNUSED),
        "references": entries,
    }
    return section | {"notes": [*_counted(section), *_FIXED]}


def markdown(section: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Returns the section as Markdown."""
    parts = ["## Radiologists' labels", "\n".join(f"- {escape(note)}" for note in section["notes"])]
    usable = [entry for entry in section["references"] if entry["reason"] is None]
    header = ["what radiologists looked for", "images", "positives (radiologists)"]
    header += ["positives (mined)", "AUC against radiologists", "AUC against mined labels"]
    rows = [
        [
            entry["name"],
            f"{entry['images']:,}",
            f"{entry['positives_radiologists']:,}",
            f"{entry['positives_mined']:,}",
            *(auc_text(entry[key], with_interval=True) for key in _AREAS),
            difference_text(entry["difference"]),
        ]
        for entry in usable
    ]
    parts.append(pipe_lines([*header, "difference"], rows))
    parts.append("### Mined labels against radiologists")
    rows = [
        [
            entry["name"],
            *(f"{entry['agreement'][key]:,}" for key in _CELLS),
            *(auc_text(entry["agreement"][key], with_interval=True) for key in _RATIOS),
        ]
        for entry in usable
    ]
    parts.append(pipe_lines(["", *_CELLS.values(), *_RATIOS.values()], rows))
    return "\n\n".join(parts)


_AREAS = {"auc_radiologists": "AUC against radiologists", "auc_mined": "AUC against mined labels"}
_CELLS = {
    "both": "Both",
    "only_mined": "Mined only",
    "only_radiologists": "Radiologists only",
    "neither": "Neither",
}


def page(section: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rows of the tables and of the forest plot."""
    usable = [entry for entry in section["references"] if entry["reason"] is None]
    limits = plots.nice_limits([entry[key] for entry in usable for key in _AREAS])
    kinds = {"auc_radiologists": section["split"], "auc_mined": "mean"}
    return {
        "entries": usable,
        "cells": _CELLS,
        "ratios": _RATIOS,
        "ticks": plots.tick_row(limits),
        "forest": [
            (entry["name"], title, entry[key], plots.interval_row(entry[key], limits, kinds[key]))
            for entry in usable
            for key, title in _AREAS.items()
        ],
    }


def _absent(reason: str) -> dict[str, Any]:
    return {"available": False, "reason": reason}


def _entry(
    source: Source, rows: Predictions, readings: Readings, joined: Any, at: int
) -> dict[str, Any]:
    """The figures of one reference, or the reason why it has none."""
    reference = REFERENCES[at]
    entry = {
        "name": reference.column,
        "findings": list(reference.findings),
        "rule": reference.rule,
        "reason": None,
    }
    lacking = [name for name in reference.findings if name not in rows.findings]
    if lacking:
        return entry | {"reason": f"the predictions have no score of {_names(lacking)}"}
    found = np.flatnonzero(joined >= 0)
    columns = [rows.findings.index(name) for name in reference.findings]
    figures = radiologists.judge(
        readings.labels[joined[found], at],
        rows.labels[found][:, columns],
        rows.scores[found][:, columns],
        source.draws(source.headline).select(found),
        rule=reference.rule,
    )
    return entry | figures


def _counted(section: Mapping[str, Any]) -> list[str]:
    """What was compared, and what could not be."""
    text = (
        f"{section['images']:,} images of {section['patients']:,} patients of the "
        f"{section['split']} split have radiologists' labels."
    )
    if section["in_file"] > section["images"]:
        text += (
            f" The other {section['in_file'] - section['images']:,} images of the file are not in "
            "this split and were not used."
        )
    notes = [text]
    for entry, reference in zip(section["references"], REFERENCES, strict=True):
        if entry["reason"] is not None:
            notes.append(f"{entry['name']}: not compared, because {entry['reason']}.")
        elif reference.rule != "score":
            notes.append(_stand_in(entry, reference))
    named = ", ".join(section["unused"])
    return [*notes, f"Not used, since no finding stands for it: {named}."]


def _stand_in(entry: Mapping[str, Any], reference: Reference) -> str:
    text = f"{entry['name']}: {_RULES[reference.rule].format(names=_names(reference.findings))}."
    other = entry["other_rule"]
    if other is None:
        return text
    return (
        f"{text} Against radiologists, {_OTHER[other['rule']]} gives "
        f"{other['auc_radiologists']:.3f}."
    )


def _names(names: Any) -> str:
    words = [name.replace("_", " ") for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
