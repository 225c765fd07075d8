# SPDX-License-Identifier: MIT
"""The frame of the page shows the headline split first and says what is not there."""

from collections.abc import Callable

import pytest

from trainer.predictions.table import Predictions
from trainer.report import frame
from trainer.report.contents import missing
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


def test_rows_keep_the_order_of_findings_and_ranks_put_the_undefined_last(make: Make) -> None:
    report = build(Source(make(), resamples=10))
    shown = frame.variables(report)
    assert [row["finding"] for row in shown["rows"]] == report["findings"]
    values = [row["auc"]["value"] for row in shown["ranked"]]
    assert values[-1] is None and values[0] >= values[1]
    assert (shown["headline"], shown["shown"]) == ("test", ["test", "validation"])
    assert shown["defined"] == 2
    mass = shown["rows"][0]
    difference = mass["validation"]["value"] - mass["auc"]["value"]
    assert mass["difference"] == pytest.approx(difference)
    assert shown["rows"][-1]["difference"] is None


def test_without_test_the_validation_split_is_compared_with_nothing(make: Make) -> None:
    shown = frame.variables(build(Source(make(splits=("validation",)), resamples=10)))
    assert (shown["headline"], shown["compared"]) == ("validation", None)
    assert all(row["pair"] is None for row in shown["rows"])


def test_sections_that_could_not_be_made_have_their_reason(make: Make) -> None:
    report = build(Source(make(), resamples=10))
    absent = frame.variables(report)["absent"]
    assert [reason for _, reason in absent] == [report[name]["reason"] for name in missing(report)]
    assert absent


def test_provenance_keeps_facts_that_have_no_place_of_their_own(make: Make) -> None:
    context = {"training": {"steps": 7}, "manifest": "lost", "x": {"y": 3}}
    parts = dict(
        frame.variables(build(Source(make(), resamples=10, context=context)))["provenance"]
    )
    assert ("steps", "7") in parts["Training run"] and "Data set" not in parts
    assert {("x.y", "3"), ("manifest", "lost")} <= set(parts["Further facts"])
