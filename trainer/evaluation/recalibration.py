# SPDX-License-Identifier: MIT
"""Post-hoc calibration: maps of scores that are fitted on the validation split.

Four methods, from none to free:

- `none`: the score as it is.
- `temperature`: logit(p) / T (Guo et al., ICML 2017), for each finding by itself.
- `platt`: intercept + slope * logit(p) (Platt, 1999, on logits and without his smoothed targets).
- `isotonic`: any rising map (Zadrozny and Elkan, KDD 2002), by pooling adjacent violators.

A fitted map is a plain dict of its method and parameters, ready for JSON; `apply` uses it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation.auc import Floats
from trainer.evaluation.calibration import known, log_losses
from trainer.evaluation.logistic import Numbers, fit_line, fit_slope, logits, sigmoid

METHODS = ("none", "temperature", "platt", "isotonic")
# These keep the order of all scores, so that no AUC changes and thresholds can be mapped along. An
# isotonic map gives whole ranges of scores one value, and 0 or 1 at the ends: it is reported, to
# show what a map of any shape would gain, and never chosen.
CHOOSABLE = ("none", "temperature", "platt")
FOLDS = 5


def fit(method: str, labels: Floats, scores: Floats) -> dict[str, Any] | None:
    """Fits one method; the images must be of the validation split.

    Args:
        method: one of `METHODS`.
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n], probabilities.

    Returns:
        `method` and its parameters, or None where they are not defined: without both labels, where
        a score parts the labels completely, or where the line would not rise.

    Raises:
        ValueError: there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"{method} is not a calibration method; use one of {', '.join(METHODS)}")
    truth, chance = known(labels, scores)
    if method == "none":
        return {"method": "none"}
    if not (truth == 1).any() or not (truth == 0).any():
        return None
    if method == "temperature":
        slope = fit_slope(logits(chance), truth)
        found = slope and {"temperature": 1 / slope}
    elif method == "platt":
        line = fit_line(logits(chance), truth)
        slope, found = (line.slope, dataclasses.asdict(line)) if line else (None, None)
    else:
        places, levels = isotonic(chance, truth)
        slope, found = 1.0, {"scores": places.tolist(), "probabilities": levels.tolist()}
    # A line that falls would turn the order of all scores round.
    return {"method": method, **found} if found and slope is not None and slope > 0 else None


def apply(parameters: Mapping[str, Any], scores: Floats) -> Numbers:
    """Returns calibrated probabilities, float64 of the shape of the scores.

    Args:
        parameters: what `fit` returned, or the same read from JSON.
        scores: probabilities, any shape.

    Raises:
        ValueError: the method is unknown.

    >>> apply({"method": "temperature", "temperature": 2.0}, np.array([0.1, 0.5])).round(3)
    array([0.25, 0.5 ])
    """
    method = parameters["method"]
    if method == "none":
        return scores.astype(np.float64)
    if method == "temperature":
        return sigmoid(logits(scores) / parameters["temperature"])
    if method == "platt":
        return sigmoid(parameters["intercept"] + parameters["slope"] * logits(scores))
    if method == "isotonic":
        values = np.interp(scores, parameters["scores"], parameters["probabilities"])
        return np.asarray(values, np.float64)
    raise ValueError(f"{method} is not a calibration method; use one of {', '.join(METHODS)}")


def isotonic(scores: Numbers, labels: Numbers) -> tuple[Numbers, Numbers]:
    """Returns the rising map with the least squared error, as the points that lines join.

    Pooling adjacent violators (Ayer et al., Annals of Mathematical Statistics 1955; 26:641-647).
    Neighbours out of order end up with one value, so that each pass may pool whole falling runs.

    Args:
        scores: float64 [n], n at least 1.
        labels: float64 [n].

    Returns:
        Scores, strictly rising, and values, rising, float64 [k] each: both ends of every level.
    """
    # 1. One level for each distinct score, as its number of images and the sum of their labels.
    places, group = np.unique(scores, return_inverse=True)
    weights = np.bincount(group).astype(np.float64)
    totals = np.bincount(group, weights=labels)
    first = np.arange(len(places))
    while len(totals) > 1:
        # 2. Where the mean of a level is below that of the next. Whole numbers, multiplied across:
        #    equal levels are pooled too, and rounding decides nothing.
        rising = totals[:-1] * weights[1:] < totals[1:] * weights[:-1]
        if rising.all():
            break
        # 3. A run that does not rise becomes one level, whose mean may now be out of order with
        #    its neighbours: so again, until all levels rise.
        starts = np.flatnonzero(np.concatenate([[True], rising]))
        totals, weights = np.add.reduceat(totals, starts), np.add.reduceat(weights, starts)
        first = first[starts]
    # 4. The map is level between the first and the last score of each level, and a line between.
    last = np.append(first[1:] - 1, len(places) - 1)
    ends = np.unique(np.concatenate([first, last]))
    levels = np.repeat(totals / weights, last - first + 1)
    return places[ends], levels[ends]


def cross_validated(
    labels: Floats, scores: Floats, patients: npt.NDArray[Any], *, seed: int
) -> dict[str, float | None]:
    """Returns the log loss of each method on patients that it was not fitted on.

    Args:
        labels: [n], of the validation split; 1, 0 or NaN for unknown (left out).
        scores: [n].
        patients: [n]; all images of a patient are in one fold.
        seed: of the folds.

    Returns:
        Method -> mean log loss over all images, each from the fold that left it out; None where a
        fold cannot be fitted.
    """
    truth, chance = known(labels, scores)
    fold_of = _folds(truth, patients[~np.isnan(labels)], seed)
    result: dict[str, float | None] = {}
    for method in METHODS:
        losses, complete = np.empty(len(truth)), len(truth) > 0
        for fold in np.unique(fold_of):
            out = fold_of == fold
            parameters = fit(method, truth[~out], chance[~out])
            if parameters is None:
                complete = False
                break
            losses[out] = log_losses(truth[out], apply(parameters, chance[out]))
        result[method] = float(losses.mean()) if complete else None
    return result


def choose(losses: Mapping[str, float | None]) -> str:
    """Returns the method to store: the least cross-validated log loss, the simplest of equals.

    Only methods that keep the order of scores are candidates.

    >>> choose({"none": 0.3, "temperature": 0.2, "platt": 0.2, "isotonic": 0.1})
    'temperature'
    >>> choose({"none": 0.3, "temperature": None, "platt": None, "isotonic": None})
    'none'
    """
    best = "none"
    for method in CHOOSABLE[1:]:
        loss, least = losses[method], losses[best]
        if loss is not None and least is not None and loss < least:
            best = method
    return best


def _folds(labels: Numbers, patients: npt.NDArray[Any], seed: int) -> npt.NDArray[np.int64]:
    """Deals patients to folds, those with the finding first, so that each fold gets its share."""
    number, patient_of = people.numbered(patients)
    positive = np.bincount(patient_of, weights=labels, minlength=number) > 0
    order = np.random.default_rng(seed).permutation(number)
    # Stable: shuffled among those with the finding, and among the others behind them.
    order = order[np.argsort(~positive[order], kind="stable")]
    fold_of = np.empty(number, np.int64)
    fold_of[order] = np.arange(number) % FOLDS
    return fold_of[patient_of]
