# SPDX-License-Identifier: MIT
"""One figure of every finding, and what is said of all findings together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.intervals import NOTHING, Interval, percentile


@dataclass(frozen=True)
class Summary:
    """A figure of L findings.

    Attributes:
        findings: one a finding, in the order of the columns.
        mean: of the unweighted mean over the findings in which the figure is defined (macro).
        micro: of all pairs of label and score pooled, whatever their finding.
    """

    findings: tuple[Interval, ...]
    mean: Interval
    micro: Interval

    @classmethod
    def of(
        cls,
        values: npt.NDArray[np.float64],
        draws: npt.NDArray[np.float64],
        micro: Interval = NOTHING,
    ) -> "Summary":
        """Returns the figures [L], given also in every resample [L, B], with their intervals."""
        pairs = zip(values.tolist(), draws, strict=True)
        return cls(tuple(percentile(*pair) for pair in pairs), mean_of(values, draws), micro)


def mean_of(values: npt.NDArray[np.float64], draws: npt.NDArray[np.float64]) -> Interval:
    """Returns the interval of the mean over the findings that have a value.

    A resample in which one of these findings has none is dropped, so that every resample averages
    the same findings.

    Args:
        values: float64 [L], the figure of each finding; NaN where it is not defined.
        draws: float64 [L, B], the same in every resample.
    """
    defined = ~np.isnan(values)
    if not defined.any():
        return Interval(None, None, None, draws.shape[1])
    return percentile(float(values[defined].mean()), draws[defined].mean(axis=0))
