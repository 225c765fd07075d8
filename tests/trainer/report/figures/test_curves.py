# SPDX-License-Identifier: MIT
"""The charts of a split hold the curves of the report, and no curve that is not defined."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer.predictions.table import Predictions
from trainer.report.figures import curves
from trainer.report.report import build
from trainer.report.source import Source


@pytest.fixture(scope="module")
def report_of() -> Callable[[Predictions], dict[str, Any]]:
    return lambda predictions: build(Source(predictions, resamples=10))


def test_roc_has_a_line_for_every_finding_with_an_auc(
    make: Callable[..., Predictions], report_of: Callable[[Predictions], dict[str, Any]]
) -> None:
    report = report_of(make())
    assert [line.name for line in curves.roc(report, "validation").lines] == report["findings"]
    chart = curves.roc(report, "test")
    # Hernia has no positive in test.
    assert [line.name for line in chart.lines] == ["Mass", "Edema"]
    entry = report["splits"]["test"]["findings"]["Mass"]
    mass = chart.lines[0]
    assert (mass.x[0], mass.y[0], mass.x[-1], mass.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert mass.y == entry["roc"]["true_positive_rates"]
    assert dict(mass.words)["AUC"].startswith(f"{entry['auc']['value']:.3f} [")
    # Above every score nothing is called: JSON has no infinity, so it is said in words.
    assert mass.more["Score at least"][0] == "infinity"
    assert chart.references == [(0, 0, 1, 1)] and chart.split == "test"


def test_precision_and_recall_come_with_the_prevalence_to_read_them_against(
    make: Callable[..., Predictions], report_of: Callable[[Predictions], dict[str, Any]]
) -> None:
    report = report_of(make())
    chart = curves.precision_recall(report, "test")
    assert chart is not None and [line.name for line in chart.lines] == ["Mass", "Edema"]
    entry = report["splits"]["test"]["findings"]["Mass"]
    mass = chart.lines[0]
    assert mass.x[-1] == 1.0 and mass.y[-1] >= entry["prevalence"] - 1e-6
    assert dict(mass.words)["Prevalence"] == f"{entry['prevalence']:.1%}"


def test_no_curve_means_no_chart(
    make: Callable[..., Predictions], report_of: Callable[[Predictions], dict[str, Any]]
) -> None:
    predictions = make(splits=("test",))
    predictions.labels[:] = 0
    report = report_of(predictions)
    assert curves.precision_recall(report, "test") is None
    assert curves.roc(report, "test").lines == []
