# SPDX-License-Identifier: MIT
"""The numbers of one split: counts, AUCs with their intervals, and curves to draw."""

import math
from typing import Any

import numpy as np

from trainer.evaluation import auc, intervals
from trainer.predictions import Predictions
from trainer.report.statements import FEW_POSITIVES

ROC_POINTS = 200


def numbers_of(rows: Predictions, *, resamples: int, seed: int) -> dict[str, Any]:
    """Returns the entry of one split in report.json.

    Args:
        rows: the images of the split, at least one.
        resamples: resamples of patients, 1 or more.
        seed: of the resamples.

    Returns:
        `n`, `patients`, `mean_auc`, `undefined_findings` and, per finding, `auc`, the counts of
        images whose label is known and the points of the ROC curve. What is not defined is None.
    """
    result = intervals.bootstrap(
        rows.labels, rows.scores, rows.patients, resamples=resamples, seed=seed
    )
    findings = {
        name: _finding(rows, position, result.findings[position])
        for position, name in enumerate(rows.findings)
    }
    return {
        "n": len(rows.ids),
        "patients": len(np.unique(rows.patients)),
        "mean_auc": _ends(result.mean),
        "undefined_findings": [
            name for name, entry in findings.items() if entry["auc"]["value"] is None
        ],
        "findings": findings,
    }


def _finding(rows: Predictions, position: int, interval: intervals.Interval) -> dict[str, Any]:
    labels = rows.labels[:, position]
    known, positive = ~np.isnan(labels), labels == 1
    count, positives = int(known.sum()), int(positive.sum())
    return {
        "auc": _ends(interval),
        "n": count,
        "positives": positives,
        "prevalence": positives / count if count else None,
        "unknown": len(labels) - count,
        "patients": len(np.unique(rows.patients[known])),
        "positive_patients": len(np.unique(rows.patients[positive])),
        "few_positives": positives < FEW_POSITIVES,
        "roc": _roc(auc.roc_curve(labels, rows.scores[:, position])),
    }


def _ends(interval: intervals.Interval) -> dict[str, Any]:
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "dropped_resamples": interval.dropped_resamples,
    }


def _roc(curve: auc.RocCurve | None) -> dict[str, Any] | None:
    """Points for drawing; the AUC is that of the exact curve, whose corners `corners` counts."""
    if curve is None:
        return None
    drawn = auc.thin(curve, ROC_POINTS)
    thresholds = [float(f"{value:.6g}") for value in drawn.thresholds.tolist()]
    return {
        "corners": len(curve.thresholds),
        "false_positive_rates": np.round(drawn.false_positive_rates, 6).tolist(),
        "true_positive_rates": np.round(drawn.true_positive_rates, 6).tolist(),
        "thresholds": [value if math.isfinite(value) else None for value in thresholds],
    }
