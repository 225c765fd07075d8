# SPDX-License-Identifier: MIT
"""The mean over findings averages the same findings in every resample."""

import numpy as np

from trainer.evaluation.intervals import Interval, percentile
from trainer.evaluation.summary import mean_of


def test_only_defined_findings_are_averaged() -> None:
    draws = np.random.default_rng(0).random((3, 50))
    found = mean_of(np.array([0.4, np.nan, 0.8]), draws)
    assert found == percentile((0.4 + 0.8) / 2, (draws[0] + draws[2]) / 2)


def test_a_resample_in_which_one_finding_has_none_is_dropped() -> None:
    draws = np.tile([[0.2], [0.6]], 10)
    draws[1, :3] = np.nan
    found = mean_of(np.array([0.2, 0.6]), draws)
    assert found.dropped_resamples == 3
    np.testing.assert_allclose([found.low, found.high], 0.4)


def test_no_finding_has_no_mean() -> None:
    assert mean_of(np.full(2, np.nan), np.zeros((2, 7))) == Interval(None, None, None, 7)
