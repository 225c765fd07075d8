# SPDX-License-Identifier: MIT
"""What recalibrating a model on some of another hospital's patients would do for the others.

The simplest ways to update a model, which need the fewest patients (Steyerberg et al., Statistics
in Medicine 2004; 23:2567-2586; Janssen et al., Journal of Clinical Epidemiology 2008; 61:76-86):
`intercept`, logit(p) + a, recalibration in the large; and `logistic`, a + b * logit(p).
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation import intervals
from trainer.evaluation.auc import Floats
from trainer.evaluation.calibration import log_losses, measure
from trainer.evaluation.logistic import Line, Numbers, fit_intercept, fit_line, logits, sigmoid
from trainer.evaluation.summary import mean_of

METHODS = ("intercept", "logistic")
LOSSES = ("log_loss_change", "brier_change")

Shares = npt.NDArray[np.int64]


def deal(patients: npt.NDArray[Any], shares: int, seed: int) -> Shares:
    """Deals patients to shares of one size, blind to labels: int64 [n], all of a patient in one."""
    number, patient_of = people.numbered(patients)
    share_of = np.empty(number, np.int64)
    share_of[np.random.default_rng(seed).permutation(number)] = np.arange(number) % shares
    return share_of[patient_of]


def crossed(
    method: str, labels: Numbers, scores: Numbers, share_of: Shares
) -> tuple[Numbers, list[Line]]:
    """Recalibrates the images of each share by a line that was fitted on another share alone.

    Args:
        method: one of `METHODS`.
        labels: float64 [n] of 0 and 1.
        scores: float64 [n].
        share_of: int [n], as `deal` returns it.

    Returns:
        Scores, [n], as they are where a share gives no line that rises; and the lines.
    """
    values, updated, lines = logits(scores), scores.copy(), []
    there = np.unique(share_of)
    for share, other in zip(there, np.roll(there, 1), strict=True) if len(there) > 1 else ():
        own, judged = share_of == share, share_of == other
        if method == "intercept":
            level = fit_intercept(values[own], labels[own])
            line = None if level is None else Line(level, 1.0)
        else:
            line = fit_line(values[own], labels[own])
        if line and line.slope > 0:
            updated[judged] = sigmoid(line.intercept + line.slope * values[judged])
            lines.append(line)
    return updated, lines


def effects(
    labels: Floats, scores: Floats, share_of: Shares, draws: intervals.Resamples
) -> dict[str, Any]:
    """Returns what recalibration on one share of the patients does for others.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown (left out).
        scores: [n, L], probabilities.
        share_of: as `deal` returns it.
        draws: resamples of these images. They draw the patients who are judged; the lines stay.

    Returns:
        `findings`, one dict each by method: `lines` (how many shares gave one), the lowest and
        highest `intercept` and `slope_factor` of these, `LOSSES` against the scores as they are
        (below 0 is better), and `ece`, `in_the_large` and `slope` of all recalibrated scores
        together; `mean` of `LOSSES` by method over the findings. `LOSSES` are not defined where no
        share gave a line.
    """
    known = ~np.isnan(labels)
    changes = np.zeros((*labels.shape, len(METHODS), len(LOSSES)))
    findings: list[dict[str, Any]] = [{} for _ in known.T]
    for at, there in enumerate(known.T):
        truth, chance = (part[there, at].astype(np.float64) for part in (labels, scores))
        for number, method in enumerate(METHODS):
            updated, lines = crossed(method, truth, chance, share_of[there])
            changes[there, at, number] = _losses(truth, updated) - _losses(truth, chance)
            findings[at][method] = _figures(truth, updated, lines)
    sums = draws.sums(np.hstack([known, changes.reshape(len(labels), -1)]))
    counts, rest = sums[:, : len(findings), None, None], sums[:, len(findings) :]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = changes.sum(axis=0) / known.sum(axis=0)[:, None, None]
        drawn = rest.reshape(-1, *values.shape) / counts
    drawn[:, ~draws.several(known)] = np.nan
    # Where no share gave a line nothing was recalibrated, which is not the same as no change.
    idle = np.array([[not found[method]["lines"] for method in METHODS] for found in findings])
    values[idle] = drawn[:, idle] = np.nan
    mean: dict[str, Any] = {method: {} for method in METHODS}
    for row, column in np.ndindex(len(METHODS), len(LOSSES)):
        method, loss = METHODS[row], LOSSES[column]
        of_all, ends = values[:, row, column], drawn[:, :, row, column].T
        mean[method][loss] = intervals.as_json(mean_of(of_all, ends))
        for at, finding in enumerate(findings):
            finding[method][loss] = intervals.entry(of_all[at], ends[at])
    return {"findings": findings, "mean": mean}


def _losses(labels: Numbers, scores: Numbers) -> Numbers:
    return np.stack([log_losses(labels, scores), (scores - labels) ** 2], axis=1)


def _figures(labels: Numbers, scores: Numbers, lines: list[Line]) -> dict[str, Any]:
    found = measure(labels, scores)
    figures = {name: getattr(found, name, np.nan) for name in ("ece", "in_the_large", "slope")}
    fitted = np.array([dataclasses.astuple(line) for line in lines]).reshape(-1, 2)
    ends = np.array([fitted.min(axis=0), fitted.max(axis=0)]).T.tolist() if lines else [None, None]
    return {
        "lines": len(lines),
        **dict(zip(("intercept", "slope_factor"), ends, strict=True)),
        **{name: None if np.isnan(value) else float(value) for name, value in figures.items()},
    }
