# SPDX-License-Identifier: MIT
"""95% intervals of AUCs by resampling patients, all images of a patient together.

Images of one patient resemble each other. Resampling single images would treat them as independent
and give intervals that are too narrow, so the patient is what is drawn, with replacement (cluster
bootstrap: Field and Welsh, J. R. Stat. Soc. B 2007; 69:369-390), and the interval is the
percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

Each finding is sorted once. A resample only changes how often an image counts, so its exact AUC is
a few sums over the sorted images, done for many resamples at a time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats, aurocs

LEVEL = 0.95
# Below this share of usable resamples the rest no longer stands for the data.
MINIMUM_USABLE_SHARE = 0.5
# Counts of one chunk of resamples at every image: small enough to stay in a processor's cache.
_CHUNK_BYTES = 2 * 2**20


@dataclass(frozen=True)
class Interval:
    """An AUC with the interval that resampling gives it.

    Attributes:
        value: the AUC of the data as they are, or None where it is not defined.
        low: lower end, or None where there is no interval.
        high: upper end, or None likewise.
        dropped_resamples: resamples in which the AUC is not defined, and which are left out.
    """

    value: float | None
    low: float | None
    high: float | None
    dropped_resamples: int


@dataclass(frozen=True)
class Intervals:
    """The intervals of every finding and of their mean, from the same resamples.

    Attributes:
        findings: one a finding, in the order of the columns.
        mean: of the unweighted mean over the findings that have an AUC. A resample in which one of
            those has none is dropped, so that every resample averages the same findings.
    """

    findings: tuple[Interval, ...]
    mean: Interval


def bootstrap(
    labels: Floats, scores: Floats, patients: npt.NDArray[Any], *, resamples: int, seed: int
) -> Intervals:
    """Returns AUCs with 95% intervals by the patient-level bootstrap.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        patients: [n], the patient of each image.
        resamples: how many times patients are drawn, 1 or more; 1,000 is usual.
        seed: of the draws; the same seed gives the same intervals.

    Returns:
        Ends are None where the AUC is not defined, where fewer than two patients have a known
        label, or where fewer than half of the resamples can be used.

    Raises:
        ValueError: `resamples` is below 1.
    """
    points = aurocs(labels, scores)
    draws = resampled_aucs(labels, scores, patients, resamples=resamples, seed=seed)
    enough = [len(np.unique(patients[~np.isnan(column)])) > 1 for column in labels.T]
    findings = tuple(
        _interval(point, column, possible)
        for point, column, possible in zip(points, draws.T, enough, strict=True)
    )
    defined = ~np.isnan(points)
    if not defined.any():
        return Intervals(findings, Interval(None, None, None, resamples))
    possible = all(flag for flag, known in zip(enough, defined, strict=True) if known)
    mean = _interval(float(points[defined].mean()), draws[:, defined].mean(axis=1), possible)
    return Intervals(findings, mean)


def resampled_aucs(
    labels: Floats, scores: Floats, patients: npt.NDArray[Any], *, resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """Returns the exact AUC of every finding in every resample of patients.

    Two score columns of the same images get the same draws from the same seed, so that their
    difference can be taken resample by resample.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        patients: [n].
        resamples: how many times to draw, 1 or more.
        seed: of the draws.

    Returns:
        float64 [resamples, L]; NaN where a resample holds no positive or no negative.

    Raises:
        ValueError: `resamples` is below 1.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples; at least 1 is needed")
    unique, patient_of = np.unique(patients, return_inverse=True)
    sorted_findings = [
        _Sorted.of(label, score, patient_of)
        for label, score in zip(labels.T, scores.T, strict=True)
    ]
    generator = np.random.Generator(np.random.PCG64(seed))
    chunk = max(1, min(resamples, _CHUNK_BYTES // (4 * max(1, len(patients)))))
    result = np.empty((resamples, labels.shape[1]))
    for start in range(0, resamples, chunk):
        counts = draw_counts(generator, len(unique), min(chunk, resamples - start))
        for position, finding in enumerate(sorted_findings):
            result[start : start + counts.shape[1], position] = finding.aucs(counts)
    return result


def draw_counts(
    generator: np.random.Generator, patients: int, resamples: int
) -> npt.NDArray[np.int32]:
    """Draws patients with replacement: how often each stands in each resample.

    One call a resample keeps the draws the same whatever the size of the chunks.

    Args:
        generator: where the draws come from; it moves on.
        patients: how many there are; as many are drawn.
        resamples: how many times to draw.

    Returns:
        int32 [patients, resamples]; every column sums to `patients`.
    """
    counts = np.empty((patients, resamples), dtype=np.int32)
    for column in range(resamples):
        drawn = generator.integers(0, patients, size=patients)
        counts[:, column] = np.bincount(drawn, minlength=patients)
    return counts


@dataclass(frozen=True)
class _Sorted:
    """One finding, sorted by score once and for all resamples.

    The distinct scores s_0 < s_1 < ... of the positives cut the negatives into slots: slot 2k holds
    those between s_(k-1) and s_k, slot 2k+1 those tied with s_k. With C the running sum over slots
    of the negatives' counts, twice the Mann-Whitney U is the sum over k of
    count(positives at s_k) * (C[2k] + C[2k+1]): whole numbers throughout, so ties are exact.

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
    def of(cls, labels: Floats, scores: Floats, patient_of: npt.NDArray[np.intp]) -> "_Sorted":
        """Sorts one finding; images with an unknown label are left out."""
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

    def aucs(self, counts: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Returns the AUC of each resample, float64 [b], of counts int32 [patients, b]."""
        resamples = counts.shape[1]
        if not len(self.positives) or not len(self.negatives):
            return np.full(resamples, np.nan)
        hits = np.add.reduceat(counts[self.positives], self.positive_starts, axis=0)
        running = np.zeros((2 * len(self.positive_starts) + 1, resamples), dtype=np.int64)
        running[self.slots] = np.add.reduceat(counts[self.negatives], self.negative_starts, axis=0)
        np.cumsum(running, axis=0, out=running)
        twice_u = (hits * (running[:-1:2] + running[1::2])).sum(axis=0)
        pairs = hits.sum(axis=0, dtype=np.int64) * running[-1]
        with np.errstate(invalid="ignore"):
            return np.asarray(twice_u / (2 * pairs), dtype=np.float64)


def _interval(point: float, draws: npt.NDArray[np.float64], possible: bool) -> Interval:
    usable = draws[~np.isnan(draws)]
    dropped = len(draws) - len(usable)
    if np.isnan(point):
        return Interval(None, None, None, dropped)
    if not possible or len(usable) < MINIMUM_USABLE_SHARE * len(draws):
        return Interval(float(point), None, None, dropped)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(usable, [tail, 1 - tail])
    return Interval(float(point), float(low), float(high), dropped)
