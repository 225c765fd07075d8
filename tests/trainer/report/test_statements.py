# SPDX-License-Identifier: MIT
"""The report claims what was handed in and names what needs caution."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.predictions import Predictions
from trainer.report.report import build

Make = Callable[..., Predictions]


@pytest.mark.parametrize(
    ("manifest", "official", "words"),
    [
        (None, None, "Nothing that was handed"),
        ({"official_split": True}, True, "240 of the 25,596 official test images were scored"),
        ({"official_split": False}, False, "is not the official one"),
        ({"official_split": "yes"}, None, "Nothing that was handed"),
    ],
)
def test_a_split_is_official_only_if_the_manifest_says_so(
    make: Make, manifest: dict[str, object] | None, official: bool | None, words: str
) -> None:
    report = build(make(), context={"manifest": manifest}, bootstrap_resamples=2, seed=0)
    identity = report["split_identity"]
    assert identity["official"] is official and identity["comparable"] is False
    assert words in identity["statement"] and "cannot be compared" in identity["statement"]


def test_only_the_complete_official_test_list_is_comparable() -> None:
    rows = 25_596
    predictions = Predictions(
        ids=np.arange(rows).astype(np.str_),
        patients=(np.arange(rows) % 2_797).astype(np.str_),
        splits=np.full(rows, "test"),
        labels=(np.arange(rows) % 2).astype(np.float32)[:, None],
        scores=np.linspace(0, 1, rows)[:, None],
        findings=("Mass",),
    )
    context = {"manifest": {"official_split": True}}
    report = build(predictions, context=context, bootstrap_resamples=1, seed=0)
    assert report["split_identity"]["comparable"] is True
    assert "cannot" not in report["split_identity"]["statement"]


def test_predictions_alone_give_a_report_that_says_what_is_unknown(make: Make) -> None:
    report = build(make(("test",)), context={}, bootstrap_resamples=5, seed=0)
    assert list(report["splits"]) == ["test"]
    unknown = " ".join(report["unknown"])
    for fact in ("validation", "which lists", "how the model was trained"):
        assert fact in unknown
    known = build(
        make(), context={"manifest": {"a": 1}, "training": {"b": 2}}, bootstrap_resamples=5, seed=0
    )
    assert known["unknown"] == []


def test_notes_name_what_needs_caution(make: Make) -> None:
    report = build(make(), context={}, bootstrap_resamples=5, seed=0)
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    test = report["splits"]["test"]["findings"]
    in_test = notes["few_positives"].partition("; in validation")[0]
    assert f"In test: Edema {test['Edema']['positives']}" in in_test and "Mass" not in in_test
    assert "In test: Hernia (no positive)." in notes["undefined"]
    assert f"In test: Edema {test['Edema']['unknown']};" in notes["unknown_labels"]
    assert "0.015 to 0.034" in notes["validation"] and "Not a medical device" in notes["use"]
    assert "no_interval" not in notes


def test_difference_averages_only_findings_that_have_both(make: Make) -> None:
    report = build(make(), context={}, bootstrap_resamples=1, seed=0)
    areas = {
        split: [entry["auc"]["value"] for entry in report["splits"][split]["findings"].values()]
        for split in ("validation", "test")
    }
    assert areas["test"][2] is None and areas["validation"][2] is not None
    expected = np.mean(np.subtract(areas["validation"][:2], areas["test"][:2]))
    assert report["validation_minus_test"]["value"] == pytest.approx(expected, abs=1e-12)
    assert report["validation_minus_test"]["findings"] == 2
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    assert f"{expected:+.3f}, the mean over the 2 findings" in notes["validation"]
    alone = build(make(("test",)), context={}, bootstrap_resamples=1, seed=0)
    assert alone["validation_minus_test"] is None


def test_a_split_of_one_patient_is_told_to_have_no_interval(make: Make) -> None:
    predictions = make(("test",), rows=30)
    predictions.patients[:] = "7"
    report = build(predictions, context={}, bootstrap_resamples=5, seed=0)
    assert report["splits"]["test"]["mean_auc"]["value"] is not None
    assert report["splits"]["test"]["mean_auc"]["low"] is None
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    assert "Mass" in notes["no_interval"] and "Hernia" not in notes["no_interval"]
