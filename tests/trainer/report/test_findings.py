# SPDX-License-Identifier: MIT
"""What is shown of every finding: the headline split first, and words where nothing is defined."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.tables import Table
from trainer.predictions.table import Predictions
from trainer.report import findings, parts
from trainer.report.frame import notes_of
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


@pytest.fixture
def report(make: Make) -> dict[str, Any]:
    return build(Source(make(), resamples=10))


def test_rows_keep_the_order_of_findings(report: dict[str, Any]) -> None:
    table = findings.table(report)
    assert [row[0].text for row in table.rows] == report["findings"]
    assert [column if isinstance(column, str) else column.title for column in table.columns] == [
        *(
            "Finding",
            "Images",
            "Positives",
            "of patients",
            "Validation AUC",
            "Test AUC [95% interval]",
        )
    ]
    for row, entry in zip(table.rows, report["splits"]["test"]["findings"].values(), strict=True):
        assert [row[at].value for at in (1, 2, 3, 5)] == [
            *(entry["n"], entry["positives"], entry["positive_patients"], entry["auc"]["value"]),
        ]


def test_ranks_put_the_undefined_last(report: dict[str, Any]) -> None:
    text = parts.html("x", "t", [findings.certainty(report, notes_of(report))])
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    shown = re.findall(r'<td class="value">([^<]+)</td>', body)
    assert shown[-1] == "not defined" and float(shown[0]) >= float(shown[1])
    assert notes_of(report)["interval"] in text


def test_validation_minus_test_is_that_of_the_finding(report: dict[str, Any]) -> None:
    [_, group] = findings.validation(report, notes_of(report))
    assert isinstance(group, parts.Group)
    table = group.parts[0]
    assert isinstance(table, Table)
    gaps = {row[0]: row[2].value for row in table.rows}
    validation, test = (report["splits"][split]["findings"] for split in ("validation", "test"))
    expected = validation["Mass"]["auc"]["value"] - test["Mass"]["auc"]["value"]
    assert gaps["Mass"] == pytest.approx(expected) and gaps["Hernia"] is None
    assert f"test {test['Mass']['auc']['value']:.3f}" in table.html()


def test_without_test_the_validation_split_is_compared_with_nothing(make: Make) -> None:
    alone = build(Source(make(splits=("validation",)), resamples=10))
    assert findings.validation(alone, notes_of(alone)) == []
    assert findings.compared_split(alone) is None
    assert len(findings.table(alone).columns) == 5


def test_counts_are_those_of_each_split(report: dict[str, Any]) -> None:
    group = findings.counts(report)
    assert isinstance(group, parts.Group) and isinstance(group.parts[0], Table)
    rows = group.parts[0].rows
    assert len(rows) == 6
    for row in rows:
        entry = report["splits"][row[1].text]["findings"][row[0]]
        assert [cell.value for cell in row[3:]] == [
            *(entry["prevalence"], entry["positives"], entry["n"]),
        ]


def test_every_split_has_its_charts(report: dict[str, Any]) -> None:
    heading, made = findings.curves(report)
    text = parts.html("curves", heading, made)
    assert heading == "ROC and precision-recall curves"
    assert re.findall(r'class="duo" data-split="([a-z]+)"', text) == ["test", "validation"]
    assert text.count("<figcaption>") == 4 and text.count('type="radio"') == 2
    assert text.count(" checked>") == 1
