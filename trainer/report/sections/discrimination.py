# SPDX-License-Identifier: MIT
"""The section on how sure the areas are: four kinds of intervals, average precision, one image.

The figures are those of `report["splits"]`; this section says what they mean.
"""

from collections.abc import Mapping
from statistics import median
from typing import Any

from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import ends
from trainer.evaluation.intervals import LEVEL
from trainer.evaluation.one_per_patient import CHOICES
from trainer.report.parts import Heading, Notes, Part, Words, finding_cell
from trainer.report.source import Source, headline
from trainer.report.statements import FEW_POSITIVES

_KINDS = {
    "auc": "patients resampled",
    "auc_clustered": "clustered",
    "auc_image_level": "images resampled",
    "auc_delong": "DeLong",
}


def build(source: Source) -> dict[str, Any]:
    """Returns what the kinds of figures mean; the figures are in the splits of the report.

    Args:
        source: of the report.
    """
    return {
        "available": True,
        "level": LEVEL,
        "resamples": source.resamples,
        "one_per_patient_choices": CHOICES,
        "kinds": dict(_KINDS),
        "notes": _notes(source.resamples),
    }


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the section's words and its two tables."""
    split = headline(report["splits"])
    entry, notes = report["splits"][split], section["notes"]
    return [
        *(Words(line, "plain") for line in observed(entry, split)),
        Heading("Four intervals of the same AUC"),
        _intervals(entry, split, report["few_positives_below"]),
        Notes(notes[:4], "columns"),
        Heading("Average precision, and one image of each patient"),
        _precision(entry, split, report["few_positives_below"]),
        Notes(notes[4:], "columns"),
    ]


def observed(entry: Mapping[str, Any], split: str) -> list[str]:
    """Says in words what the figures of a split show.

    Args:
        entry: of the split, as `trainer.report.splits.numbers_of` returned it.
        split: its name.
    """
    images = entry["n"] / entry["patients"]
    lines = []
    ratios, closed = (
        [
            ratio
            for finding in entry["findings"].values()
            if (ratio := finding["width_ratios"][kind]) is not None
        ]
        for kind in ("image_level", "clustered")
    )
    if ratios:
        lines.append(
            f"On the {split} split a patient has {images:.1f} images on average. The intervals "
            f"from resampled patients are {min(ratios):.2f} to {max(ratios):.2f} times as wide as "
            f"those from resampled images, {median(ratios):.2f} times in the median finding."
        )
    if closed:
        lines.append(
            "The clustered intervals, which need no resampling, take patients as independent too: "
            f"those from resampled patients are {min(closed):.2f} to {max(closed):.2f} times as "
            "wide."
        )
    single, every = entry["mean_auc_one_per_patient"]["value"], entry["mean_auc"]["value"]
    if entry["n"] > entry["patients"] and single is not None and every is not None:
        lines.append(
            f"With one image of each patient the mean AUC is {single:.3f}, "
            f"{abs(single - every):.3f} {'above' if single >= every else 'below'} that of all "
            "images."
        )
    return lines


def _notes(resamples: int) -> list[str]:
    """What the figures mean, and what they do not."""
    return [
        "The interval to quote is the one from resampled patients, or the clustered one where a "
        "closed form is asked for; both take patients as independent. The other two take every "
        "image as if it came from a patient of its own. Images of one patient resemble each "
        "other and so say less than as many images of different patients: intervals that "
        "ignore this are too short wherever patients have several images. They are here "
        "because most publications print them.",
        f"Patients and images are drawn {resamples:,} times with replacement within "
        "strata (the rarest finding that a patient or an image shows), which keeps rare "
        "findings in every resample; for average precision, calibration, net benefit and what a "
        "threshold does, without strata. The interval spans the middle 95% of the resampled "
        "values, and is stretched to the value itself where that lies outside. With a perfect "
        "score, or very few positives, resampling sees too little of what could have been.",
        "Clustered: the variance in closed form for patients with several images (Obuchowski, "
        "Biometrics 1997). DeLong: the same, were every image of a patient of its own (DeLong, "
        "DeLong and Clarke-Pearson, Biometrics 1988). Both intervals are made on the logit scale, "
        "which keeps them between 0 and 1.",
        "Micro AUC pools all pairs of an image and a finding into one ranking. It rewards "
        "scores that know which findings are common, so it commonly lies above the mean AUC of "
        "the same scores and must not be compared with one.",
        "Average precision (the area under the precision-recall curve): the precision averaged "
        "over the images with the finding, each at the threshold that just calls it. A score "
        "without information reaches the prevalence, so it has to be read against that, and "
        "cannot be compared between findings or data sets of different prevalence. A resample "
        "repeats its positives, so that with few of them its interval leans upward.",
        "One image of each patient: an AUC over all images is mostly about patients with many "
        "images, who were ill for long. Here every patient counts once, by an image drawn "
        f"without regard to label or score; the figure is the mean over {CHOICES} such "
        "choices. It describes other images than the AUC of all images, not a better model.",
        f"A finding that fewer than {FEW_POSITIVES} patients have is flagged, however many images "
        "they have of it: its figures hang on a handful of people. The intervals do not cover "
        "wrong labels, another training run or another hospital.",
    ]


def _intervals(entry: Mapping[str, Any], split: str, few: int) -> Table:
    kinds = [Column(f"{title[0].upper()}{title[1:]}") for title in _KINDS.values()]

    def row(areas: Mapping[str, Any]) -> list[Cell]:
        return [
            numeric(areas["auc"]["value"]),
            *(Cell(ends(areas[key]), value=areas[key]["low"]) for key in _KINDS),
            *(numeric(areas["width_ratios"][key], ".2f") for key in ("image_level", "delong")),
        ]

    return Table(
        f"95% intervals on the {split} split. The last two columns: how many times as wide the "
        "interval from resampled patients is as that of resampled images and that of DeLong.",
        ["Finding", Column("AUC", css="strong"), *kinds, "Times images", "Times DeLong"],
        [
            [finding_cell(name, finding, few), *row(finding)]
            for name, finding in entry["findings"].items()
        ],
        [[prefix.capitalize(), *row(_pooled(entry, prefix))] for prefix in ("mean", "micro")],
        sortable=True,
    )


def _precision(entry: Mapping[str, Any], split: str, few: int) -> Table:
    micro = _pooled(entry, "micro")

    def row(areas: Mapping[str, Any]) -> list[Cell | str]:
        return [
            numeric(areas["positives"], ",") if "positives" in areas else "",
            numeric(areas["positive_patients"], ",") if "positive_patients" in areas else "",
            numeric(areas["prevalence"], ".1%"),
            interval(areas["average_precision"]),
            numeric(areas["auc"]["value"]),
            interval(areas["auc_one_per_patient"]) if areas is not micro else "",
        ]

    return Table(
        f"{split.capitalize()} split, with 95% intervals from resampled patients. Average "
        "precision is read against the prevalence, which a score without information reaches.",
        [
            *("Finding", "Positives", "of patients", "Prevalence"),
            Column("Average precision", css="strong"),
            *("AUC, all images", "AUC, one image a patient"),
        ],
        [
            [finding_cell(name, finding, few), *row(finding)]
            for name, finding in entry["findings"].items()
        ],
        [["Mean", *row(_pooled(entry, "mean"))], ["Micro", *row(micro)]],
        sortable=True,
    )


def _pooled(entry: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The means over findings, or the figures of all pairs, under the keys of one finding."""
    start = f"{prefix}_"
    return {key.removeprefix(start): value for key, value in entry.items() if key.startswith(start)}
