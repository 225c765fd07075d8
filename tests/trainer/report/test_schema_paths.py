# SPDX-License-Identifier: MIT
"""The schema of report.json knows the paths that a report may hold, and no other."""

import json
import pathlib
from typing import Any

import pytest

from trainer.report import schema_paths


def test_the_schema_knows_every_figure_that_a_report_holds(finished_run: Any) -> None:
    report = json.loads(pathlib.Path(finished_run.output, "report/report.json").read_text())
    tried = 0

    def walk(node: Any, path: tuple[str, ...]) -> None:
        nonlocal tried
        items = node.items() if isinstance(node, dict) else enumerate(node)
        shapes: set[Any] = set()  # one of those that hold the same keys, such as findings
        for key, value in items:
            shape = tuple(value) if isinstance(value, dict) else key
            if isinstance(value, dict | list) and shape not in shapes:
                walk(value, (*path, str(key)))
            elif not isinstance(value, dict | list | None) and (
                len(path) < 2 or key not in range(1, 10**6)
            ):
                schema_paths.check((*path, str(key)))
                tried += 1
            shapes.add(shape)

    walk(report, ())
    assert tried > 200


@pytest.mark.parametrize(
    "path",
    [
        "splits.*.findings.*.auc",
        "splits.test.*.low",
        "comparison.splits.test.mean.difference",
        "calibration.recalibration.findings.A b.chosen",
        "subgroups.divisions.*.groups.*.name",
        "context.training.anything.at.all",
    ],
)
def test_choices_references_and_wildcards_are_followed(path: str) -> None:
    schema_paths.check(path.split("."))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("splits.dev.n", "splits never holds 'dev', but "),
        ("operating_points.findings.A.rules.yoden", "never holds 'yoden', but youden"),
        ("splits.test.mean_auc.low.high", "splits.test.mean_auc.low never holds 'high'"),
        ("notes.text", "notes never holds 'text', but 0"),
        ("split_identity", "split_identity is not one figure: add a dot and official or "),
        ("findings", "findings is not one figure: add a dot and 0"),
    ],
)
def test_what_is_wrong_is_named_with_what_it_could_be(path: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        schema_paths.check(path.split("."))
    assert why in str(raised.value)
