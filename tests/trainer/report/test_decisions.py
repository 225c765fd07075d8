# SPDX-License-Identifier: MIT
"""Decision curves are of scores that no test label calibrated, at thresholds that no one chose."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.evaluation import decision_curves
from trainer.evaluation.recalibration import apply
from trainer.predictions.table import Predictions
from trainer.report import decisions
from trainer.report.asked import Asked
from trainer.report.report import build
from trainer.report.sections import calibration
from trainer.report.source import EXTERNAL, Source

Make = Callable[..., Predictions]


def moved(
    predictions: Predictions, splits: tuple[str, ...] = ("validation", "test")
) -> Predictions:
    """Scores of these splits that are too low, so that calibration has something to do."""
    odds = predictions.scores.astype(np.float64) / (1 - predictions.scores.astype(np.float64))
    which = np.isin(predictions.splits, splits)[:, None]
    lowered = np.where(which, odds / (odds + 4), predictions.scores)
    return dataclasses.replace(predictions, scores=lowered.astype(np.float32))


def test_scores_of_test_are_calibrated_by_the_map_that_the_report_exports(make: Make) -> None:
    source = Source(moved(make()), resamples=5)
    assert decisions.calibrated_on(source) == decisions.VALIDATION
    export = calibration.build(source)["recalibration"]["export"]
    rows, found = source.rows("test"), decisions.scores(source)
    assert {each["method"] for each in export.values()} != {"none"}
    for position, name in enumerate(rows.findings):
        expected = apply(export[name], rows.scores[:, position])
        np.testing.assert_array_equal(found[:, position], expected)


@pytest.mark.parametrize("splits", [("test",), ("validation",), ("train", "validation")])
def test_without_both_splits_scores_stay_as_they_are(make: Make, splits: tuple[str, ...]) -> None:
    source = Source(make(splits=splits), resamples=5)
    assert decisions.calibrated_on(source) == decisions.NONE
    assert decisions.scores(source) is source.rows(source.headline).scores


@pytest.mark.parametrize("own", [{}, {"Mass": {"method": "platt"}}])
def test_an_external_test_is_judged_as_its_model_gives_it(make: Make, own: dict[str, Any]) -> None:
    source = Source(make(), resamples=5, context={EXTERNAL: {"model": "m", "calibration": own}})
    assert source.calibrations == {}
    assert decisions.calibrated_on(source) == (decisions.OWN if own else decisions.NONE)
    assert decisions.scores(source) is source.rows("test").scores


def test_the_report_holds_the_curves_of_its_headline_split_alone(make: Make) -> None:
    source = Source(make(), resamples=5, asked=Asked(threshold_range=(0.1, 0.2)))
    report = build(source)
    for position, name in enumerate(report["findings"]):
        found = report["splits"]["test"]["findings"][name]["decision_curve"]
        scores = decisions.scores(source)[:, position]
        labels, thresholds = source.rows("test").labels[:, position], found["threshold"]
        assert found == decision_curves.curve(labels, scores, thresholds, source.free_draws("test"))
        assert (thresholds[0], thresholds[-1]) == (0.1, 0.2)
        assert "decision_curve" not in report["splits"]["validation"]["findings"][name]
    alone = build(Source(make(splits=("validation",)), resamples=5))
    assert alone["splits"]["validation"]["findings"]["Mass"]["decision_curve"]["net_benefit"]


def test_changing_test_labels_changes_no_threshold_and_no_score(make: Make) -> None:
    predictions = moved(make())
    test = (predictions.splits == "test")[:, None]
    flipped = np.where(test, 1 - predictions.labels, predictions.labels).astype(np.float32)
    before = Source(predictions, resamples=5)
    after = Source(dataclasses.replace(predictions, labels=flipped), resamples=5)
    assert before.calibrations == after.calibrations
    np.testing.assert_array_equal(decisions.scores(before), decisions.scores(after))
    first, second = decisions.curves(before), decisions.curves(after)
    for name, found in first.items():
        other = second[name]
        assert found is not None and other is not None
        assert found["threshold"] == other["threshold"]
        assert found["net_benefit"] != other["net_benefit"]
