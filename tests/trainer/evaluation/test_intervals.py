# SPDX-License-Identifier: MIT
"""An interval holds its figure, spans the middle of the resamples, or is absent."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer.evaluation.intervals import Interval, along, as_json, percentile

SHARES = st.floats(0, 1) | st.just(float("nan"))


def test_ends_are_quantiles_of_the_usable_draws() -> None:
    draws = np.random.default_rng(0).random(1000)
    draws[::7] = np.nan
    usable = np.sort(draws[~np.isnan(draws)])
    found = percentile(0.5, draws)
    assert found.dropped_resamples == 143
    # Hyndman and Fan's definition 7, by hand: between the neighbours of (n - 1) q.
    for end, share in ((found.low, 0.025), (found.high, 0.975)):
        place = (len(usable) - 1) * share
        below = usable[int(place)]
        expected = below + (place - int(place)) * (usable[int(place) + 1] - below)
        np.testing.assert_allclose(end, expected, rtol=0, atol=1e-12)


@given(SHARES, arrays(np.float64, st.integers(1, 30), elements=SHARES))
def test_an_interval_holds_its_figure_and_stays_in_range(value: float, draws: np.ndarray) -> None:
    found = percentile(value, draws)
    assert found.dropped_resamples == np.isnan(draws).sum()
    if found.low is None:
        missing = np.isnan(draws).mean()
        assert found.high is None and (np.isnan(value) or missing > 0.5)
    else:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_an_undefined_figure_has_no_ends() -> None:
    for value in (None, float("nan")):
        assert percentile(value, np.full(10, 0.4)) == Interval(None, None, None, 0)


def test_half_of_the_resamples_are_enough_and_fewer_are_not() -> None:
    draws = np.full(10, 0.4)
    draws[:5] = np.nan
    assert percentile(0.4, draws) == Interval(0.4, 0.4, 0.4, 5)
    draws[5] = np.nan
    assert percentile(0.4, draws) == Interval(0.4, None, None, 6)
    assert percentile(0.4, np.full(3, np.nan)) == Interval(0.4, None, None, 3)


def test_an_end_is_moved_out_to_a_figure_that_lies_outside() -> None:
    assert percentile(0.9, np.full(100, 0.4)) == Interval(0.9, 0.4, 0.9, 0)
    assert percentile(0.1, np.full(100, 0.4)) == Interval(0.1, 0.1, 0.4, 0)


def test_json_names_every_part() -> None:
    assert as_json(Interval(0.5, 0.4, 0.6, 7)) == {
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "dropped_resamples": 7,
    }


def test_figures_along_a_list_have_each_their_own_interval() -> None:
    draws = np.random.default_rng(1).random((100, 3))
    draws[:, 2] = np.nan
    found = along(np.array([0.5, 0.25, 0.75]), draws)
    for at, value in enumerate((0.5, 0.25, 0.75)):
        expected = percentile(value, draws[:, at])
        assert (found["value"][at], found["low"][at], found["high"][at]) == (
            expected.value,
            expected.low,
            expected.high,
        )
    assert found["low"][2] is None
