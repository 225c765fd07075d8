# SPDX-License-Identifier: MIT
"""One finding sorted by score once, from which the exact areas of every resample follow."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats


def average_precision(labels: Floats, scores: Floats) -> float:
    """Returns the exact average precision, or NaN without any positive or without any negative.

    Precision is the share of called images that have the finding. The average is over the
    positives, each at the threshold that just calls it, without interpolation (Davis and Goadrich,
    ICML 2006, show why straight lines between points would flatter). A score without any
    information reaches the prevalence.

    Args:
        labels: [n]; 1, 0 or NaN for unknown (left out).
        scores: [n]; higher means more suspicious.

    >>> round(average_precision(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.9, 0.1])), 6)
    0.833333
    >>> average_precision(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    0.5
    """
    once = np.ones((len(labels), 1), dtype=np.int32)
    return float(Ranking.of(labels, scores, np.arange(len(labels))).areas(once)[1, 0])


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """The images of one finding, sorted by score.

    The distinct scores s_0 < s_1 < ... of the positives cut the negatives into slots: slot 2k holds
    those between s_(k-1) and s_k, slot 2k+1 those tied with s_k. With C the running sum over slots
    of the negatives' counts, twice the Mann-Whitney U is the sum over k of
    count(positives at s_k) * (C[2k] + C[2k+1]): whole numbers throughout, so ties are exact. At the
    threshold s_k there are total - C[2k] false positives, from which the precision follows.

    Attributes:
        positives: patient of each positive image, rising score, int [P].
        positive_starts: where each distinct score starts in `positives`, int [K].
        negatives: patient of each negative image, rising slot, int [N].
        negative_starts: where each slot that is not empty starts in `negatives`, int.
        slots: the numbers of those slots, from 0 to 2K, int.
    """

    positives: npt.NDArray[np.intp]
    positive_starts: npt.NDArray[np.intp]
    negatives: npt.NDArray[np.intp]
    negative_starts: npt.NDArray[np.intp]
    slots: npt.NDArray[np.intp]

    @classmethod
    def of(cls, labels: Floats, scores: Floats, patient_of: npt.NDArray[np.intp]) -> "Ranking":
        """Sorts one finding; images with an unknown label are left out.

        Args:
            labels: [n]; 1, 0 or NaN for unknown.
            scores: [n].
            patient_of: number of the patient of each image, int [n].
        """
        positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
        positive = positive[np.argsort(scores[positive], kind="stable")]
        distinct, positive_starts = np.unique(scores[positive], return_index=True)
        slot = np.searchsorted(distinct, scores[negative], side="left") + np.searchsorted(
            distinct, scores[negative], side="right"
        )
        order = np.argsort(slot, kind="stable")
        slots, negative_starts = np.unique(slot[order], return_index=True)
        return cls(
            patient_of[positive],
            positive_starts,
            patient_of[negative[order]],
            negative_starts,
            slots,
        )

    def areas(self, counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Returns the AUC and the average precision of each resample.

        Args:
            counts: how often each patient is in each resample, whole numbers [patients, b]; read
                fastest where the counts of a resample lie side by side.

        Returns:
            float64 [2, b], AUC first; NaN where a resample holds no positive or no negative.
        """
        if not len(self.positives) or not len(self.negatives):
            return np.full((2, counts.shape[1]), np.nan)
        hits, running, aucs = self._counted(counts)
        # At each positive's score as the threshold: positives found, and all images called.
        found = np.cumsum(hits[:, ::-1], axis=1)[:, ::-1]
        # Where nothing is called there is no precision, and no positive at that score either.
        called = np.maximum(found + running[:, -1:] - running[:, :-1:2], 1)
        with np.errstate(invalid="ignore"):
            precisions = (hits * (found / called)).sum(axis=1) / found[:, 0]
        return np.array([aucs, np.where(np.isnan(aucs), np.nan, precisions)])

    def aucs(self, counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Returns the AUC of each resample alone, float64 [1, b], in less time than `areas`."""
        if not len(self.positives) or not len(self.negatives):
            return np.full((1, counts.shape[1]), np.nan)
        return self._counted(counts)[2][np.newaxis]

    def _counted(
        self, counts: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Positives at each distinct score, negatives up to each slot, both [b, .], and AUCs."""
        hits = _summed(counts, self.positives, self.positive_starts)
        running = np.zeros((len(hits), 2 * len(self.positive_starts) + 1), dtype=np.int64)
        running[:, self.slots] = _summed(counts, self.negatives, self.negative_starts)
        np.cumsum(running, axis=1, out=running)
        # A positive beats all negatives below it and half of those tied with it: the even slots
        # end with the first, the odd ones with both.
        twice_u = (hits * (running[:, :-1:2] + running[:, 1::2])).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return hits, running, twice_u / (2 * hits.sum(axis=1) * running[:, -1])


def _summed(
    counts: npt.NDArray[Any], patients: npt.NDArray[np.intp], starts: npt.NDArray[np.intp]
) -> npt.NDArray[np.int64]:
    """The counts of these patients, summed from each start to the next, int64 [b, starts]."""
    sums: npt.NDArray[np.int64] = np.add.reduceat(
        counts.T.take(patients, axis=1), starts, axis=1, dtype=np.int64
    )
    return sums
