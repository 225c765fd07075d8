# SPDX-License-Identifier: MIT
"""The section on the order of films: who counts, what is compared, what pages say."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.evaluation.auc import auroc
from trainer.predictions.metadata import Metadata
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import follow_ups
from trainer.report.source import Source

Make = Callable[..., Predictions]


def known(rows: Predictions, number: Any) -> Metadata:
    n = len(rows.ids)
    codes = {name: np.full(n, "") for name in ("splits", "sex", "view")}
    sizes = {name: np.full(n, -1) for name in ("age", "width", "height")}
    return Metadata(ids=rows.ids, patients=rows.patients, **codes, **sizes, follow_up=number)


def built(rows: Predictions, number: Any) -> dict[str, Any]:
    return follow_ups.build(Source(rows, resamples=50, metadata=known(rows, number)))


@pytest.fixture
def section(make: Make) -> dict[str, Any]:
    """Every other patient of three films shows Mass in the second and the third."""
    rows = make()
    labels = rows.labels.copy()
    labels[:, 0] = np.tile([0, 1, 1, 0, 0, 0], 80)
    return built(dataclasses.replace(rows, labels=labels), np.arange(480) % 3)


def test_section_is_strict_json_of_findings_with_repeats(section: dict[str, Any]) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert (section["images"], section["images_left_out"]) == (240, 0)
    assert section["findings"]["Mass"]["positives"] == [40, 40]


def test_figures_are_those_of_new_and_repeated_findings(
    section: dict[str, Any], make: Make
) -> None:
    scores = make().select("test").scores[:, 0]
    kind, mass = np.arange(240) % 6, section["findings"]["Mass"]
    for key, positive in (("first", 1), ("later", 2)):
        on = (kind == positive) | ~np.isin(kind, (1, 2))
        area = auroc((kind == positive)[on].astype(float), scores[on])
        assert mass[key]["auc"]["value"] == pytest.approx(area)
        assert mass[key]["auc"]["low"] < area < mass[key]["auc"]["high"]
    gap = mass["later_minus_first"]["auc"]
    assert gap["value"] == pytest.approx(
        mass["later"]["auc"]["value"] - mass["first"]["auc"]["value"]
    )
    assert gap["low"] < gap["value"] < gap["high"]


def test_a_model_that_knows_only_repeats_is_found_out(make: Make) -> None:
    rows = make()
    labels, scores = rows.labels.copy(), rows.scores.copy()
    labels[:, 0] = np.tile([0, 1, 1, 0, 0, 0], 80)
    scores[:, 0] = np.where(np.arange(480) % 6 == 2, 0.9, scores[:, 0] / 2)
    changed = dataclasses.replace(rows, labels=labels, scores=scores)
    entry = built(changed, np.arange(480) % 3)["findings"]["Mass"]
    assert entry["positives"] == [40, 40]
    assert entry["later"]["auc"]["value"] == 1 > entry["first"]["auc"]["value"]
    assert entry["later_minus_first"]["auc"]["low"] > 0.2


def test_patients_without_their_first_film_are_left_out_and_counted(make: Make) -> None:
    number = np.arange(480) % 3
    number[240:300] += 1
    number[300] = -1
    section = built(make(), number)
    assert section["images_left_out"] == 63 and section["images"] == 177
    page = parts.html("follow_ups", "Title", follow_ups.parts(section, {}))
    assert "63 images left out" in page


def test_without_numbers_the_section_says_what_to_give(make: Make) -> None:
    for section in (built(make(), np.full(480, -1)), follow_ups.build(Source(make(), resamples=5))):
        assert section["available"] is False and "--metadata" in section["reason"]


def test_pages_say_what_was_found_or_that_nothing_could_be(
    section: dict[str, Any], make: Make
) -> None:
    page = parts.html("follow_ups", "Title", follow_ups.parts(section, {}))
    mean = section["mean"]
    assert f"mean AUC {mean['first']['auc']['value']:.3f} at first appearance" in page
    assert page.count("<table") == 1 and "Sensitivity, repeats" in page
    area = section["findings"]["Mass"]["first"]["auc"]
    for low, guessed in ((0.49, True), (0.51, False)):
        area["low"] = low
        page = parts.html("follow_ups", "Title", follow_ups.parts(section, {}))
        assert ("Not above guessing at first appearance: Mass." in page) == guessed
    assert "Without sensitivity" not in page
    test = built(make(("test",), rows=240), np.arange(240) % 3)
    page = parts.html("follow_ups", "Title", follow_ups.parts(test, {}))
    assert "Without sensitivity. The predictions hold no validation split" in page
    alone = built(make(), np.zeros(480, dtype=np.int64))
    page = parts.html("follow_ups", "Title", follow_ups.parts(alone, {}))
    assert "No finding has 10 patients in whom it is repeated" in page and "<table" not in page
