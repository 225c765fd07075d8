# SPDX-License-Identifier: MIT
"""Intervals and tests of AUCs in closed form, after DeLong, each image taken as independent.

The AUC is a mean over pairs of a positive and a negative image. How far each image pulls it up or
down (its structural component) gives the variance, and two sets of scores on the same images the
covariance (DeLong, DeLong and Clarke-Pearson, Biometrics 1988; 44:837-845). The components are
counted from midranks after one sort (Sun and Xu, IEEE Signal Processing Letters 2014;
21:1389-1393). Images of one patient are not independent, so these intervals are too short where
patients have several: they are what most publications print, and are here to be compared with.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.intervals import LEVEL, NOTHING, Interval


@dataclass(frozen=True)
class PairedTest:
    """Whether the AUCs of two sets of scores on the same images differ.

    Attributes:
        difference: the second AUC minus the first.
        standard_error: of the difference; None with fewer than two positives or negatives.
        z: difference over standard error; None where there is no standard error, 0 without any
            difference.
        p_value: two-sided, by the normal distribution; None as z.
    """

    difference: float
    standard_error: float | None
    z: float | None
    p_value: float | None


def deviations(labels: Floats, scores: Floats) -> npt.NDArray[np.float64]:
    """Returns how far each image pulls the AUC, scaled so that variances are sums of products.

    With a = deviations(labels, x) and b = deviations(labels, y), `(a * a).sum()` is DeLong's
    variance of the AUC of x and `(a * b).sum()` the covariance of both AUCs: the component of a
    positive image less the AUC is divided by sqrt(m (m - 1)) for m positives, of a negative image
    by sqrt(n (n - 1)) for n negatives.

    Args:
        labels: [n]; 1, 0 or NaN for unknown.
        scores: [n].

    Returns:
        float64 [n]; 0 where the label is unknown; NaN throughout with fewer than two positives or
        fewer than two negatives.
    """
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    m, n = len(positive), len(negative)
    if m < 2 or n < 2:
        return np.full(len(labels), np.nan)
    above, below = scores[positive], scores[negative]
    # 1. The rank among all images less the rank among one's own kind counts the images of the
    #    other kind below, ties by half. Midranks are multiples of one half: all of this is exact.
    ranks = midranks(np.concatenate([above, below]))
    # 2. The structural components: of a positive image the share of negatives that it beats, of a
    #    negative the share of positives that beat it. Both average to the AUC.
    hits = (ranks[:m] - midranks(above)) / n
    alarms = 1 - (ranks[m:] - midranks(below)) / m
    # 3. The variance of each mean is its components' variance, over m - 1, divided by m; putting
    #    the root of both under the components makes variances and covariances plain sums.
    result = np.zeros(len(labels))
    result[positive] = (hits - hits.mean()) / math.sqrt(m * (m - 1))
    result[negative] = (alarms - alarms.mean()) / math.sqrt(n * (n - 1))
    return result


def midranks(values: Floats) -> npt.NDArray[np.float64]:
    """Returns the rank of each value from 1, and of equal values the mean of their ranks.

    Args:
        values: [n], without NaN.

    >>> midranks(np.array([0.3, 0.1, 0.3, 0.9]))
    array([2.5, 1. , 2.5, 4. ])
    """
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[group], dtype=np.float64)


def interval(labels: Floats, scores: Floats) -> Interval:
    """Returns the AUC of one finding with its interval.

    Args:
        labels: [n]; 1, 0 or NaN for unknown.
        scores: [n].
    """
    return mean_interval(labels[:, None], scores[:, None])


def mean_interval(labels: Floats, scores: Floats) -> Interval:
    """Returns the mean AUC over the findings that have one, with its interval.

    The findings share the images. The deviations of an image are therefore averaged over the
    findings before they are squared, which counts the covariances of all pairs of findings.

    Args:
        labels: [n, L].
        scores: [n, L].
    """
    columns = zip(labels.T, scores.T, strict=True)
    return mean_of(aurocs(labels, scores), np.array([deviations(*pair) for pair in columns]))


def mean_of(points: npt.NDArray[np.float64], pulls: npt.NDArray[np.float64]) -> Interval:
    """Returns the mean of AUCs that are defined, with its interval.

    Args:
        points: float64 [L], the AUCs; NaN where not defined.
        pulls: float64 [L, k], their deviations: those of k images, or others whose sums of products
            are the variances and covariances of the AUCs.
    """
    defined = ~np.isnan(points)
    if not defined.any():
        return NOTHING
    variance = float((pulls[defined].mean(axis=0) ** 2).sum())
    return on_logit_scale(float(points[defined].mean()), variance)


def on_logit_scale(area: float, variance: float) -> Interval:
    """Returns the interval that is symmetric on the logit scale, and so stays between 0 and 1.

    With few positives or an area near 1 it covers better than the symmetric one (Pepe, The
    Statistical Evaluation of Medical Tests for Classification and Prediction, 2003, chapter 5;
    Qin and Hotilovac, Statistical Methods in Medical Research 2008; 17:207-221). For wide samples
    both are the same.

    Args:
        area: from 0 to 1.
        variance: of the area; NaN where it is not known.

    Returns:
        No ends without a variance, nor for an area of 0 or 1: no variance can be learned there.
    """
    if math.isnan(variance) or area <= 0 or area >= 1:
        return Interval(area, None, None)
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(variance) / (area * (1 - area))
    logit = math.log(area / (1 - area))
    # exp must not see large numbers: the logistic function of -x is one less that of x.
    low, high = (0.5 * (1 + math.tanh((logit + step) / 2)) for step in (-reach, reach))
    return Interval(area, min(low, area), max(high, area))


def paired_test(difference: float, deviation: npt.NDArray[np.float64]) -> PairedTest:
    """Tests whether a difference of AUCs, or of means of AUCs, is other than 0.

    Args:
        difference: of two AUCs on the same images, or a mean of such differences.
        deviation: [n], the same difference of the `deviations`.
    """
    variance = float((deviation**2).sum())
    if math.isnan(variance):
        return PairedTest(difference, None, None, None)
    error = math.sqrt(variance)
    # Without any spread the scores rank all pairs alike, or every pair the other way round.
    z = difference / error if error else 0.0 if difference == 0 else None
    return PairedTest(difference, error, z, two_sided(difference, error))


def two_sided(difference: float, error: float) -> float | None:
    """Returns the chance of a normal difference so far from 0 or farther, if there were none.

    None for a difference that never varies and is not 0.
    """
    if error == 0:
        return 1.0 if difference == 0 else None
    return math.erfc(abs(difference) / error / math.sqrt(2))
