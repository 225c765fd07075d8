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
from trainer.evaluation.auc import Floats, auroc, aurocs
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
    labels: Floats, scores: Floats, patients: npt.NDArray[Any], draws: Resamples, *, seed: int
) -> Discrimination:
    """Returns the figures of n images and L findings.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        patients: [n].
        draws: of the patients, for these images.
        seed: of the resamples of images and of the choice of one image of each patient.
    """
    by_patient, precision = areas(labels, scores, draws)
    by_image, _ = areas(
        labels,
        scores,
        resample(np.arange(len(patients)), labels, resamples=draws.number, seed=seed),
    )
    columns = zip(labels.T, scores.T, strict=True)
    closed = Summary(
        tuple(delong.interval(*pair) for pair in columns),
        delong.mean_interval(labels, scores),
        delong.interval(labels.ravel(), scores.ravel()),
    )
    single = one_per_patient.summary(labels, scores, patients, draws, seed=seed)
    in_clusters = clustered.summary(labels, scores, draws.patient_of)
    return Discrimination(by_patient, in_clusters, by_image, closed, single, precision)


def areas(labels: Floats, scores: Floats, draws: Resamples) -> tuple[Summary, Summary]:
    """Returns AUCs and average precisions with the intervals that these draws give.

    Args:
        labels: [n, L].
        scores: [n, L].
        draws: of patients or of images, for these n images.
    """
    columns = list(zip(labels.T, scores.T, strict=True))
    resampled = np.array([draws.areas(*pair) for pair in columns])
    together = (labels.ravel(), scores.ravel())
    pooled = draws.select(np.repeat(np.arange(len(labels)), labels.shape[1])).areas(*together)
    points = (aurocs(labels, scores), np.array([average_precision(*pair) for pair in columns]))
    micro = (auroc(*together), average_precision(*together))
    auc, precision = (
        Summary.of(points[kind], resampled[:, kind], percentile(micro[kind], pooled[kind]))
        for kind in (0, 1)
    )
    return auc, precision


def width_ratio(ours: Interval, other: Interval) -> float | None:
    """Returns how many times as wide as another interval ours is; None where one has no width."""
    if ours.low is None or ours.high is None or other.low is None or other.high is None:
        return None
    width = other.high - other.low
    return (ours.high - ours.low) / width if width > 0 else None
