# SPDX-License-Identifier: MIT
"""How well scores tell images with a finding from images without it, with every kind of interval.

The interval to quote is that of resampled patients, or in closed form the clustered one. Beside
them are the two that treat images as independent, to show what that assumption would have claimed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation import clustered, delong, one_per_patient
from trainer.evaluation.auc import Floats, auroc
from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.ranking import average_precision
from trainer.evaluation.resamples import Resamples, resample
from trainer.evaluation.summary import Summary


@dataclass(frozen=True)
class Discrimination:
    """The figures of one split.

    Attributes:
        auc: exact AUCs with intervals by resampling patients.
        auc_clustered: the same AUCs with intervals in closed form for clustered images.
        auc_image_level: the same AUCs with intervals by resampling images.
        auc_delong: the same AUCs with intervals after DeLong.
        auc_one_per_patient: AUCs with one image of each patient, resampling patients; no micro.
        average_precision: exact, with intervals by resampling patients.
    """

    auc: Summary
    auc_clustered: Summary
    auc_image_level: Summary
    auc_delong: Summary
    auc_one_per_patient: Summary
    average_precision: Summary


def measure(
    labels: Floats,
    scores: Floats,
    patients: npt.NDArray[Any],
    draws: Resamples,
    *,
    free: Resamples | None = None,
    seed: int,
) -> Discrimination:
    """Returns the figures of n images and L findings.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        patients: [n].
        draws: of the patients, for these images.
        free: the same without strata, for average precision; None takes `draws`.
        seed: of the resamples of images and of the choice of one image of each patient.
    """
    images = resample(np.arange(len(patients)), labels, resamples=draws.number, seed=seed)
    columns = zip(labels.T, scores.T, strict=True)
    closed = Summary(
        tuple(delong.interval(*pair) for pair in columns),
        delong.mean_interval(labels, scores),
        delong.interval(labels.ravel(), scores.ravel()),
    )
    single = one_per_patient.summary(labels, scores, patients, draws, seed=seed)
    in_clusters = clustered.summary(labels, scores, draws.patient_of)
    return Discrimination(
        areas(labels, scores, draws),
        in_clusters,
        areas(labels, scores, images),
        closed,
        single,
        areas(labels, scores, free or draws, precision=True),
    )


def areas(labels: Floats, scores: Floats, draws: Resamples, *, precision: bool = False) -> Summary:
    """Returns AUCs, or average precisions, with the intervals that these draws give.

    Args:
        labels: [n, L].
        scores: [n, L].
        draws: of patients or of images, for these n images.
        precision: whether average precisions are asked for.
    """
    exact = average_precision if precision else auroc

    def drawn(pair: tuple[Floats, Floats], draws: Resamples) -> npt.NDArray[np.float64]:
        return draws.areas(*pair)[1] if precision else draws.aucs(*pair)

    columns = list(zip(labels.T, scores.T, strict=True))
    together = (labels.ravel(), scores.ravel())
    pooled = draws.select(np.repeat(np.arange(len(labels)), labels.shape[1]))
    return Summary.of(
        np.array([exact(*pair) for pair in columns]),
        np.array([drawn(pair, draws) for pair in columns]),
        percentile(exact(*together), drawn(together, pooled)),
    )


def width_ratio(ours: Interval, other: Interval) -> float | None:
    """Returns how many times as wide as another interval ours is; None where one has no width."""
    if ours.low is None or ours.high is None or other.low is None or other.high is None:
        return None
    width = other.high - other.low
    return (ours.high - ours.low) / width if width > 0 else None
