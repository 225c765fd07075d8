# SPDX-License-Identifier: MIT
"""The section on thresholds: no test label chooses, and pages say what the JSON says."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.evaluation.operating_points import MEASURES, RULES, choose
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import operating_points
from trainer.report.source import Source

Make = Callable[..., Predictions]


def built(predictions: Predictions) -> dict[str, Any]:
    return operating_points.build(Source(predictions=predictions, resamples=50))


@pytest.fixture
def section(make: Make) -> dict[str, Any]:
    return built(make())


def made(section: dict[str, Any]) -> list[parts.Part]:
    return operating_points.parts(section, {"findings": list(section["findings"])})


def rendered(section: dict[str, Any]) -> str:
    return parts.html("operating_points", "Title", made(section))


def written(section: dict[str, Any]) -> str:
    return parts.markdown("Title", made(section))


def test_section_is_strict_json(section: dict[str, Any]) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["available"] is True
    assert list(section["rules"]) == list(RULES) and section["measures"] == list(MEASURES)


def test_thresholds_are_those_of_the_validation_split(section: dict[str, Any], make: Make) -> None:
    rows = make().select("validation")
    for position, name in enumerate(rows.findings):
        for rule in RULES:
            expected = choose(rows.labels[:, position], rows.scores[:, position], rule)
            assert section["findings"][name]["rules"][rule]["threshold"] == expected


def test_changing_test_labels_changes_no_threshold(section: dict[str, Any], make: Make) -> None:
    predictions = make()
    labels = predictions.labels.copy()
    test = predictions.splits == "test"
    labels[test] = np.random.default_rng(0).permutation(labels[test])
    changed = built(dataclasses.replace(predictions, labels=labels))
    for name, entry in section["findings"].items():
        other = changed["findings"][name]
        for rule in RULES:
            for key in ("threshold", "reason", "validation"):
                assert other["rules"][rule][key] == entry["rules"][rule][key]
    assert changed["mean"] != section["mean"]


@pytest.mark.parametrize(
    ("splits", "word"), [(("test",), "no validation split"), (("validation",), "no test split")]
)
def test_without_a_split_the_section_says_which(
    make: Make, splits: tuple[str, ...], word: str
) -> None:
    section = built(make(splits=splits))
    assert section["available"] is False and word in section["reason"]


def test_notes_say_what_was_found(section: dict[str, Any]) -> None:
    words = " ".join(section["notes"])
    chosen = [entry["rules"]["max_f1"]["threshold"] for entry in section["findings"].values()]
    assert f"between {min(chosen):.2g} and {max(chosen):.2g}" in words
    assert f"{sum(value < 0.5 for value in chosen)} of 3 below 0.5" in words
    assert "no test label took part" in words


def test_a_finding_that_validation_never_shows_is_not_defined(make: Make) -> None:
    predictions = make()
    labels = predictions.labels.copy()
    labels[predictions.splits == "validation", 2] = 0
    section = built(dataclasses.replace(predictions, labels=labels))
    assert section["findings"]["Hernia"]["rules"]["youden"]["threshold"] is None
    assert any("Hernia" in note and "to have the finding" in note for note in section["notes"])
    assert section["mean"]["youden"]["findings"]["specificity"] == 2
    text = written(section)
    assert "| Hernia | 0 | not defined |" in text
    assert "not defined" in rendered(section)


def test_markdown_holds_two_tables_a_rule(section: dict[str, Any]) -> None:
    text = written(section)
    assert text.count("\n| Mass |") == 2 * len(RULES)
    area = section["findings"]["Mass"]["rules"]["youden"]["test"]["ppv"]
    assert rf"{area['value']:.3f} \[{area['low']:.3f}, {area['high']:.3f}\]" in text
    assert "None" not in text and "nan" not in text


def test_each_rule_says_what_its_thresholds_call_image_by_image(section: dict[str, Any]) -> None:
    text = written(section)
    assert text.count(" of the images are called for at least one finding, ") == len(RULES)
    for found in section["per_image"].values():
        area = found["unlabelled_called"]
        shown = rf"{area['value']:.1%} \[{area['low']:.1%}, {area['high']:.1%}\]"
        assert f"none of the findings, {shown} are called." in text.replace("\\%", "%")


def test_page_shows_every_threshold_and_a_line_a_finding(section: dict[str, Any]) -> None:
    text = rendered(section)
    for entry in section["findings"].values():
        for rule in RULES:
            assert f">{entry['rules'][rule]['threshold']:#.4g}</td>" in text
    assert text.count('scope="row"') == 2 * len(RULES) * 3 + len(RULES)
    assert "None" not in text
    chart = operating_points.ppv_chart(section)
    # Hernia has no positive on test, and so no sensitivity.
    assert [line.name for line in chart.lines] == ["Mass", "Edema"]
    assert all(list(line.y) == sorted(line.y) for line in chart.lines)


def test_line_of_the_chart_goes_through_the_values_of_the_table(section: dict[str, Any]) -> None:
    line = operating_points.ppv_chart(section).lines[0]
    found = section["findings"]["Mass"]["rules"]["youden"]["at_prevalence"]["ppv"]["value"]
    drawn = np.interp(section["prevalences"][1:], line.x, line.y)
    np.testing.assert_allclose(drawn, found[1:], atol=2e-3)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_images_and_one_patient_are_no_error(make: Make, rows: int) -> None:
    section = built(make(rows=rows))
    json.dumps(section, allow_nan=False)
    written(section)
    rendered(section)
