# SPDX-License-Identifier: MIT
"""The report claims what was given and names what needs caution."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.predictions.table import Predictions
from trainer.report import statements
from trainer.report.report import build
from trainer.report.source import Source

Make = Callable[..., Predictions]


@pytest.mark.parametrize(
    ("manifest", "official", "words"),
    [
        (None, False, "it holds 240 images of 80 patients"),
        ({"official_split": True}, True, "240 of the 25,596 official test images were scored"),
        ({"official_split": False}, False, "is not the official test list"),
        ({"official_split": "yes"}, False, "is not the official test list"),
    ],
)
def test_the_report_says_whether_its_test_split_is_the_official_one(
    make: Make, manifest: dict[str, object] | None, official: bool | None, words: str
) -> None:
    report = build(Source(make(), 2, 0, {"manifest": manifest}))
    identity = report["split_identity"]
    assert identity["official"] is official and identity["comparable"] is False
    assert words in identity["statement"] and "cannot be compared" in identity["statement"]
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    assert notes["split"] == identity["statement"]


def test_predictions_alone_give_a_report_that_says_what_is_unknown(make: Make) -> None:
    report = build(Source(make(("test",)), 5, 0, {}))
    assert list(report["splits"]) == ["test"]
    unknown = " ".join(report["unknown"])
    for fact in ("validation AUCs", "which files", "how train and", "how the model was trained"):
        assert fact in unknown
    known = build(Source(make(), 5, 0, {"manifest": {"a": 1}, "training": {"b": 2}}))
    assert known["unknown"] == []


def test_notes_name_what_needs_caution(make: Make) -> None:
    # Of 130 patients more than 100 have a mass, and fewer an oedema, though on 100 images.
    report = build(Source(make(rows=390), 5, 0, {}))
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    test = report["splits"]["test"]["findings"]
    in_test = notes["few_positives"].partition("; in validation")[0]
    images, patients = (test["Edema"][key] for key in ("positives", "positive_patients"))
    assert images >= 100 > patients and "Mass" not in in_test
    assert f"In test: Edema {images} images of {patients} patients" in in_test
    assert "In test: Hernia (no positive)." in notes["undefined"]
    assert f"In test: Edema {test['Edema']['unknown']};" in notes["unknown_labels"]
    assert "0.015 to 0.034" in notes["validation"] and "Not a medical device" in notes["use"]
    assert "no_interval" not in notes


def test_difference_averages_only_findings_that_have_both(make: Make) -> None:
    report = build(Source(make(), 1, 0, {}))
    areas = {
        split: [entry["auc"]["value"] for entry in report["splits"][split]["findings"].values()]
        for split in ("validation", "test")
    }
    assert areas["test"][2] is None and areas["validation"][2] is not None
    expected = np.mean(np.subtract(areas["validation"][:2], areas["test"][:2]))
    assert report["validation_minus_test"]["value"] == pytest.approx(expected, abs=1e-12)
    assert report["validation_minus_test"]["findings"] == 2
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    shown = f"{expected:+.3f}".replace("-", "\N{MINUS SIGN}")
    assert f"{shown}, the mean over the 2 findings" in notes["validation"]
    alone = build(Source(make(("test",)), 1, 0, {}))
    assert alone["validation_minus_test"] is None


def test_a_test_split_that_is_easier_than_validation_is_remarked() -> None:
    for value, remarked in ((0.02, False), (-0.009, True)):
        gap = {"validation_minus_test": {"value": value, "findings": 14}}
        assert ("the other way round" in statements._validation(gap)) == remarked


def test_a_split_of_one_patient_is_told_to_have_no_interval(make: Make) -> None:
    predictions = make(("test",), rows=30)
    predictions.patients[:] = "7"
    report = build(Source(predictions, 5, 0, {}))
    assert report["splits"]["test"]["mean_auc"]["value"] is not None
    assert report["splits"]["test"]["mean_auc"]["low"] is None
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    assert "Mass" in notes["no_interval"] and "Hernia" not in notes["no_interval"]


def test_a_phantom_is_called_one_and_its_labels_are_not_those_of_reports(make: Make) -> None:
    context = {"manifest": {"phantom": "drawn by a program", "parameters": {"source": "nih"}}}
    report = build(Source(make(), 5, 0, context))
    notes = {note["topic"]: note["text"] for note in report["notes"]}
    assert next(iter(notes)) == "phantom" and "labels" not in notes
    assert "The images and labels are a phantom's, drawn by a program: no pict" in notes["phantom"]
    assert not any("radiology reports" in text for text in notes.values())
