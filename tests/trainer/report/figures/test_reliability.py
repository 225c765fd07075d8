# SPDX-License-Identifier: MIT
"""Reliability diagrams draw the bins of the section on calibration, and all of them."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.predictions.table import Predictions
from trainer.report.figures import reliability
from trainer.report.sections import calibration
from trainer.report.source import Source


@pytest.fixture
def section(make: Callable[..., Predictions]) -> dict[str, Any]:
    return calibration.build(Source(predictions=make(), resamples=50))


def test_the_chart_holds_the_bins_and_their_whiskers(section: dict[str, Any]) -> None:
    chart = reliability.chart(section, "test")
    bins = section["findings"]["Mass"]["test"]["reliability"]
    assert chart.lines[0].y == bins["observed"] and chart.lines[0].low == bins["low"]
    high = max(value for line in chart.lines for value in line.high)
    assert chart.y.high >= high or chart.y.high == 1.0


def test_a_small_diagram_ends_at_a_round_number_above_its_bins(section: dict[str, Any]) -> None:
    bins = {"scores": [0.01, 0.12], "observed": [0.02, 0.15]}
    limit, drawing = reliability.small("Mass", "test", bins, None)
    assert limit == 0.2 and drawing.count('class="curve test"') == 1
    assert reliability.small("Mass", "test", None, bins) == (None, "")


def test_a_smooth_curve_has_its_band_and_the_bins_become_dots(section: dict[str, Any]) -> None:
    smooth = {"scores": [0.01, 0.1, 0.3], "observed": [0.02, 0.1, 0.2], "low": [0.01, 0.05, 0.1]}
    smooth["high"] = [0.03, 0.15, 0.9]
    bins = {"scores": [0.01, 0.12], "observed": [0.02, 0.15], "smooth": smooth}
    _, drawing = reliability.small("Mass", "test", bins, None)
    assert drawing.count("<circle") == 2 and drawing.count('class="band test"') == 1
    assert '<path class="curve test" d="M5.0 90.0L50.0 50.0L150.0 0.0"/>' in drawing
    section["findings"]["Mass"]["test"]["reliability"]["smooth"] = smooth
    chart = reliability.chart(section, "test")
    assert chart.lines[0].band is not None
    # Nothing of it lies outside the plane.
    across, low, high = chart.lines[0].band
    assert max(*across, *low, *high) <= chart.y.high and across[0] == 0.01
