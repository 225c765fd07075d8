# SPDX-License-Identifier: MIT
"""One figure of every finding, and what is said of all findings together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.intervals import Interval, percentile


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
