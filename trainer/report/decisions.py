# SPDX-License-Identifier: MIT
"""The decision curves of the headline split, and which scores they hold against thresholds."""

from typing import Any

import numpy as np

from trainer.evaluation import decision_curves, recalibration
from trainer.evaluation.auc import Floats
from trainer.report.source import EXTERNAL, Source

# What scores are: calibrated on validation, the model's own calibration, or nobody's.
VALIDATION, OWN, NONE = "validation", "own", "none"
OWN_SCORES = (
    "The scores are those that the model gives after its own calibration, which was chosen on the "
    "validation split of the data that it was made with"
)


def curves(source: Source) -> dict[str, dict[str, Any] | None]:
    """Returns the decision curve of each finding on the headline split, None without any label.

    The thresholds come from `source.asked` alone.
    """
    rows, draws = source.rows(source.headline), source.free_draws(source.headline)
    thresholds = decision_curves.grid(*source.asked.threshold_range)
    columns = zip(rows.findings, rows.labels.T, scores(source).T, strict=True)
    return {
        name: decision_curves.curve(labels, of_finding, thresholds, draws)
        for name, labels, of_finding in columns
    }


def calibrated_on(source: Source) -> str:
    """Returns what the scores of the headline split were calibrated on, as far as is known."""
    if own := source.context.get(EXTERNAL):
        return OWN if own.get("calibration") else NONE
    return VALIDATION if source.calibrations and source.headline == "test" else NONE


def scores(source: Source) -> Floats:
    """Returns the scores of the headline split as probabilities, [n, L].

    Those of a test split are calibrated by what was fitted on validation, where there is one; all
    others are as they are.
    """
    rows = source.rows(source.headline)
    if calibrated_on(source) != VALIDATION:
        return rows.scores
    maps = (entry["parameters"][entry["chosen"]] for entry in source.calibrations.values())
    pairs = zip(maps, rows.scores.T, strict=True)
    return np.stack([recalibration.apply(each, column) for each, column in pairs], axis=1)
