# SPDX-License-Identifier: MIT
"""How a model does in groups of images: AUC, and both rates at thresholds chosen elsewhere.

All groups are measured in the same resamples of patients, so that the difference of two groups can
be taken resample by resample: patients that have images in both are counted once.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import delong, intervals
from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.intervals import Interval, Resamples
from trainer.evaluation.operating_points import called_counts

# With fewer images of a kind one image moves a rate by more than ten points; of fewer patients, the
# spread over patients drawn again is luck.
FEWEST = 10
MEASURES = ("auc", "tpr", "fpr")

Numbers = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Figures:
    """What was measured in one group of images, for L findings and B resamples.

    Attributes:
        images: how many there are.
        patients: how many they are of.
        positives: images known to have each finding, int [L].
        negatives: images known to be without it, int [L].
        enough: for which findings there are `FEWEST` images with and without them, of as
            many patients each, bool [L]; figures of the others would be luck.
        points: measure -> float64 [L]; NaN where it is not defined or the group is too small.
        draws: measure -> float64 [L, B], the same in every resample.
        bounded: measure -> where it is a rate of 0 or 1, or a difference from one, bool [L].
    """

    images: int
    patients: int
    positives: npt.NDArray[np.int64]
    negatives: npt.NDArray[np.int64]
    enough: npt.NDArray[np.bool_]
    points: dict[str, Numbers]
    draws: dict[str, Numbers]
    bounded: dict[str, npt.NDArray[np.bool_]]

    def interval(self, measure: str, finding: int) -> Interval:
        """Returns the figure of one finding with its interval.

        Without ends for a rate of 0 or 1: every resample has the same, whatever other patients
        would have given.
        """
        point = float(self.points[measure][finding])
        if self.bounded[measure][finding] and not np.isnan(point):
            return Interval(point, None, None)
        return intervals.percentile(point, self.draws[measure][finding])

    def mean(self, measure: str, findings: Sequence[int]) -> Interval:
        """Returns the unweighted mean over findings; not defined where one of them is not."""
        if not len(findings):
            return Interval(None, None, None)
        chosen = list(findings)
        return intervals.percentile(
            float(self.points[measure][chosen].mean()), self.draws[measure][chosen].mean(axis=0)
        )

    def minus(self, other: "Figures") -> "Figures":
        """Returns this group's figures less those of another, measured in the same resamples."""
        return dataclasses.replace(
            self,
            points={name: self.points[name] - other.points[name] for name in MEASURES},
            draws={name: self.draws[name] - other.draws[name] for name in MEASURES},
            bounded={name: self.bounded[name] | other.bounded[name] for name in MEASURES},
        )

    def entry(self, finding: int) -> dict[str, Any]:
        """Returns the measures of one finding as the report holds them."""
        return {name: intervals.as_json(self.interval(name, finding)) for name in MEASURES}

    def means(self, averaged: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """Returns the mean of each measure over its findings as the report holds it."""
        return {name: intervals.as_json(self.mean(name, averaged[name])) for name in MEASURES}


def measure(
    labels: Floats,
    scores: Floats,
    draws: Resamples,
    thresholds: Sequence[float | None],
    members: npt.NDArray[np.bool_],
    *,
    free: Resamples | None = None,
    first_order: bool = False,
) -> Figures:
    """Measures AUC, and both rates at the thresholds, in one group.

    Args:
        labels: of all images, [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        draws: resamples of the patients of all n images.
        thresholds: one a finding, chosen on other images than these; None where there is none.
        members: the images of the group, bool [n].
        free: as many resamples without strata, for the rates; None takes those of the AUC.
        first_order: whether AUCs of resamples are those of `near_aucs`, and not exact.
    """
    truth, marks, own = labels[members], scores[members], draws.select(members)
    kinds = truth == 1, truth == 0
    positives, negatives = (on.sum(axis=0) for on in kinds)
    few = [(on.sum(axis=0) < FEWEST) | (own.owners(on) < FEWEST) for on in kinds]
    enough = ~(few[0] | few[1])
    areas = np.full((len(enough), own.number), np.nan)
    aucs = near_aucs if first_order else _exact_aucs
    areas[enough] = aucs(own, truth[:, enough], marks[:, enough])
    counts = _counts(truth, marks, thresholds)
    unused = ~enough | [threshold is None for threshold in thresholds]
    rates = _rates(counts.sum(axis=0, dtype=np.float64)[None], unused)[:, :, 0]
    drawn_rates = _rates((free or draws).select(members).sums(counts), unused)
    seen = np.where(enough, aurocs(truth, marks), np.nan)
    return Figures(
        images=len(truth),
        patients=len(np.unique(own.patient_of)),
        positives=positives,
        negatives=negatives,
        enough=enough,
        points=dict(zip(MEASURES, (seen, *rates), strict=True)),
        draws=dict(zip(MEASURES, (areas, *drawn_rates), strict=True)),
        bounded=dict(zip(MEASURES, (0 * enough > 0, *np.isin(rates, (0, 1))), strict=True)),
    )


def near_aucs(draws: Resamples, labels: Floats, scores: Floats) -> Numbers:
    """Returns AUCs in every resample to first order, [L, B], much faster than exact ones.

    The AUC of all images, and how far each image that is drawn pulls it, as linear.approx of R's
    package boot has it, which is after Davison and Hinkley, Bootstrap Methods and Their
    Application, Cambridge University Press 1997.
    """
    pulls = np.empty(labels.shape)
    for at in range(labels.shape[1]):
        pulls[:, at] = delong.deviations(labels[:, at], scores[:, at])
    return np.clip(aurocs(labels, scores)[:, None] + draws.sums(pulls).T, 0, 1)


def _exact_aucs(draws: Resamples, labels: Floats, scores: Floats) -> Numbers:
    pairs = zip(labels.T, scores.T, strict=True)
    return np.array([draws.aucs(*pair) for pair in pairs]).reshape(-1, draws.number)


def _counts(
    labels: Floats, scores: Floats, thresholds: Sequence[float | None]
) -> npt.NDArray[np.float32]:
    """Four columns a finding: with it, without it, and of each those that are called."""
    columns = zip(labels.T, scores.T, thresholds, strict=True)
    parts = [called_counts(label, score, [threshold]) for label, score, threshold in columns]
    return np.concatenate(parts, axis=1)


def _rates(sums: Numbers, unused: npt.NDArray[np.bool_]) -> Numbers:
    """True and false positive rates, float64 [2, L, B], of sums [B, 4 * L]; NaN where unused."""
    kinds = sums.reshape(len(sums), -1, 2, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (kinds[:, :, 1] / kinds[:, :, 0]).transpose(2, 1, 0)
    shares[:, unused] = np.nan
    return np.asarray(shares)
