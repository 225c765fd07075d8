# SPDX-License-Identifier: MIT
"""The section on where the heat maps lie, checked against the boxes that radiologists drew."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preprocessing.contract import patients as people
from preprocessing.contract.tables import Cell, Column, Table, interval, numeric
from preprocessing.contract.wording import words
from trainer.evaluation import boxes, intervals, localisation
from trainer.evaluation.localisation import IOBB_THRESHOLDS, IOU_THRESHOLDS, Case, Measures
from trainer.predictions import heat_map_files
from trainer.predictions.heat_map_files import BoxedMaps
from trainer.report.parts import Fold, Heading, Notes, Part, unavailable
from trainer.report.sections import beside, localisation_notes, wang2017
from trainer.report.source import Source

SPLIT = "test"
TITLES = {
    "heat_map": "Heat map",
    "average_box": "Average box",
    "centre": "Image centre",
    "published": "Wang 2017",
}
_NAMES = {"iou": "IoU", "iobb": "IoBB"}
_ASK = "evaluate with --config.evaluation.localisation=true on a data set with boxes"


def build(source: Source) -> dict[str, Any]:
    """Returns how well heat maps find the boxes, or why that is not known.

    Raises:
        DataError: localisation.npz is damaged.
    """
    path = beside.path_of(source, heat_map_files.LOCALISATION)
    if not path:
        return unavailable(f"no heat maps lie beside the predictions: {_ASK}")
    boxed = heat_map_files.read_boxed(path)
    if not len(boxed.ids):
        return unavailable("no image of the test split has a box: preprocess with a box file")
    rows = source.rows(SPLIT)
    places = beside.rows_of(rows, boxed.ids, boxed.findings, boxed.scores)
    if places is None:
        return unavailable(f"{heat_map_files.LOCALISATION} is of other predictions: {_ASK}")
    cases = _cases(boxed, places, rows.patients, rows.findings)
    found, means = localisation.measure(cases, boxed.placement, source.draws(SPLIT))
    section = {
        "available": True,
        **_counts(boxed, cases),
        "findings": {
            name: {
                "boxes": sum(len(case.true) for case in part),
                "images": len(part),
                "patients": people.count(case.patient for case in part),
                "reachable": localisation.reachable(part, boxed.placement),
                "methods": {key: _as_json(value) for key, value in found[name].items()},
            }
            for name, part in cases.items()
        },
        "mean": {key: _as_json(value) for key, value in means.items()},
        "findings_in_mean": sum(
            all(value.pointing.value is not None for value in methods.values())
            for methods in found.values()
        ),
    }
    section["published"] = _published(section)
    return {**section, "notes": localisation_notes.notes(section)}


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the pointing game and, by IoU and IoBB, boxes met and false positives."""
    shown: list[Part] = [Notes(section["notes"]), Heading("Pointing game"), _pointing(section)]
    for at, (criterion, title) in enumerate(_NAMES.items()):
        met, false = _met(section, criterion), _false_positives(section, criterion)
        shown.append(Fold(f"Boxes met, by {title}", [met], opened=not at))
        shown.append(Fold(f"False positives by {title}", [false]))
    return shown


def _pointing(section: Mapping[str, Any]) -> Table:
    def row(methods: Mapping[str, Any]) -> list[Cell]:
        return [interval(methods[method]["pointing"]) for method in localisation.METHODS]

    first, *others = (TITLES[method] for method in localisation.METHODS)
    return Table(
        "Share of cases, a finding in an image, whose highest point lies in a box, with 95% "
        "intervals.",
        ["Finding", "Images", "Boxes", Column(first, css="strong"), *others, "Reachable"],
        [
            [
                words(name),
                *(numeric(entry[key], ",") for key in ("images", "boxes")),
                *row(entry["methods"]),
                numeric(entry["reachable"]),
            ]
            for name, entry in section["findings"].items()
        ],
        [["Mean", "", numeric(section["boxes"], ","), *row(section["mean"]), ""]],
        sortable=True,
    )


def _met(section: Mapping[str, Any], criterion: str) -> Table:
    published = section["published"]
    source = f" {TITLES['published']}: {published['source']}." if published["comparable"] else ""
    return Table(
        f"Share of boxes that a drawn box meets with more than this {_NAMES[criterion]}, with 95% "
        f"intervals.{source}",
        ["Finding", Column("By", "name", css="by"), *_thresholds(section, criterion)],
        [
            [
                words(name),
                TITLES[key],
                *(interval(values[at]) for at in _thresholds(section, criterion)),
            ]
            for name, methods in _accuracies(section, criterion)
            for key, values in methods
        ],
        grouped=True,
    )


def _false_positives(section: Mapping[str, Any], criterion: str) -> Table:
    def row(methods: Mapping[str, Any]) -> list[Cell]:
        found = methods["heat_map"][criterion]
        columns = _thresholds(section, criterion)
        return [interval(found[at]["false_positives"], ".2f") for at in columns]

    return Table(
        "Boxes drawn by the heat map that meet no true box with more than this "
        f"{_NAMES[criterion]}, on average in an image with the finding, with 95% intervals.",
        ["Finding", *_thresholds(section, criterion)],
        [[words(name), *row(entry["methods"])] for name, entry in section["findings"].items()],
        [["Mean", *row(section["mean"])]],
    )


def _thresholds(section: Mapping[str, Any], criterion: str) -> list[str]:
    return [f"{value:g}" for value in section[f"{criterion}_thresholds"]]


def _cases(
    boxed: BoxedMaps, places: Any, patients: Any, findings: tuple[str, ...]
) -> dict[str, list[Case]]:
    """Puts the boxes of one finding in one image together; by finding, in the given order."""
    rows: dict[tuple[str, int], list[int]] = {}
    for row, pair in enumerate(zip(boxed.findings.tolist(), places.tolist(), strict=True)):
        rows.setdefault(pair, []).append(row)
    cases: dict[str, list[Case]] = {name: [] for name in findings}
    true = boxes.corners(boxed.boxes)
    for (finding, image), own in rows.items():
        patient = str(patients[image])
        cases[finding].append(Case(image, patient, finding, true[own], boxed.maps[own[0]]))
    return {name: part for name, part in cases.items() if part}


def _counts(boxed: BoxedMaps, cases: Mapping[str, list[Case]]) -> dict[str, Any]:
    """What was measured, on how much, and by which thresholds."""
    every = [case for part in cases.values() for case in part]
    return {
        "split": SPLIT,
        "boxes": len(boxed.ids),
        "images": len({case.image for case in every}),
        "patients": people.count(case.patient for case in every),
        "maps_without_heat": sum(not case.heat.any() for case in every),
        "cells": int(boxed.maps.shape[-1]),
        "cell_share": boxed.placement.step,
        "outside": _outside(boxed),
        "thresholds": list(boxes.THRESHOLDS),
        "iou_thresholds": list(IOU_THRESHOLDS),
        "iobb_thresholds": list(IOBB_THRESHOLDS),
    }


def _outside(boxed: BoxedMaps) -> dict[str, Any]:
    """How much of the boxes lies where the network did not look."""
    true, place = boxes.corners(boxed.boxes), boxed.placement
    seen = np.array([[place.left] * 2 + [place.left + place.side] * 2])
    lost = 1 - boxes.intersections(true, seen)[:, 0] / boxes.areas(true)
    return {
        "boxes_cut": int((lost > 1e-6).sum()),
        "boxes_lost": int((lost > 1 - 1e-6).sum()),
        "mean_share": float(np.clip(lost, 0, 1).mean()),
    }


def _as_json(measures: Measures) -> dict[str, Any]:
    first = len(IOU_THRESHOLDS)
    parts = {"iou": slice(None, first), "iobb": slice(first, None)}
    thresholds = {"iou": IOU_THRESHOLDS, "iobb": IOBB_THRESHOLDS}
    return {
        "pointing": intervals.as_json(measures.pointing),
        "pointing_minus_average_box": intervals.as_json(measures.gain),
        **{
            criterion: {
                f"{threshold:g}": {
                    "accuracy": intervals.as_json(accuracy),
                    "false_positives": intervals.as_json(false),
                }
                for threshold, accuracy, false in zip(
                    thresholds[criterion],
                    measures.accuracy[part],
                    measures.false_positives[part],
                    strict=True,
                )
            }
            for criterion, part in parts.items()
        },
    }


def _published(section: Mapping[str, Any]) -> dict[str, Any]:
    """Wang's figures, which are of all boxes of ChestX-ray14 and of no other ones."""
    comparable = (section["boxes"], section["images"]) == (wang2017.BOXES, wang2017.IMAGES)
    if not comparable:
        reason = (
            f"Wang et al. used {wang2017.BOXES} boxes on {wang2017.IMAGES} images, here are "
            f"{section['boxes']} on {section['images']}"
        )
        return {"comparable": False, "reason": reason, "source": wang2017.SOURCE, "accuracy": {}}
    figures = {name: wang2017.accuracy(name) for name in section["findings"]}
    known = {name: value for name, value in figures.items() if value is not None}
    return {"comparable": True, "reason": None, "source": wang2017.SOURCE, "accuracy": known}


def _accuracies(
    section: Mapping[str, Any], criterion: str
) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Finding -> method -> threshold -> interval, with the published figures as the last method."""
    entries = {name: entry["methods"] for name, entry in section["findings"].items()}
    found = []
    for name, methods in [*entries.items(), ("Mean", section["mean"])]:
        rows = [
            (key, {at: value["accuracy"] for at, value in methods[key][criterion].items()})
            for key in TITLES
            if key in methods
        ]
        published = section["published"]["accuracy"].get(name)
        if published:
            nothing = {"low": None, "high": None, "dropped_resamples": 0}
            values = published[criterion].items()
            rows.append(("published", {at: {"value": value, **nothing} for at, value in values}))
        found.append((name, rows))
    return found
