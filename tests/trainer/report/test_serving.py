# SPDX-License-Identifier: MIT
"""A SavedModel takes along the thresholds and the calibration that validation gave."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import ConfigError
from trainer.evaluation import operating_points, recalibration
from trainer.predictions.table import Predictions
from trainer.report import serving
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


def files_of(predictions: Predictions) -> dict[str, str]:
    return serving.assets(json.loads(json.dumps(build(Source(predictions, resamples=5)))))


def test_thresholds_are_those_of_validation(make: Make) -> None:
    predictions = make()
    found = json.loads(files_of(predictions)["thresholds.json"])
    rows = predictions.select("validation")
    assert list(found) == list(rows.findings)
    for column, name in enumerate(rows.findings):
        assert set(found[name]) == set(operating_points.RULES)
        for rule, threshold in found[name].items():
            chosen = operating_points.choose(rows.labels[:, column], rows.scores[:, column], rule)
            assert threshold == (None if chosen is None else pytest.approx(chosen, rel=1e-9))


@pytest.mark.parametrize(
    "context",
    [{}, {"config": {"evaluation": {"views": "flip"}}}],
)
def test_a_report_of_the_same_views_or_on_a_file_is_taken_along(context: dict[str, Any]) -> None:
    serving.check_views({"context": context}, "flip")


@pytest.mark.parametrize("evaluation", [{}, {"views": "one"}])
def test_a_report_on_scores_of_other_views_is_refused(evaluation: dict[str, str]) -> None:
    report = {"context": {"config": {"evaluation": evaluation}}}
    serving.check_views(report, "one")
    with pytest.raises(ConfigError, match=r"views=one, which do not hold for flip: export with"):
        serving.check_views(report, "flip")


def test_calibration_can_be_applied_as_it_is_read(make: Make) -> None:
    found = json.loads(files_of(make())["calibration.json"])
    for parameters in found.values():
        scores = recalibration.apply(parameters, np.array([0.1, 0.5, 0.9]))
        assert ((scores >= 0) & (scores <= 1)).all() and (np.diff(scores) >= 0).all()


def test_the_test_split_changes_neither(make: Make) -> None:
    predictions = make()
    labels = predictions.labels.copy()
    test = predictions.splits == "test"
    labels[test] = labels[test][::-1]
    assert files_of(dataclasses.replace(predictions, labels=labels)) == files_of(predictions)


def test_without_validation_there_is_nothing_to_take_along(make: Make) -> None:
    assert files_of(make(("test",))) == {}
