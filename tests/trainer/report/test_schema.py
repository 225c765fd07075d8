# SPDX-License-Identifier: MIT
"""report.json is what its schema says, and the schema says it of every key."""

import copy
import json
import pathlib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import jsonschema
import pytest

from trainer.predictions import Predictions
from trainer.report import contents
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    path = resources.files("trainer.report") / "templates" / "report.schema.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.fixture
def problems(schema: dict[str, Any]) -> Callable[[Any], list[str]]:
    validator = jsonschema.Draft202012Validator(schema)

    def find(report: Any) -> list[str]:
        report = json.loads(json.dumps(report))
        return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(report)]

    return find


def test_the_report_of_a_run_fits(problems: Callable[[Any], list[str]], finished_run: Any) -> None:
    text = (pathlib.Path(finished_run.output) / "report" / "report.json").read_text()
    report = json.loads(text)
    assert report["localisation"]["available"] and report["gallery"]["available"]
    assert problems(report) == []


@pytest.mark.parametrize("splits", [("validation", "test"), ("test",), ("train",)])
def test_reports_of_files_fit(
    problems: Callable[[Any], list[str]], make: Make, splits: tuple[str, ...]
) -> None:
    predictions = make(splits)
    assert problems(build(Source(predictions, resamples=5))) == []
    report = build(Source(predictions, resamples=5, compared=predictions, compared_name="b.csv"))
    assert problems(report) == []


def test_what_does_not_fit_is_told(problems: Callable[[Any], list[str]], make: Make) -> None:
    report = build(Source(make(), resamples=5))
    changes: dict[str, Callable[[Any], object]] = {
        "a key more": lambda r: r.update(more=1),
        "a key less": lambda r: r.pop("splits"),
        "another version": lambda r: r.update(schema_version=3),
        "text for a number": lambda r: r["splits"]["test"]["mean_auc"].update(value="high"),
        "a finding without counts": lambda r: r["splits"]["test"]["findings"]["Mass"].pop("n"),
        "a section without words": lambda r: r["calibration"].pop("notes"),
    }
    for name, change in changes.items():
        changed = copy.deepcopy(report)
        change(changed)
        assert problems(changed), name


def test_every_section_and_every_key_is_described(schema: dict[str, Any]) -> None:
    assert set(contents.SECTIONS) <= set(schema["properties"])
    described = list(_properties(schema))
    assert len(described) > 100
    assert [name for name, each in described if len(each.get("description", "")) < 5] == []


def _properties(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property that the schema names, with what it says of it."""
    if isinstance(node, list):
        for item in node:
            yield from _properties(item)
    elif isinstance(node, dict):
        for name, each in node.get("properties", {}).items():
            if {"file", "sha256"} != set(node["properties"]):
                yield name, each
        for each in node.values():
            yield from _properties(each)
