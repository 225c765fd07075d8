# SPDX-License-Identifier: MIT
"""The section on calibration: nothing is fitted on test, and pages say what the JSON says."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainer.evaluation import smooth_calibration
from trainer.evaluation.recalibration import METHODS, apply, fit
from trainer.predictions.table import Predictions
from trainer.report import parts
from trainer.report.sections import calibration
from trainer.report.source import Source

Make = Callable[..., Predictions]


def built(predictions: Predictions) -> dict[str, Any]:
    return calibration.build(Source(predictions=predictions, resamples=50))


@pytest.fixture
def section(make: Make) -> dict[str, Any]:
    return built(make())


def rendered(section: dict[str, Any]) -> str:
    return parts.html("calibration", "Calibration", calibration.parts(section, {}))


def markdown(section: dict[str, Any]) -> str:
    return parts.markdown("Calibration", calibration.parts(section, {}))


def test_section_is_strict_json(section: dict[str, Any]) -> None:
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["available"] is True and section["splits"] == ["validation", "test"]


def test_changing_test_labels_changes_no_parameter_and_no_choice(
    section: dict[str, Any], make: Make
) -> None:
    predictions = make()
    test = predictions.splits == "test"
    shuffled = predictions.labels.copy()
    shuffled[test] = np.random.default_rng(0).permutation(shuffled[test])
    flipped = np.where(test[:, None], 1 - predictions.labels, predictions.labels)
    for labels in (shuffled, flipped.astype(np.float32)):
        changed = built(dataclasses.replace(predictions, labels=labels))
        assert changed["recalibration"]["export"] == section["recalibration"]["export"]
        for name, entry in section["recalibration"]["findings"].items():
            other = changed["recalibration"]["findings"][name]
            for key in ("parameters", "cross_validated_log_loss", "chosen", "reason"):
                assert other[key] == entry[key]
        assert changed["recalibration"]["mean"] != section["recalibration"]["mean"]


def test_export_holds_a_map_that_keeps_the_order_for_every_finding(
    section: dict[str, Any], make: Make
) -> None:
    rows = make().select("validation")
    stored = json.loads(json.dumps(section["recalibration"]["export"]))
    assert list(stored) == list(rows.findings)
    for position, (name, parameters) in enumerate(stored.items()):
        entry = section["recalibration"]["findings"][name]
        assert parameters["method"] == entry["chosen"] != "isotonic"
        labels, scores = rows.labels[:, position], rows.scores[:, position]
        assert parameters == fit(entry["chosen"], labels, scores)
        order = np.argsort(scores, kind="stable")
        assert (np.diff(apply(parameters, scores)[order]) >= 0).all()


def test_observed_over_expected_is_shown_with_its_interval(
    section: dict[str, Any], make: Make
) -> None:
    rows = make().select("test")
    known = ~np.isnan(rows.labels[:, 0])
    ratio = rows.labels[known, 0].sum() / rows.scores[known, 0].sum(dtype=np.float64)
    area = section["findings"]["Mass"]["test"]["observed_expected"]
    assert area["value"] == pytest.approx(ratio)
    shown = f"{ratio:.4f} \\[{area['low']:.4f}, {area['high']:.4f}\\]"
    text = markdown(section)
    assert "| Observed / expected |" in text and f"| {shown} |" in text


def test_without_validation_nothing_is_fitted_and_test_is_still_described(make: Make) -> None:
    section = built(make(splits=("test",)))
    assert section["available"] and section["splits"] == ["test"]
    assert section["recalibration"]["available"] is False
    assert any("no validation split" in note for note in section["notes"])
    assert section["findings"]["Mass"]["shift"] is None
    assert "no validation split" in markdown(section)
    assert "no validation split" in rendered(section)


def test_without_test_maps_are_fitted_and_not_judged(make: Make) -> None:
    section = built(make(splits=("validation",)))
    assert section["split"] == "validation"
    assert section["recalibration"]["judged"] is False
    assert set(section["recalibration"]["export"]) == {"Mass", "Edema", "Hernia"}
    markdown(section)
    rendered(section)


def test_train_alone_is_described(make: Make) -> None:
    section = built(make(splits=("train",)))
    assert section["splits"] == ["train"]
    rendered(section)


def test_finding_without_a_test_positive_says_so(section: dict[str, Any]) -> None:
    entry = section["findings"]["Hernia"]["test"]
    assert entry["slope"]["value"] is None and entry["brier"]["value"] is not None
    assert any(
        note.startswith("Hernia") and "to have the finding" in note for note in section["notes"]
    )


def test_a_shift_is_flagged(make: Make) -> None:
    predictions = make(rows=900)
    scores = predictions.scores.astype(np.float64)
    moved = 1 / (1 + np.exp(-(np.log(scores / (1 - scores)) - 1.5)))
    test = (predictions.splits == "test")[:, None]
    section = built(dataclasses.replace(predictions, scores=np.where(test, moved, scores)))
    assert section["findings"]["Mass"]["shift"]["moved"]["in_the_large"] == "up"
    warning = next(note for note in section["notes"] if note.startswith("Warning"))
    assert "more positives on test" in warning
    text = rendered(section)
    assert text.count(">shifted</span>") == sum(
        bool(entry["shift"]["moved"]) for entry in section["findings"].values()
    )


def test_markdown_holds_every_finding_and_method(section: dict[str, Any]) -> None:
    text = markdown(section)
    assert text.startswith("## Calibration") and text.count("\n### ") == 3
    assert text.count("\n| Mass ") == 3
    area = section["findings"]["Mass"]["test"]["slope"]
    assert f"{area['value']:.4f} \\[{area['low']:.4f}, {area['high']:.4f}\\]" in text
    for method in METHODS:
        assert f"{section['recalibration']['findings']['Mass']['test'][method]['ece']:.4f}" in text
    assert "None" not in text and "nan" not in text


def test_smooth_curves_are_of_the_headline_split_and_move_with_calibration(make: Make) -> None:
    predictions = make(rows=900)
    lowered = dataclasses.replace(predictions, scores=predictions.scores**2)
    section = built(lowered)
    entry, post_hoc = section["findings"]["Mass"], section["recalibration"]
    assert "smooth" not in entry["validation"]["reliability"]
    assert section["findings"]["Hernia"]["test"]["reliability"]["smooth"] is None
    before = entry["test"]["reliability"]["smooth"]
    after = post_hoc["findings"]["Mass"]["reliability"]["smooth"]
    assert after["observed"] == before["observed"] and after["high"] == before["high"]
    moved = apply(post_hoc["export"]["Mass"], np.array(before["scores"]))
    assert after["scores"] == moved.tolist() != before["scores"]
    # What is fitted to calibrated scores is this curve.
    test = lowered.select("test")
    chance = apply(post_hoc["export"]["Mass"], test.scores[:, 0])
    draws = Source(predictions=lowered, resamples=5).draws("test")
    again = smooth_calibration.curve(test.labels[:, 0], chance, draws)
    assert again is not None
    assert np.interp(again["scores"], after["scores"], after["observed"]) == pytest.approx(
        again["observed"], abs=2e-3
    )
    text, page = markdown(section), rendered(section)
    assert f"{before['observed'][24]:.3f} \\[{before['low'][24]:.3f}" in text
    assert '<path class="band test"' in page and '<path class="band validation"' in page


def test_page_repeats_the_figures(section: dict[str, Any]) -> None:
    text = rendered(section)
    for split in ("validation", "test"):
        assert f">{section['findings']['Mass'][split]['ece']:.4f}<" in text
    assert "None" not in text
    assert text.count('<svg class="small"') == 3


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_images_are_no_error(make: Make, rows: int) -> None:
    section = built(make(rows=rows))
    json.dumps(section, allow_nan=False)
    markdown(section)
    rendered(section)


def test_unknown_labels_throughout_are_no_error(make: Make) -> None:
    predictions = make()
    labels = predictions.labels.copy()
    labels[:, 1] = np.nan
    section = built(dataclasses.replace(predictions, labels=labels))
    assert section["findings"]["Edema"]["test"]["reason"] == "no label is known"
    assert section["recalibration"]["export"]["Edema"] == {"method": "none"}
    assert "None" not in markdown(section)
    rendered(section)
