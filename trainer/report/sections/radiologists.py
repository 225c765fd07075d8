# SPDX-License-Identifier: MIT
"""The section on radiologists' labels: the model and the mined labels checked against them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from preprocessing.contract.tables import Column, Table, interval, numeric
from preprocessing.contract.wording import estimate, number, words
from trainer.evaluation import radiologists
from trainer.evaluation.radiologists import REFERENCES, Readings, Reference
from trainer.predictions.names import proven_rows
from trainer.predictions.table import Predictions
from trainer.report.figures.plots import nice_limits
from trainer.report.parts import Drawn, Group, Heading, Notes, Part, forest, unavailable
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
_RATIOS = {"ppv": "PPV", "sensitivity": "Sensitivity", "specificity": "Specificity", "npv": "NPV"}
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
    "Airspace opacity, and nodule or mass, have no score of their own. They are given "
    "one by a choice that the AUC depends on, so what the other choice gives is named above.",
    "PPV is the share of images with the mined label in which radiologists saw it, sensitivity the "
    "share of those in which they saw it that have the mined label.",
    "Highest possible: the AUC against the mined labels of a model that is never wrong, if these "
    "errors of the mined labels were random; expected: the AUC against radiologists that would "
    "follow from that against the mined labels (Menon et al., ICML 2015, PMLR 37:125-134), without "
    "a figure where no model could have the latter. Found minus expected: below 0, the model errs "
    "along with the mined labels, which flatters its AUC against them; above 0, they hide more of "
    "what it does than random errors would.",
)


def build(source: Source) -> dict[str, Any]:
    """Returns AUCs against radiologists' labels and against the mined ones.

    Args:
        source: `radiologists` must name a file that holds images of the headline split.
    """
    found = readings_of(source)
    if isinstance(found, str):
        return unavailable(found)
    (readings, joined), rows = found, source.rows(source.headline)
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


def readings_of(source: Source) -> tuple[Readings, npt.NDArray[np.intp]] | str:
    """Returns radiologists' labels and the row of each headline image, -1 for none; or why not."""
    if not source.radiologists:
        return (
            "No radiologists' labels were handed in: name "
            "google2019_nih-chest-xray-labels.csv with --radiologists."
        )
    readings = radiologists.read(source.radiologists)
    rows = source.rows(source.headline)
    joined = proven_rows(
        (readings.ids, readings.patients), (rows.ids, rows.patients), "radiologists' labels"
    )
    if not (joined >= 0).any():
        return (
            f"None of the {len(readings.ids):,} images that radiologists labelled is among the "
            f"{len(rows.ids):,} {source.headline} images by its name: give predictions whose "
            "ids are the names of the images."
        )
    return readings, joined


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the AUCs against both kinds of labels, drawn too, and how far the labels agree."""
    shown: list[Part] = [Notes(section["notes"])]
    if usable := [entry for entry in section["references"] if entry["reason"] is None]:
        shown += [Heading("The model against both"), _areas(usable)]
        shown.append(Group([_forest(usable, section["split"])]))
        shown += [Heading("Mined labels against radiologists"), _agreement(usable)]
    return shown


_IF_RANDOM = {
    "highest": "Highest possible, mined",
    "expected": "Expected, radiologists",
    "found_minus_expected": "Found minus expected",
}
_AREAS = {"auc_radiologists": "radiologists", "auc_mined": "mined"}
CELLS = {
    "both": "Both",
    "only_mined": "Mined only",
    "only_radiologists": "Radiologists only",
    "neither": "Neither",
}
_LOOKED_FOR = "What radiologists looked for"


def _areas(entries: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        "AUC of the model against radiologists and against the mined labels of the same images, "
        "with 95% intervals.",
        [
            *(_LOOKED_FOR, "Images", "Positives, radiologists", "Positives, mined"),
            *(Column("AUC, radiologists", css="strong"), "AUC, mined", "Difference"),
            *_IF_RANDOM.values(),
        ],
        [
            [
                entry["name"],
                *(
                    numeric(entry[key], ",")
                    for key in ("images", "positives_radiologists", "positives_mined")
                ),
                *(interval(entry[key]) for key in _AREAS),
                interval(entry["difference"], "+.3f"),
                *(interval(entry["if_random"][key]) for key in list(_IF_RANDOM)[:2]),
                interval(entry["if_random"]["found_minus_expected"], "+.3f"),
            ]
            for entry in entries
        ],
        sortable=True,
    )


def _forest(entries: Sequence[Mapping[str, Any]], split: str) -> Drawn:
    kinds = {"auc_radiologists": split, "auc_mined": "mean"}
    return forest(
        "The same AUCs with their 95% intervals.",
        ("Against", "AUC with interval", "AUC"),
        [
            (f"{entry['name']}, {title}", entry[key], kinds[key])
            for entry in entries
            for key, title in _AREAS.items()
        ],
        nice_limits([entry[key] for entry in entries for key in _AREAS]),
    )


def _agreement(entries: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        "How many images are positive by both, by one or by neither, and what follows if the "
        "radiologists are right, with 95% intervals.",
        [_LOOKED_FOR, *CELLS.values(), *_RATIOS.values()],
        [
            [
                entry["name"],
                *(numeric(entry["agreement"][key], ",") for key in CELLS),
                *(interval(entry["agreement"][key]) for key in _RATIOS),
            ]
            for entry in entries
        ],
        sortable=True,
    )


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
        if entry["reason"] is None and (text := _if_random(entry)):
            notes.append(text)
    named = ", ".join(section["unused"])
    return [*notes, f"Not used, since no finding matches it: {named}."]


def _if_random(entry: Mapping[str, Any]) -> str:
    """Says where the AUC against mined labels is not what random errors of theirs would make."""
    highest, expected, gap = (entry["if_random"][key] for key in _IF_RANDOM)
    seen, found = (entry[key]["value"] for key in ("auc_mined", "auc_radiologists"))
    if None not in (seen, highest["value"]) and highest["value"] < seen:
        why = f"no model could have more than {number(highest['value'])} against them, and this "
        why += f"one has {number(seen)}"
    elif gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]:
        why = f"the AUC against radiologists would be {estimate(expected)}, not {number(found)}"
    else:
        return ""
    return f"{entry['name']}: if the mined labels were wrong at random, {why}."


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
    *others, last = [words(name) for name in names]
    return f"{', '.join(others)} and {last}" if others else last
