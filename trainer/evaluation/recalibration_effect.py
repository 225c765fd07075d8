# SPDX-License-Identifier: MIT
"""What post-hoc calibration, fitted on one split, does on another."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.calibration import known, log_losses, measure
from trainer.evaluation.logistic import Numbers
from trainer.evaluation.recalibration import METHODS, apply, choose, cross_validated, fit

_FIGURES = ("brier", "brier_skill", "log_loss", "in_the_large", "slope", "ece", "ece_floor")
MEAN_FIGURES = ("brier", "brier_skill", "log_loss", "ece")


def fitted(
    labels: Floats, scores: Floats, patients: npt.NDArray[Any], *, seed: int
) -> dict[str, Any]:
    """Fits every method on the validation split and chooses one.

    Args:
        labels: [n]; 1, 0 or NaN for unknown.
        scores: [n].
        patients: [n]; cross-validation keeps the images of a patient together.
        seed: of the folds.

    Returns:
        `parameters` (by method, None where there are none), `cross_validated_log_loss` (likewise),
        `chosen` and `reason`, why a method has no parameters.
    """
    parameters = {method: fit(method, labels, scores) for method in METHODS}
    losses = cross_validated(labels, scores, patients, seed=seed)
    reason = None
    if not (labels == 1).any() or not (labels == 0).any():
        reason = "the validation split does not hold images both with and without the finding"
    elif None in parameters.values():
        reason = "one score parts the labels of the validation split, or higher scores go with "
        reason += "images without the finding"
    return {
        "parameters": parameters,
        "cross_validated_log_loss": losses,
        "chosen": choose(losses),
        "reason": reason,
    }


def effect(
    found: Mapping[str, Any], labels: Floats, scores: Floats, draws: intervals.Resamples
) -> dict[str, Any]:
    """Returns what the fitted methods do on the test split.

    Args:
        found: what `fitted` returned.
        labels: [m] of the test split.
        scores: [m].
        draws: resamples of these images.

    Returns:
        By method (None where it has no parameters) the figures of `Calibration` and
        `brier_change` and `log_loss_change` against no calibration, with intervals: below 0 is
        better.
    """
    which, (truth, chance) = ~np.isnan(labels), known(labels, scores)
    if not len(truth):
        return dict.fromkeys(METHODS)
    chosen = {
        method: apply(parameters, chance)
        for method, parameters in found["parameters"].items()
        if parameters is not None
    }

    def losses(values: Numbers) -> Numbers:
        return np.stack([(values - truth) ** 2, log_losses(truth, values)], axis=1)

    result: dict[str, Any] = dict.fromkeys(METHODS)
    own, before = draws.select(which), losses(chance)
    images = own.sums(np.ones(len(truth)))[:, None]
    for method, values in chosen.items():
        changes = losses(values) - before
        with np.errstate(invalid="ignore"):
            drawn = own.sums(changes) / images
        if not draws.several(which):
            drawn[:] = np.nan
        result[method] = _figures(truth, values)
        for at, name in enumerate(("brier_change", "log_loss_change")):
            result[method][name] = intervals.entry(float(changes[:, at].mean()), drawn[:, at])
    return result


def after(parameters: Mapping[str, Any], labels: Floats, scores: Floats) -> dict[str, Any] | None:
    """Returns the reliability of calibrated scores, None without any known label."""
    truth, chance = known(labels, scores)
    found = measure(truth, apply(parameters, chance))
    return None if found is None else found.reliability.as_json()


def mean_effect(effects: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns means over the findings that every method is defined for.

    Args:
        effects: finding -> what `effect` returned.

    Returns:
        `findings`, their names, and by method the means of `MEAN_FIGURES`, None without any.
    """
    names = [
        name
        for name, methods in effects.items()
        if all(entry and entry["brier_skill"] is not None for entry in methods.values())
    ]
    methods = {
        method: {
            key: sum(effects[name][method][key] for name in names) / len(names) if names else None
            for key in MEAN_FIGURES
        }
        for method in METHODS
    }
    return {"findings": names, "methods": methods}


def _figures(labels: Numbers, scores: Numbers) -> dict[str, Any]:
    found = measure(labels, scores)
    values = {name: float(getattr(found, name)) for name in _FIGURES}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
