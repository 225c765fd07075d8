# SPDX-License-Identifier: MIT
"""Whether scores can be read as probabilities: Brier score, reliability, slope and intercept.

Every figure here is of images whose label is known. Figures of resamples come from weighted sums
over images, so that 1,000 resamples cost one product of matrices.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats
from trainer.evaluation.intervals import Resamples
from trainer.evaluation.logistic import (
    SMALLEST,
    Numbers,
    fit_intercept,
    fit_line,
    logits,
    sigmoid,
)

BINS = 15
MEASURES = (
    *("brier", "brier_skill", "log_loss", "observed_expected"),
    *("in_the_large", "intercept", "slope"),
)


@dataclass(frozen=True)
class Reliability:
    """Images in bins of rising score.

    Attributes:
        counts: images in each bin, int64 [k].
        scores: mean score, float64 [k].
        observed: share that has the finding, float64 [k].
        bin_of: the bin of each image, int64 [n].
    """

    counts: npt.NDArray[np.int64]
    scores: Numbers
    observed: Numbers
    bin_of: npt.NDArray[np.int64]

    def as_json(self) -> dict[str, list[float]]:
        """Returns the points of the diagram as the report holds them."""
        return {name: getattr(self, name).tolist() for name in ("counts", "scores", "observed")}


@dataclass(frozen=True)
class Calibration:
    """The calibration of one finding's scores; NaN where a figure is not defined.

    Attributes:
        brier: mean squared difference of score and label (Brier, Monthly Weather Review 1950; 78).
        brier_skill: 1 - brier / (brier of giving every image the prevalence): 1 is perfect, 0 is no
            better than the prevalence.
        log_loss: mean of minus the log of the probability given to what is so, natural logarithm.
        observed_expected: images with the finding over the sum of scores (Debray et al., BMJ 2017;
            356:i6460); 1 is perfect, above 1 the finding is more common than the scores say.
        in_the_large: intercept of a logistic line of slope 1 through the scores' logits; 0 is
            perfect, above 0 the finding is more common than the scores say.
        intercept: of the logistic line with a free slope.
        slope: of that line; 1 is perfect, below 1 the scores are too extreme.
        ece: expected calibration error, the mean over images of the distance between the mean score
            and the share that has the finding in the image's bin.
        ece_floor: the ECE to expect by chance of scores that are perfectly calibrated, by the
            normal approximation and for independent images.
        clipped: images with a score so near 0 or 1 that its logit was limited.
        reliability: the bins.
    """

    brier: float
    brier_skill: float
    log_loss: float
    observed_expected: float
    in_the_large: float
    intercept: float
    slope: float
    ece: float
    ece_floor: float
    clipped: int
    reliability: Reliability


def measure(labels: Floats, scores: Floats, *, bins: int = BINS) -> Calibration | None:
    """Measures the calibration of one finding.

    Args:
        labels: [n] of 0 and 1, all known.
        scores: [n], probabilities.
        bins: of equal mass, see `equal_mass`.

    Returns:
        None without any image.
    """
    if not len(labels):
        return None
    truth, chance = labels.astype(np.float64), scores.astype(np.float64)
    values = logits(chance)
    line, large = fit_line(values, truth), fit_intercept(values, truth)
    parts = reliability(truth, chance, bins=bins)
    gaps = parts.counts * np.abs(parts.observed - parts.scores)
    variances = np.bincount(parts.bin_of, weights=chance * (1 - chance))
    brier = float(np.mean((chance - truth) ** 2))
    reference = float(truth.mean() * (1 - truth.mean()))
    nothing = float("nan")
    return Calibration(
        brier=brier,
        brier_skill=1 - brier / reference if reference else nothing,
        log_loss=float(log_losses(truth, chance).mean()),
        observed_expected=float(truth.sum() / chance.sum()) if chance.any() else nothing,
        in_the_large=nothing if large is None else large,
        intercept=nothing if line is None else line.intercept,
        slope=nothing if line is None else line.slope,
        ece=float(gaps.sum() / len(truth)),
        # The mean distance of a normal variable from its mean is sqrt(2 / pi) standard deviations.
        ece_floor=float(np.sqrt(2 / np.pi * variances).sum() / len(truth)),
        clipped=int(((chance < SMALLEST) | (chance > 1 - SMALLEST)).sum()),
        reliability=parts,
    )


def known(labels: Floats, scores: Floats) -> tuple[Numbers, Numbers]:
    """Returns labels and scores of the images whose label is not NaN, float64."""
    which = ~np.isnan(labels)
    return labels[which].astype(np.float64), scores[which].astype(np.float64)


def equal_mass(scores: Floats, bins: int) -> npt.NDArray[np.int64]:
    """Returns the bin of each score, int64 [n]: bins of nearly equal numbers of images.

    The edges are quantiles of the scores, and a score on an edge belongs to the lower bin, so that
    equal scores always share a bin. Bins that this leaves empty are not counted.

    >>> equal_mass(np.array([0.1, 0.2, 0.2, 0.2, 0.9]), 2)
    array([0, 0, 0, 0, 1])
    """
    edges = np.quantile(scores.astype(np.float64), np.linspace(0, 1, bins + 1)[1:-1])
    place = np.searchsorted(edges, scores.astype(np.float64), side="left")
    return np.unique(place, return_inverse=True)[1].astype(np.int64)


def reliability(labels: Numbers, scores: Numbers, *, bins: int = BINS) -> Reliability:
    """Returns the points of a reliability diagram, of one image or more."""
    bin_of = equal_mass(scores, bins)
    counts = np.bincount(bin_of)
    return Reliability(
        counts.astype(np.int64),
        np.bincount(bin_of, weights=scores) / counts,
        np.bincount(bin_of, weights=labels) / counts,
        bin_of,
    )


def log_losses(labels: Numbers, scores: Numbers) -> Numbers:
    """Returns each image's log loss, float64 [n], at most 16.1 where the score is 0 or 1."""
    kept = np.clip(scores, SMALLEST, 1 - SMALLEST)
    return np.asarray(-np.log(np.where(labels == 1, kept, 1 - kept)))


def resampled(
    labels: Floats, scores: Floats, found: Calibration, draws: Resamples
) -> tuple[dict[str, Numbers], Numbers]:
    """Returns the figures in every resample.

    The lines of a resample are one Newton step from the lines of all images, whose error is of a
    smaller order than their spread (Moulton and Zeger, Computational Statistics and Data Analysis
    1991; 11:53-63). The bins are those of all images.

    Args:
        labels: [n] as for `measure`.
        scores: [n].
        found: what `measure` returned.
        draws: resamples of the same n images.

    Returns:
        `MEASURES` -> float64 [B], NaN where one is not defined; and the share that has the finding
        in each bin, float64 [B, k].
    """
    truth, chance = labels.astype(np.float64), scores.astype(np.float64)
    parts = _parts(truth, chance, found)
    # All sums of all resamples at once. A column that is not defined is 0 here, and what is
    # made of it stays undefined by the NaN of `found` that it is added to.
    sums = draws.sums(np.nan_to_num(np.hstack(parts)))
    widths = np.cumsum([part.shape[1] for part in parts[:-1]])
    counts, positives, simple, one, two = np.split(sums, widths, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = counts.sum(axis=1, keepdims=True)
        prevalence = positives.sum(axis=1) / total[:, 0]
        brier, log_loss, expected = (simple / total).T
        intercept, slope = _stepped_line(two, found, float(logits(chance).mean()))
        compared = {
            "brier_skill": 1 - brier / (prevalence * (1 - prevalence)),
            "in_the_large": found.in_the_large + one[:, 0] / one[:, 1],
            "intercept": intercept,
            "slope": slope,
        }
        # One step is finite even where a resample without a positive has no line at all.
        absent = (prevalence == 0) | (prevalence == 1)
        for each in compared.values():
            each[absent | ~np.isfinite(each)] = np.nan
        ratio = np.where(expected > 0, prevalence / expected, np.nan)
        simply = {"brier": brier, "log_loss": log_loss, "observed_expected": ratio}
        return {**simply, **compared}, positives / counts


def _parts(truth: Numbers, chance: Numbers, found: Calibration) -> list[Numbers]:
    """What each image adds to the sums of a resample, float64 [n, .] each.

    Images in each bin, positives in each bin, squared error, log loss and score, and the gradient
    and curvature of the likelihood at either line: of the intercept (2), of the free line (5).
    """
    values = logits(chance)
    # Centred, so that the sums of a step lose no digits to each other.
    moved = values - values.mean()
    members = np.eye(len(found.reliability.counts))[found.reliability.bin_of]
    # Both lines at every image: of slope 1 (large) and of free slope (line).
    large = sigmoid(values + found.in_the_large)
    line = sigmoid(found.intercept + found.slope * values)
    rest, weight = truth - line, line * (1 - line)
    return [
        members,
        members * truth[:, None],
        np.stack([(chance - truth) ** 2, log_losses(truth, chance), chance], axis=1),
        np.stack([truth - large, large * (1 - large)], axis=1),
        np.stack([rest, rest * moved, weight, weight * moved, weight * moved**2], axis=1),
    ]


def _stepped_line(sums: Numbers, found: Calibration, center: float) -> tuple[Numbers, Numbers]:
    """Intercept and slope of each resample, [B]: one Newton step from the line of all images.

    Args:
        sums: of the gradient (2) and the curvature (3) at logits less `center`, float64 [B, 5].
        found: holds the line of all images.
        center: the mean logit.
    """
    first, second, a, b, c = sums.T
    # The inverse of the curvature [[a, b], [b, c]] times the gradient, written out.
    determinant = a * c - b**2
    slope = found.slope + (a * second - b * first) / determinant
    level = found.intercept + found.slope * center + (c * first - b * second) / determinant
    # From the mean logit back to a logit of 0.
    return level - slope * center, slope
