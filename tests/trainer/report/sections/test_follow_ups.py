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
    return built(make(), np.arange(480) % 3)


def test_section_holds_both_looks_as_strict_json(section: dict[str, Any]) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert (section["images"], section["images_left_out"]) == (240, 0)
    assert list(section["looks"]["films"]["findings"]) == ["Mass", "Edema"]


def test_figures_are_those_of_first_and_later_films(section: dict[str, Any], make: Make) -> None:
    rows = make().select("test")
    mass = section["looks"]["films"]["findings"]["Mass"]
    for key, on in (("first", np.arange(240) % 3 == 0), ("later", np.arange(240) % 3 > 0)):
        area = auroc(rows.labels[on, 0], rows.scores[on, 0])
        assert mass[key]["auc"]["value"] == pytest.approx(area)
    gap = mass["later"]["auc"]["value"] - mass["first"]["auc"]["value"]
    assert mass["later_minus_first"]["auc"]["value"] == pytest.approx(gap)
    assert mass["later_minus_first"]["auc"]["low"] < gap < mass["later_minus_first"]["auc"]["high"]


def test_a_model_that_knows_only_repeats_is_found_out(make: Make) -> None:
    rows = make()
    labels, scores = rows.labels.copy(), rows.scores.copy()
    labels[:, 0] = np.tile([0, 1, 1, 0, 0, 0], 80)
    scores[:, 0] = np.where(np.arange(480) % 6 == 2, 0.9, scores[:, 0] / 2)
    changed = dataclasses.replace(rows, labels=labels, scores=scores)
    entry = built(changed, np.arange(480) % 3)["looks"]["appearances"]["findings"]["Mass"]
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
    mean = section["looks"]["films"]["mean"]
    assert f"mean AUC {mean['first']['auc']['value']:.3f} at first film" in page
    assert page.count("<table") == 2 and "Sensitivity, repeats" in page
    alone = built(make(), np.zeros(480, dtype=np.int64))
    page = parts.html("follow_ups", "Title", follow_ups.parts(alone, {}))
    assert page.count("No finding has 10 patients") == 2 and "<table" not in page
