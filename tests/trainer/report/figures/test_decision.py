# SPDX-License-Identifier: MIT
"""Decision curves are drawn as the report holds them, each finding beside its own references."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.predictions.table import Predictions
from trainer.report.figures import charts, decision
from trainer.report.report import build
from trainer.report.source import Source


@pytest.fixture
def report(make: Callable[..., Predictions]) -> dict[str, Any]:
    return build(Source(make(), resamples=20))


def test_the_chart_holds_curves_and_bands(report: dict[str, Any]) -> None:
    chart = decision.chart(report, "test")
    assert chart is not None
    # Nobody has the third finding on test.
    assert [line.name for line in chart.lines] == ["Mass", "Edema"]
    found = report["splits"]["test"]["findings"]["Mass"]["decision_curve"]
    line = chart.lines[0]
    assert (line.x, line.y) == (found["threshold"], found["net_benefit"])
    assert line.band == (found["threshold"], found["low"], found["high"])
    assert chart.references == [(0.01, 0, 0.5, 0)]
    values = [
        value for line in chart.lines if line.band for ends in line.band[1:] for value in ends
    ]
    assert chart.y.low <= min(values) and max(values) <= chart.y.high
    # Little is empty below 0, and many lines end on it, which is drawn above them.
    assert chart.y.low == pytest.approx(min([*values, -chart.y.high / 20]))
    drawn = charts.drawing(chart)
    assert drawn.rindex('class="curve"') < drawn.index('class="chance"')


def test_without_any_finding_there_is_no_chart(report: dict[str, Any]) -> None:
    for entry in report["splits"]["test"]["findings"].values():
        entry["positives"] = 0
    assert decision.chart(report, "test") is None


def test_the_small_diagram_holds_all_lines_of_a_finding() -> None:
    found = {
        "threshold": [0.1, 0.3],
        "net_benefit": [0.08, 0.04],
        "low": [0.06, 0.02],
        "high": [0.1, 0.06],
        "treat_all": [0.1, -0.2],
    }
    text = decision.small("Mass", "test", found)
    # From -0.0125, an eighth below 0, to 0.1: no benefit lies at 1/9 of the height.
    assert '<path class="chance" d="M0 88.8889L100 88.8889"/>' in text
    assert '<path class="curve test" d="M0.0 17.8L100.0 53.3"/>' in text
    assert '<path class="band test" d="M0.0 35.6L100.0 71.1L100.0 35.6L0.0 0.0Z"/>' in text
    assert '<path class="curve all" d="M0.0 0.0L100.0 266.7"/>' in text
    assert 'class="band' not in decision.small(
        "Mass", "test", found | {"low": [None, None], "high": [None, None]}
    )


def test_working_up_all_of_a_rare_finding_is_in_its_small_diagram() -> None:
    found = {
        "threshold": [0.01 * at for at in range(1, 51)],
        "net_benefit": [0.0] * 50,
        "low": [0.0] * 50,
        "high": [0.0] * 50,
        "treat_all": [-0.01 * at for at in range(1, 51)],
    }
    text = decision.small("Hernia", "test", found)
    # As wide as a tenth of the thresholds.
    assert (
        '<path class="curve all" d="M0.0 16.7L2.0 33.3L4.1 50.0L6.1 66.7L8.2 83.3L10.2 100.0'
        in text
    )
