# SPDX-License-Identifier: MIT
"""An external test starts with calibration in the large, and tells what the model did not bring."""

import copy
import dataclasses
import json
from importlib import resources
from typing import Any

import jsonschema
import numpy as np
import pytest

from trainer.evaluation.logistic import logits, sigmoid
from trainer.predictions.table import Predictions
from trainer.report import frame, html
from trainer.report.report import build
from trainer.report.sections import calibration, external
from trainer.report.source import ANOTHER, COUNTS, EXTERNAL, Source

FACTS = {
    "model": "ab" * 32,
    "step": 7,
    "models that were averaged": 1,
    "thresholds": {"Mass": {"youden": 0.4}, "Edema": {}},
    "calibration": {},
    "films without labels": "0",
    "labels without a scored film": "0",
    "findings of the model without labels": "",
    "statement": "External test: the films are of another data set.",
    ANOTHER: "yes",
    COUNTS: {"validation": {"Mass": [10, 100], "Edema": [90, 100]}, "test": {"Mass": [30, 100]}},
}


@pytest.fixture(scope="module")
def source() -> Source:
    """Mass is rarer here than its scores say, Edema is as common."""
    generator = np.random.default_rng(4)
    chance = generator.beta(1.5, 2, (400, 2))
    labels = (generator.random(chance.shape) < chance).astype(np.float32)
    labels[::11, 1] = np.nan
    scores = sigmoid(logits(chance) + [1.5, 0])
    ids = np.array([f"film{row}" for row in range(400)])
    patients = np.array([f"P{row // 4}" for row in range(400)])
    about = (ids, patients, np.full(400, "test"), labels, scores)
    rows = Predictions(*about, ("Mass", "Edema"), raw=scores)
    return Source(rows, resamples=100, context={EXTERNAL: FACTS})


@pytest.fixture(scope="module")
def report(source: Source) -> dict[str, Any]:
    return build(source)


def test_the_report_fits_its_schema(report: dict[str, Any]) -> None:
    schema = resources.files("trainer.report") / "templates" / "report.schema.json"
    jsonschema.validate(json.loads(json.dumps(report)), json.loads(schema.read_text("utf-8")))
    assert report["external"]["available"]


def test_prevalence_is_set_beside_that_of_the_models_own_data(report: dict[str, Any]) -> None:
    section = report["external"]["prevalence"]
    mass, edema = section["findings"]["Mass"], section["findings"]["Edema"]
    assert mass["own"] == {"validation": 0.1, "test": 0.3}
    assert edema["own"] == {"validation": 0.9, "test": None}
    here = report["splits"]["test"]["findings"]["Mass"]["prevalence"]
    assert mass["ratio"]["value"] == pytest.approx(here / 0.1)
    measured = report["operating_points"]["findings"]["Mass"]["rules"]["youden"]["test"]
    assert mass["ppv"]["here"] == pytest.approx(measured["ppv"]["value"])
    assert mass["ppv"]["there"] < mass["ppv"]["here"] and edema["ppv"]["there"] is None
    assert "more common here: Mass; rarer: Edema" in " ".join(report["external"]["notes"])


def test_calibration_in_the_large_comes_before_all_else(report: dict[str, Any]) -> None:
    rows = report["calibration"]["findings"]["Mass"]["test"]
    ratio = rows["observed_expected"]
    assert ratio["value"] == pytest.approx(rows["prevalence"] / rows["mean_score"])
    assert 0.4 < ratio["low"] < ratio["value"] < ratio["high"] < 1
    for shown in (
        external.parts(report["external"], report)[2:],
        calibration.parts(report["calibration"], report),
    ):
        first, table = shown[:2]
        assert "too high for Mass" in first.text  # type: ignore[union-attr]
        assert table.columns[3] == "Observed / expected"  # type: ignore[union-attr]
    assert (
        "Nothing here was fitted on this test" in report["calibration"]["recalibration"]["reason"]
    )


def test_recalibration_on_a_share_corrects_what_is_off_and_is_not_called_the_models(
    report: dict[str, Any],
) -> None:
    tenth, half = report["external"]["recalibration"]
    assert (tenth["shares"], tenth["patients"]) == (10, 10)
    assert (half["shares"], half["patients"]) == (2, 50)
    for share in (tenth, half):
        change = share["findings"]["Mass"]["intercept"]["log_loss_change"]
        assert change["high"] < 0
        assert share["findings"]["Mass"]["intercept"]["lines"] == share["shares"]
        assert share["findings"]["Mass"]["intercept"]["slope_factor"] == [1.0, 1.0]
    intercepts = half["findings"]["Mass"]["intercept"]["intercept"]
    assert intercepts == pytest.approx([-1.5, -1.5], abs=0.4)
    pages = (html.render(report), str(external.parts(report["external"], report)))
    for page in pages:
        assert "not the model as it came" in page
        assert "Recalibrated on 10% of the patients (10)" in page


def test_every_place_says_that_the_films_are_of_another_data_set(report: dict[str, Any]) -> None:
    assert frame.title(report) == "AUC report: external test on another data set"
    assert "another data set" in frame.cautions(report)[0]
    (group,) = [each for each in report["card"]["groups"] if "another data set" in each["title"]]
    assert group["facts"]["in one sentence"] == FACTS["statement"]
    assert report["external"]["notes"][0] == FACTS["statement"]


def test_own_data_and_other_reports_have_no_such_section(source: Source) -> None:
    for context in ({}, {EXTERNAL: {**FACTS, ANOTHER: "no"}}):
        found = external.build(dataclasses.replace(source, context=context))
        assert found["available"] is False and "--labels=LABELS" in found["reason"]


def test_few_patients_and_unknown_counts_say_so(source: Source) -> None:
    few = source.predictions.select("test")
    few = dataclasses.replace(few, patients=np.where(np.arange(400) % 2, "P1", "P2"))
    context = {EXTERNAL: {key: value for key, value in FACTS.items() if key != COUNTS}}
    section = external.build(Source(few, resamples=5, context=context))
    assert section["recalibration"] == []
    assert section["prevalence"]["findings"]["Mass"]["ratio"]["value"] is None
    assert "in the model's own data is not known" in section["notes"][1]
    assert "too few patients" in section["notes"][2] and "be trusted" in section["notes"][2]


def test_findings_without_an_interval_are_not_said_to_be_as_expected(
    report: dict[str, Any],
) -> None:
    some = copy.deepcopy(report["calibration"])
    some["findings"]["Edema"]["test"]["observed_expected"] |= {"value": 9, "low": None}
    text = external.in_the_large(some)[0].text  # type: ignore[union-attr]
    assert "too high for Mass; without an interval: Edema. Farthest off is Mass" in text
    some["findings"]["Mass"]["test"]["observed_expected"]["low"] = None
    assert "too few patients" in external.in_the_large(some)[0].text  # type: ignore[union-attr]


def test_the_interval_of_a_prevalence_holds_the_luck_of_meeting_the_rarest_finding() -> None:
    labels = np.zeros((400, 2), np.float32)
    labels[:200, 0], labels[:20, 1] = 1, 1
    ids, scores = np.arange(400).astype(str), np.full(labels.shape, 0.3)
    rows = Predictions(ids, ids, np.full(400, "test"), labels, scores, ("Mass", "Edema"))
    section = external.build(Source(rows, resamples=400, context={EXTERNAL: FACTS}))
    for name, share in (("Mass", 0.5), ("Edema", 0.05)):
        area = section["prevalence"]["findings"][name]["prevalence"]
        reach = 1.96 * np.sqrt(share * (1 - share) / 400)
        assert area["high"] - area["low"] == pytest.approx(2 * reach, rel=0.15)


def test_what_could_not_be_recalibrated_is_not_called_unchanged(source: Source) -> None:
    rows = dataclasses.replace(source.predictions, labels=np.zeros((400, 2), np.float32))
    section = external.build(Source(rows, resamples=5, context=source.context))
    for share in section["recalibration"]:
        for method in share["mean"]:
            for entry in (share["mean"][method], *(f[method] for f in share["findings"].values())):
                assert entry["log_loss_change"]["value"] is entry["brier_change"]["low"] is None
    assert "no finding could be recalibrated" in section["notes"][-1]
