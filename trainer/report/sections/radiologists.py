# SPDX-License-Identifier: MIT
"""The section on radiologists' labels: the model and the mined labels checked against them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from preprocessing.contract.tables import Column, Table, interval, numeric
from trainer.evaluation import radiologists
from trainer.evaluation.radiologists import REFERENCES, Readings
from trainer.predictions.names import proven_rows
from trainer.predictions.table import Predictions
from trainer.report.figures.plots import nice_limits
from trainer.report.parts import Drawn, Group, Heading, Notes, Part, forest, unavailable
from trainer.report.sections import radiologists_words
from trainer.report.source import Source

_RATIOS = {"ppv": "PPV", "sensitivity": "Sensitivity", "specificity": "Specificity", "npv": "NPV"}


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
    return section | {"notes": radiologists_words.notes_on(section)}


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
            *radiologists_words.IF_RANDOM.values(),
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
                *(
                    interval(entry["if_random"][key])
                    for key in list(radiologists_words.IF_RANDOM)[:2]
                ),
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
        return entry | {
            "reason": f"the predictions have no score of {radiologists_words.names(lacking)}"
        }
    found = np.flatnonzero(joined >= 0)
    columns = [rows.findings.index(name) for name in reference.findings]
    figures = radiologists.judge(
        readings.labels[joined[found], at],
        rows.labels[found][:, columns],
        rows.scores[found][:, columns],
        source.draws(source.headline).select(found),
        rule=reference.rule,
    )
    mined = radiologists.combined_labels(rows.labels[:, columns])
    seen = ~np.isnan(readings.labels[joined, at]) & (joined >= 0)
    return (
        entry
        | {"common": radiologists.common(mined, seen, source.free_draws(source.headline))}
        | figures
    )
