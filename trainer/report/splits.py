# SPDX-License-Identifier: MIT
"""The numbers of one split: counts, areas with their intervals, and curves to draw."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer.evaluation import curves, intervals
from trainer.evaluation.discrimination import Discrimination, measure, width_ratio
from trainer.evaluation.intervals import as_json
from trainer.evaluation.summary import Summary
from trainer.predictions.table import Predictions
from trainer.report.source import Source
from trainer.report.statements import FEW_POSITIVES

# Of each curve that is drawn.
POINTS = 200


def numbers_of(source: Source, split: str) -> dict[str, Any]:
    """Returns the entry of one split in report.json.

    Args:
        source: of the report.
        split: one of its splits.

    Returns:
        Per finding the counts of images whose label is known, the areas and the points of both
        curves; of all findings the means (`mean_...`) and the areas of all pairs of label and score
        pooled (`micro_...`). An area is an interval as `intervals.as_json` gives it:

        - `auc`: of all images, resampling patients; the interval to quote.
        - `auc_clustered`: the same AUC, with the interval in closed form for clustered images.
        - `auc_image_level`, `auc_delong`: the same AUC with intervals that take images as
          independent, by resampling them and after DeLong.
        - `auc_one_per_patient`: with one random image of each patient, resampling patients.
        - `average_precision`: of all images, resampling patients.
        - `width_ratios`: how many times as wide the interval of `auc` is as the other three.

        What is not defined is None.
    """
    rows, draws, free = source.rows(split), source.draws(split), source.free_draws(split)
    data = rows.labels, rows.scores, rows.patients
    measured = measure(*data, draws, free=free, seed=source.seed)
    findings = {
        name: _finding(rows, position, measured, draws)
        for position, name in enumerate(rows.findings)
    }
    return {
        "n": len(rows.ids),
        "patients": len(draws.counts),
        **_together(measured),
        **_prevalences(rows, findings),
        "undefined_findings": [
            name for name, entry in findings.items() if entry["auc"]["value"] is None
        ],
        "findings": findings,
    }


def _together(measured: Discrimination) -> dict[str, Any]:
    """The means over findings, and the areas over all pairs of label and score."""
    areas: dict[str, Summary] = vars(measured)
    means = {name: as_json(area.mean) for name, area in areas.items()}
    # One image a patient is a view of single findings: pooled, it would only say the same again.
    pooled = {
        name: as_json(area.micro) for name, area in areas.items() if name != "auc_one_per_patient"
    }
    return {
        **{f"mean_{name}": area for name, area in means.items()},
        "mean_width_ratios": _ratios({name: area.mean for name, area in areas.items()}),
        **{f"micro_{name}": area for name, area in pooled.items()},
        "micro_width_ratios": _ratios({name: area.micro for name, area in areas.items()}),
    }


def _prevalences(rows: Predictions, findings: Mapping[str, Any]) -> dict[str, float | None]:
    """What the mean and the micro average precision of a score without information reach."""
    defined = [
        entry["prevalence"]
        for entry in findings.values()
        if entry["average_precision"]["value"] is not None
    ]
    known = ~np.isnan(rows.labels)
    return {
        "mean_prevalence": float(np.mean(defined)) if defined else None,
        "micro_prevalence": float(rows.labels[known].mean()) if known.any() else None,
    }


def _finding(
    rows: Predictions, position: int, measured: Discrimination, draws: intervals.Resamples
) -> dict[str, Any]:
    labels, scores = rows.labels[:, position], rows.scores[:, position]
    known, positive = ~np.isnan(labels), labels == 1
    count, positives = int(known.sum()), int(positive.sum())
    areas = {name: area.findings[position] for name, area in vars(measured).items()}
    return {
        **{name: as_json(area) for name, area in areas.items()},
        "width_ratios": _ratios(areas),
        "n": count,
        "positives": positives,
        "prevalence": positives / count if count else None,
        "unknown": len(labels) - count,
        "patients": int(draws.owners(known)),
        "positive_patients": int(draws.owners(positive)),
        "few_positives": bool(draws.owners(positive) < FEW_POSITIVES),
        "roc": _points(
            curves.roc(labels, scores), "corners", "false_positive_rates", "true_positive_rates"
        ),
        "precision_recall": _points(
            curves.precision_recall(labels, scores), "steps", "recalls", "precisions"
        ),
    }


def _ratios(areas: Mapping[str, intervals.Interval]) -> dict[str, float | None]:
    kinds = ("clustered", "image_level", "delong")
    return {kind: width_ratio(areas["auc"], areas[f"auc_{kind}"]) for kind in kinds}


def _points(curve: curves.Curve | None, count: str, x: str, y: str) -> dict[str, Any] | None:
    """Points to draw; `count` names how many the exact curve has, whose area is reported."""
    if curve is None:
        return None
    # Never falling, either measures the way along its curve.
    way = curve.x + curve.y if count == "corners" else curve.x
    drawn = curves.thin(curve, POINTS, way)
    return {
        count: len(curve.thresholds),
        x: np.round(drawn.x, 6).tolist(),
        y: np.round(drawn.y, 6).tolist(),
        "thresholds": _thresholds(drawn.thresholds.tolist()),
    }


def _thresholds(values: list[float]) -> list[float | None]:
    short = [float(f"{value:.6g}") for value in values]
    return [value if math.isfinite(value) else None for value in short]
