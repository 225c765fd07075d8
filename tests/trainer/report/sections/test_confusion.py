# SPDX-License-Identifier: MIT
"""The section on confusion: calls at validation's thresholds, counted on test."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.evaluation.operating_points import choose
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import confusion
from trainer.report.source import Source

Make = Callable[..., Predictions]


def built(predictions: Predictions, resamples: int = 5) -> dict[str, Any]:
    return confusion.build(Source(predictions=predictions, resamples=resamples))


@pytest.fixture
def section(make: Make) -> dict[str, Any]:
    return built(make())


def rendered(section: dict[str, Any]) -> str:
    return parts.html("confusion", "Confusion between findings", confusion.parts(section, {}))


def markdown(section: dict[str, Any]) -> str:
    return parts.markdown("Confusion between findings", confusion.parts(section, {}))


def test_section_is_strict_json_and_counts_the_errors(section: dict[str, Any], make: Make) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    validation, test = make().select("validation"), make().select("test")
    threshold = choose(validation.labels[:, 0], validation.scores[:, 0], "youden")
    assert section["thresholds"]["Mass"] == threshold
    called, labels = test.scores[:, 0] >= threshold, test.labels[:, 0]
    entry = section["counts"]["Mass"]
    assert entry["missed"] == (~called & (labels == 1)).sum()
    assert entry["false_alarms"] == (called & (labels == 0)).sum()
    assert section["called"]["Mass"] == pytest.approx(called.mean())


def test_changing_test_labels_changes_no_threshold(section: dict[str, Any], make: Make) -> None:
    predictions = make()
    test = (predictions.splits == "test")[:, None]
    labels = np.where(test, 1 - predictions.labels, predictions.labels).astype(np.float32)
    changed = built(dataclasses.replace(predictions, labels=labels))
    assert changed["thresholds"] == section["thresholds"]
    assert changed["called"] == section["called"] and changed["counts"] != section["counts"]


def looking_alike(count: int = 900) -> Predictions:
    """The score of effusion answers to edema as well; fibrosis has nothing to do with either."""
    generator = np.random.default_rng(2)
    labels = (generator.random((2 * count, 3)) < 0.3).astype(np.float32)
    logit = 2.5 * labels + generator.normal(-1, 1, labels.shape)
    logit[:, 0] += 2 * labels[:, 1]
    return Predictions(
        ids=np.array([f"{row}.png" for row in range(2 * count)]),
        patients=np.array([f"{row}" for row in range(2 * count)]),
        splits=np.repeat(np.array(["validation", "test"]), count),
        labels=labels,
        scores=1 / (1 + np.exp(-logit)),
        findings=("Effusion", "Edema", "Fibrosis"),
    )


def test_what_goes_with_an_error_is_named_with_its_usual_share() -> None:
    section = built(looking_alike(), resamples=200)
    row = confusion._summary(section)[0]
    share = section["matrices"]["labelled_if_false_alarm"][0][1]
    assert row["with_alarms"] == [("Edema", share, section["labelled"]["Edema"])]
    assert share > 1.5 * section["labelled"]["Edema"]
    assert section["excess"]["labelled_if_false_alarm"]["low"][0][1] > 0
    text = markdown(section)
    assert f"Edema {share:.0%} ({section['labelled']['Edema']:.0%} of all)" in text
    assert f"Edema {share:.0%} (" in rendered(section)


def test_few_errors_name_nothing() -> None:
    section = built(looking_alike(count=40), resamples=20)
    row = confusion._summary(section)[0]
    assert row["missed"] < 20 and row["with_misses"] is None
    assert "fewer than 20 errors" in markdown(section)
    assert "fewer than 20 errors" in rendered(section)


@pytest.mark.parametrize("splits", [("test",), ("validation",), ("train", "validation")])
def test_without_both_splits_only_what_needs_no_threshold_is_shown(
    make: Make, splits: tuple[str, ...]
) -> None:
    section = built(make(splits=splits))
    assert section["available"] and "The predictions hold no" in section["reason"]
    assert list(section["matrices"]) == ["labelled_if_labelled"]
    assert set(section["thresholds"].values()) == {None}
    assert sum(section["histograms"]["findings"]["Mass"]["positive"]) > 0
    markdown(section)
    assert "What goes with an error" not in rendered(section)


def test_a_finding_without_a_threshold_is_named(make: Make) -> None:
    predictions = make()
    labels = predictions.labels.copy()
    labels[predictions.splits == "validation", 2] = 0
    section = built(dataclasses.replace(predictions, labels=labels))
    assert any("Without a threshold" in note and "Hernia" in note for note in section["notes"])
    assert section["counts"]["Hernia"]["missed"] is None
    assert "| Hernia | not defined | not defined | \N{EN DASH} |" in markdown(section)
    assert "not defined" in rendered(section)


def test_pages_repeat_the_json(section: dict[str, Any]) -> None:
    text = markdown(section)
    assert text.startswith("## ") and text.count("\n### ") == 7
    share = section["matrices"]["called_if_called"][0][1]
    assert f" {share:.0%} " in text
    page = rendered(section)
    assert page.count("<details>") == 5 and page.count('<svg class="histogram"') == 3
    assert f">{share:.0%}<" in page and "None" not in page + text


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_images_are_no_error(make: Make, rows: int) -> None:
    section = built(make(rows=rows))
    json.dumps(section, allow_nan=False)
    markdown(section)
    rendered(section)
