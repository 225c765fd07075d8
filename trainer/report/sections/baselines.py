# SPDX-License-Identifier: MIT
"""The section on what needs no image: metadata alone, the view alone, labels shuffled at random."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.tables import Column, Table, interval
from preprocessing.contract.wording import counted, estimate, words
from trainer.evaluation import baselines, intervals
from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.summary import Summary
from trainer.report.figures import plots
from trainer.report.parts import Drawn, Heading, Notes, Part, flagged, forest
from trainer.report.sections.metadata_lesson import Lesson, lesson_of
from trainer.report.source import Source

TITLES = {
    "view": "View alone",
    "patient": "Age, sex, view",
    "acquisition": "Age, sex, view, follow-up number, original size",
    "shuffled": "Shuffled labels",
}
_LOWER = (
    "Where the model does not lie clearly above a baseline, its scores may come from the ward and "
    "not from the lungs: which machine was used, whether the patient could stand, how many images "
    "there had been before."
)

Numbers = npt.NDArray[np.float64]
Areas = tuple[Numbers, Numbers]


def build(source: Source) -> dict[str, Any]:
    """Returns the AUCs of models that see no image, beside the model's on the same images.

    Args:
        source: its `metadata` must hold labels and images of patients whose scores are not here,
            or only shuffled labels can be judged.
    """
    rows, found = source.rows(source.headline), lesson_of(source)
    lesson = found if isinstance(found, Lesson) else None
    judged = lesson.joined >= 0 if lesson else np.ones(len(rows.ids), dtype=bool)
    labels, scores = rows.labels[judged], rows.scores[judged]
    draws = source.draws(source.headline).select(judged)
    model = _areas(labels, scores, draws)
    learned = lesson.scores(judged) if lesson else {}
    measured = {key: _areas(labels, columns, draws) for key, columns in learned.items()}
    chance = _areas(baselines.shuffled(labels, source.seed), scores, draws)
    entries = [
        _entry(key, areas, rows.findings)
        for key, areas in [*measured.items(), ("shuffled", chance)]
    ]
    section = {
        "available": True,
        "split": source.headline,
        "images": int(judged.sum()),
        "images_without_metadata": int((~judged).sum()),
        "trained_on": lesson.described() if lesson else None,
        "no_metadata_because": None if lesson else found,
        "model": _entry("model", model, rows.findings),
        "baselines": entries,
        "either_direction": _either_direction(entries),
        "difference": _difference(model, measured, rows.findings),
    }
    return {**section, "notes": _notes(section)}


def _areas(labels: Floats, scores: Floats, draws: intervals.Resamples) -> Areas:
    """The AUC of each finding, [L], and in every resample, [L, B]; NaN where not defined."""
    learned = ~np.isnan(scores).any(axis=0)
    points = np.full(labels.shape[1], np.nan)
    drawn = np.full((labels.shape[1], draws.number), np.nan)
    points[learned] = aurocs(labels[:, learned], scores[:, learned])
    for position in np.flatnonzero(learned):
        drawn[position] = draws.aucs(labels[:, position], scores[:, position])
    return points, drawn


def _measures(areas: Areas, findings: tuple[str, ...]) -> dict[str, Any]:
    summary = Summary.of(*areas)
    named = zip(findings, map(intervals.as_json, summary.findings), strict=True)
    return {"mean_auc": intervals.as_json(summary.mean), "findings": dict(named)}


def _entry(key: str, areas: Areas, findings: tuple[str, ...]) -> dict[str, Any]:
    facts = list(baselines.FACTS.get(key, ()))
    return {"key": key, "facts": facts, **_measures(areas, findings)}


def _difference(
    model: Areas, measured: Mapping[str, Areas], findings: tuple[str, ...]
) -> dict[str, Any] | None:
    """Model minus the best baseline of metadata, resample by resample."""
    known = {key: areas for key, areas in measured.items() if not np.isnan(areas[0]).all()}
    if not known:
        return None
    best = max(known, key=lambda key: float(np.nanmean(known[key][0])))
    entry = _measures((model[0] - known[best][0], model[1] - known[best][1]), findings)
    unclear = [
        name
        for name, area in entry["findings"].items()
        if area["value"] is not None and (area["low"] is None or area["low"] <= 0)
    ]
    return {"against": best, **entry, "not_clearly_above": unclear}


def _either_direction(entries: list[dict[str, Any]]) -> float | None:
    """Mean AUC of the view with the direction of each finding chosen on the judged images.

    It looks at the answers. The mean AUC of the view that is published for the official split of
    ChestX-ray14, 0.588, comes out in this way and not with directions learned on training images.
    """
    view = next((entry for entry in entries if entry["key"] == "view"), None)
    if view is None:
        return None
    values = [area["value"] for area in view["findings"].values() if area["value"] is not None]
    return float(np.mean([max(value, 1 - value) for value in values])) if values else None


def _notes(section: Mapping[str, Any]) -> list[str]:
    notes = []
    if section["no_metadata_because"]:
        notes.append(
            f"There is no baseline of metadata because {section['no_metadata_because']}. Without "
            "it, how much of the model's AUC the ward explains is not known."
        )
    else:
        notes.append(_on_training(section))
        notes.append(_on_difference(section["difference"]))
        notes.append(_LOWER)
    if section["either_direction"] is not None:
        notes.append(
            "The view alone is scored in the direction that it has among the training images. "
            "Choosing the direction on the judged images instead, which looks at the answers, "
            f"would give {section['either_direction']:.3f}. On the official split of ChestX-ray14 "
            "that way reproduces the 0.588 that is published for the view alone."
        )
    return [*notes, _on_chance(section["baselines"][-1]["findings"])]


def _on_chance(found: Mapping[str, Any]) -> str:
    """What shuffled labels are, and how many of their intervals leave out 0.5."""
    areas = [area for area in found.values() if area["low"] is not None]
    outside = sum(not area["low"] <= 0.5 <= area["high"] for area in areas)
    text = (
        "Shuffled labels are the model's scores against labels shuffled among the same images, "
        "and come out near 0.5."
    )
    if not areas:
        return text
    return (
        f"{text} {outside} of {counted(len(areas), 'interval')} "
        f"leave{'s' * (outside == 1)} out 0.5; luck alone makes about 1 in 20. Many, or that of "
        "the mean, would mean that the computation is at fault, not the model."
    )


def _on_training(section: Mapping[str, Any]) -> str:
    trained = section["trained_on"]
    chosen = (
        "the train split of the metadata"
        if trained["chosen_by"] == "split column"
        else "all patients of the metadata who are not judged here"
    )
    text = (
        f"The baselines of metadata were trained on {trained['images']:,} images of "
        f"{trained['patients']:,} patients, {chosen}, and never saw a pixel: ridge logistic "
        "regression on facts cut into levels."
    )
    left = section["images_without_metadata"]
    if left:
        text += (
            f" {left:,} {section['split']} images have no metadata and are left out of this "
            "section, for the model too."
        )
    return text


def _below(difference: Mapping[str, Any] | None) -> list[str]:
    """The findings of which metadata alone tell more than the model."""
    found = difference["findings"] if difference else {}
    return [name for name, area in found.items() if area["low"] is not None and area["high"] < 0]


def _on_difference(difference: Mapping[str, Any] | None) -> str:
    if difference is None or difference["mean_auc"]["value"] is None:
        return "No baseline of metadata has an AUC that could be set beside the model's."
    mean, names = difference["mean_auc"], difference["not_clearly_above"]
    text = (
        f"Mean AUC of the model minus that of the best baseline of metadata: "
        f"{estimate(mean, '+.3f')}, from the same resamples of patients."
    )
    if mean["low"] is None or mean["low"] <= 0:
        return f"{text} A model that does not beat this has learned the ward, not the lungs."
    if names:
        below = _below(difference)
        if unclear := [name for name in names if name not in below]:
            text += f" Not clearly above it: {', '.join(map(words, unclear))}."
        return f"{text} Clearly below it: {', '.join(map(words, below))}." if below else text
    return f"{text} Every finding lies clearly above it."


def parts(section: Mapping[str, Any], report: Mapping[str, Any]) -> list[Part]:
    """Returns the means drawn, and the model beside the baselines, finding by finding."""
    # The model first, then the baselines from the simplest to the strongest, then chance.
    entries = [section["model"], *section["baselines"]]
    unclear = (section["difference"] or {"not_clearly_above": ()})["not_clearly_above"]
    flags = dict.fromkeys(unclear, "not clearly above metadata")
    flags |= dict.fromkeys(_below(section["difference"]), "below metadata")
    table = Table(
        f"AUC of the model and of what needs no image, on the same {section['images']:,} images of "
        f"the {section['split']} split, with 95% intervals.",
        ["Finding", *(Column(_title(entry), css=_strong(entry)) for entry in entries)],
        [
            [
                flagged(name, flags.get(name, ""), name in flags),
                *(interval(entry["findings"][name]) for entry in entries),
            ]
            for name in section["model"]["findings"]
        ],
        [["Mean", *(interval(entry["mean_auc"]) for entry in entries)]],
        sortable=True,
    )
    drawn = _drawn(section, entries)
    return [Notes(section["notes"]), drawn, Heading("Without image, finding by finding"), table]


def _drawn(section: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Drawn:
    kinds = [section["split"], *("mean" for _ in section["baselines"])]
    areas = [entry["mean_auc"] for entry in entries]
    return forest(
        f"Mean AUC with its 95% interval, {section['split']} split, {section['images']:,} images. "
        "0.5 is guessing.",
        ("Scores from", "mean AUC with interval", "Mean AUC"),
        list(zip(map(_title, entries), areas, kinds, strict=True)),
        plots.domain(areas),
    )


def _title(entry: Mapping[str, Any]) -> str:
    return TITLES.get(entry["key"], "Model")


def _strong(entry: Mapping[str, Any]) -> str:
    return "strong" if entry["key"] == "model" else ""
