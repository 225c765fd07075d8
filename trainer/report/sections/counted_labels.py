# SPDX-License-Identifier: MIT
"""How wrong mined labels are by those of radiologists, and whether random errors explain an AUC."""

import csv
import io
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from preprocessing.contract.tables import Cell, Table, interval, numeric
from preprocessing.contract.wording import number
from trainer.evaluation import label_noise
from trainer.evaluation.auc import auroc
from trainer.evaluation.intervals import Resamples
from trainer.evaluation.label_noise import Errors
from trainer.evaluation.radiologists import REFERENCES, combined_labels, combined_scores
from trainer.report import official_split
from trainer.report.parts import Notes, Part, Words
from trainer.report.sections import radiologists
from trainer.report.source import Source

_OFFICIAL = ("proven", "probable", "part")
_HERE = "Counted on the images here that radiologists labelled."
_ELSEWHERE = (
    "Counted in the 1,962 images of the official test list that radiologists labelled (Majkowska "
    "et al., Radiology 2020; 294:421-431), and taken as known. With those labels (--radiologists) "
    "the AUC against them is shown too."
)
_NOTES = (
    "Highest possible: the AUC against the mined labels of a model that is never wrong, if errors "
    "were random. An AUC above it proves that they are not: the model goes along with the labels "
    "where radiologists do not, as where both follow what reports say or what treatment shows.",
    "Found minus expected: below 0, such agreement flatters the AUC against mined labels; above 0, "
    "wrong labels hide more of what the model does than random ones would.",
)
_HEADS = {
    "wrong": "Positive labels that are wrong",
    "missed": "Negative labels that miss it",
    "highest": "Highest possible AUC",
    "seen": "AUC, mined labels",
    "expected": "AUC expected, radiologists",
    "found": "AUC found, radiologists",
    "found_minus_expected": "Found minus expected",
}
_FORMS = {"wrong": ".1%", "missed": ".1%", "found_minus_expected": "+.3f"}


def build(source: Source) -> dict[str, Any]:
    """Returns the errors of the labels of each of `REFERENCES`, and what if they were random.

    Args:
        source: with radiologists' labels, errors are counted on their images; without, those
            published are used where the test split is the official one.
    """
    rows, draws = source.rows(source.headline), source.draws(source.headline)
    found = radiologists.readings_of(source)
    here = not isinstance(found, str)
    identity = official_split.identity(source.predictions, source.context.get("manifest"))
    if isinstance(found, str) and identity["certainty"] not in _OFFICIAL:
        return {"reason": found, "counted_here": False, "references": []}
    entries = []
    for at, (reference, errors) in enumerate(zip(REFERENCES, _published(draws), strict=True)):
        if not set(reference.findings) <= set(rows.findings):
            continue
        columns = [rows.findings.index(name) for name in reference.findings]
        labels, truth = combined_labels(rows.labels[:, columns]), np.zeros(len(rows.ids))
        if not isinstance(found, str):
            truth = np.where(found[1] >= 0, found[0].labels[found[1], at], np.nan)
        known = ~(np.isnan(labels) | np.isnan(truth))
        own, labels, truth = draws.select(known), labels[known], truth[known]
        marks = combined_scores(rows.scores[known][:, columns], reference.rule)
        aucs = [np.append(auroc(each, marks), own.aucs(each, marks)) for each in (labels, truth)]
        errors = label_noise.errors_of(labels, truth, own) if here else errors
        figures = label_noise.expected(aucs[0], aucs[1], errors)
        entries.append({"name": reference.column, "images": int(known.sum()), **figures})
    return {"reason": None, "counted_here": here, "references": entries}


def _published(draws: Resamples) -> list[Errors]:
    """The errors of each of `REFERENCES` in the published counts, repeated for every resample."""
    text = resources.files(__package__).joinpath("radiologist_counts.csv").read_text("utf-8")
    rows = {row["column"]: row for row in csv.DictReader(io.StringIO(text))}
    result = []
    for reference in REFERENCES:
        both, mined, seen, neither = (
            int(rows[reference.column][key]) for key in radiologists.CELLS
        )
        shares = mined / (both + mined), seen / (seen + neither)
        result.append(Errors(*(np.full(1 + draws.number, share) for share in shares)))
    return result


def or_cannot_be(area: Mapping[str, Any], form: str = ".3f") -> Cell:
    """Returns the cell of a figure that some errors rule out."""
    return Cell("cannot be") if area["value"] is None else interval(area, form)


def parts(counted: Mapping[str, Any]) -> list[Part]:
    """Returns the errors, the AUC that they allow, the one expected and the one found."""
    if counted["reason"] is not None:
        return [Words(counted["reason"], "plain")]
    odd = []
    for entry in counted["references"]:
        value = {
            key: number(entry[key]["value"]) for key in ("seen", "highest", "expected", "found")
        }
        gap = entry["found_minus_expected"]
        if entry["expected"]["value"] is None and entry["seen"]["value"] is not None:
            odd.append("{0} ({seen}, where they allow {highest})".format(entry["name"], **value))
        elif gap["low"] is not None and not gap["low"] <= 0 <= gap["high"]:
            text = "{0} ({found} against radiologists, where they let expect {expected})"
            odd.append(text.format(entry["name"], **value))
    lines = [_HERE if counted["counted_here"] else _ELSEWHERE]
    if odd:
        lines.append(f"The AUC is not what random errors would give: {', '.join(odd)}.")
    shown = [key for key in _HEADS if counted["counted_here"] or not key.startswith("found")]
    table = Table(
        "Errors of the mined labels by those of radiologists, and the AUC that would follow if "
        "they were random, with 95% intervals.",
        ["What radiologists looked for", "Images", *(_HEADS[key] for key in shown)],
        [
            [
                entry["name"],
                numeric(entry["images"], ","),
                *(or_cannot_be(entry[key], _FORMS.get(key, ".3f")) for key in shown),
            ]
            for entry in counted["references"]
        ],
        sortable=True,
    )
    return [Words(" ".join(lines), "plain"), table, Notes(_NOTES)]
