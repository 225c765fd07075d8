# SPDX-License-Identifier: MIT
"""The card that lies beside an exported model: what it is, how well it does, what it is not for."""

from collections.abc import Mapping
from typing import Any

from preprocessing.contract.manifest import Manifest
from preprocessing.contract.tables import Cell, Column, Table, numeric
from preprocessing.contract.wording import estimate, number, words
from trainer.report import parts
from trainer.report.parts import Notes
from trainer.report.sections import card, card_words
from trainer.report.source import headline

NAME = "model_card.md"

_USE = (
    "Research use only. Not a medical device: it may not be used to diagnose, to triage or to "
    "treat."
)


def text(
    manifest: Manifest,
    report: Mapping[str, Any] | None,
    *,
    identity: str,
    step: int,
    auc: float,
    views: str = "one",
    monitor: str = "auc",
) -> str:
    """Returns the card as Markdown.

    Args:
        manifest: of the data set that the model was trained on.
        report: content of report.json of the same run, or None.
        identity: of the run.
        step: of training that the weights are of.
        auc: mean AUC on validation.
        monitor: by what of the validation that step was chosen, auc or loss.
        views: over which the model averages scores, as `evaluation.views`.
    """
    chosen = "for their mean AUC" if monitor == "auc" else "for their loss, with a mean AUC"
    head = [
        _USE,
        f"A network that gives a frontal chest radiograph a score for each of "
        f"{len(manifest.findings)} findings: {', '.join(map(words, manifest.findings))}.",
        f"Weights of step {step:,} of the run {identity}, chosen {chosen} of {auc:.4f} "
        "on validation, which flatters.",
        *_trained_on(manifest),
        f"Views of a picture whose scores are averaged: {card_words.VIEWS[views]}. Heat maps, and "
        "the flag of films unlike those of training, look at the centre alone.",
        *(_measured(report) if report else ["It was exported without a report."]),
    ]
    pages = ["# Model card", parts.markdown("In short", [Notes(head)])]
    if report:
        pages.append(parts.markdown("How well it does", [_areas(report)]))
        pages.append(parts.markdown("In full", card.parts(report["card"], dict(report))))
    else:
        pages.append(parts.markdown("Intended use", [Notes(card_words.INTENDED)]))
        pages.append(parts.markdown("Out of scope", [Notes(card_words.OUT_OF_SCOPE)]))
    return "\n\n".join(page.strip("\n") for page in pages) + "\n"


def _trained_on(manifest: Manifest) -> list[str]:
    train = manifest.splits["train"]
    said = [
        f"Trained on {train.examples:,} images of {train.patients:,} patients (data set "
        f"{manifest.identity})."
    ]
    if manifest.phantom:
        said.append(f"The images are a phantom's, {manifest.phantom}: it has seen no patient.")
    return said


def _measured(report: Mapping[str, Any]) -> list[str]:
    said = []
    if test := report["splits"].get("test"):
        said.append(
            f"Mean AUC on test: {estimate(test['mean_auc'])}, of {test['n']:,} images of "
            f"{test['patients']:,} patients; intervals are of 95% and resample patients."
        )
    points = report["operating_points"]
    if points["available"]:
        rules = ", ".join(f"{name} ({rule})" for name, rule in points["rules"].items())
        said.append(
            f"Thresholds (thresholds.json) are on raw scores and were chosen on validation by "
            f"{len(points['rules'])} rules: {rules}. None is a recommendation for use."
        )
    post_hoc = report["calibration"]["recalibration"]
    if post_hoc["available"]:
        kinds = [entry["method"] for entry in post_hoc["export"].values()]
        counts = ", ".join(f"{kind} for {kinds.count(kind)}" for kind in sorted({*kinds}))
        said.append(
            f"Probabilities are scores calibrated on validation (calibration.json): {counts} of "
            f"{len(kinds)} findings. They hold where findings are as common as there."
        )
    return said


def _areas(report: Mapping[str, Any]) -> Table:
    title = headline(report["splits"])
    split = report["splits"][title]
    columns: list[Column | str] = ["Finding", "Positives", "Prevalence", "AUC"]
    rows: list[list[Cell | str]] = [
        [
            words(name),
            numeric(entry["positives"], ","),
            numeric(entry["prevalence"], ".1%"),
            estimate(entry["auc"]),
        ]
        for name, entry in split["findings"].items()
    ]
    return Table(f"AUC on {title}, {number(split['n'], ',')} images.", columns, rows)
