# SPDX-License-Identifier: MIT
"""Tests what is taken for a frontal chest radiograph, and what is refused for which reason."""

import pytest
from pydicom.dataset import Dataset

from preprocessing.contract.image import ImageError
from preprocessing.dicom import eligibility

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT, SEG, DX = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "66.4", "1.1"))


def _code(meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeMeaning = meaning
    return [item]


@pytest.mark.parametrize(
    ("changes", "view", "warned"),
    [
        ({}, "PA", []),
        ({"ViewPosition": "AP"}, "AP", []),
        ({"SOPClassUID": DX, "Modality": "DX", "BodyPartExamined": "THORAX"}, "PA", []),
        ({"Modality": "CT"}, "PA", ["Modality (0008,0060)"]),
        ({"Modality": None}, "PA", ["Modality (0008,0060)"]),
        ({"SOPClassUID": CAPTURE}, "PA", []),
        ({"SOPClassUID": None}, "PA", []),
        ({"SOPClassUID": CAPTURE, "Modality": "CT"}, "PA", ["Modality (0008,0060)"]),
        ({"BodyPartExamined": None}, "PA", ["BodyPartExamined (0018,0015)"]),
        ({"BodyPartExamined": None, "StudyDescription": "CXR"}, "PA", ["StudyDescription"]),
        ({"ViewPosition": None}, "", ["ViewPosition (0018,5101)"]),
        ({"ViewPosition": None, "PatientPosition": "AP"}, "AP", ["PatientPosition (0018,5100)"]),
        ({"ViewPosition": None, "SeriesDescription": "view: PA"}, "PA", ["SeriesDescription"]),
        ({"ViewPosition": None, "SeriesDescription": "PA + LATERAL"}, "", ["ViewPosition"]),
        (
            {"ViewPosition": None, "ViewCodeSequence": _code("postero-anterior")},
            "PA",
            ["ViewCodeSequence (0054,0220)"],
        ),
        ({"PresentationIntentType": "FOR PROCESSING"}, "PA", ["PresentationIntentType"]),
        ({"NumberOfFrames": 1, "BurnedInAnnotation": "NO"}, "PA", []),
    ],
)
def test_a_frontal_chest_film_is_taken(film, changes, view: str, warned: list[str]) -> None:
    warnings: list[str] = []
    assert eligibility.check(film(**changes), warnings).view == view
    assert len(warnings) == len(warned)
    assert all(word in text for word, text in zip(warned, warnings, strict=True))


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("not_a_radiograph", {"SOPClassUID": CT, "Modality": "CT"}),
        ("not_a_radiograph", {"SOPClassUID": CT}),
        ("not_a_radiograph", {"SOPClassUID": SEG, "Modality": "SEG"}),
        ("not_a_radiograph", {"SOPClassUID": CAPTURE, "Modality": "MR", "ViewPosition": None}),
        (
            "not_a_radiograph",
            {"SOPClassUID": CAPTURE, "Modality": "CT", "BodyPartExamined": None},
        ),
        ("not_a_radiograph", {"SOPClassUID": CAPTURE, "Modality": "CT", "SliceThickness": 1}),
        ("not_a_radiograph", {"SOPClassUID": None, "ImageType": ["DERIVED", "X", "AXIAL"]}),
        ("not_human", {"PatientSpeciesDescription": "Canine"}),
        ("not_chest", {"BodyPartExamined": "HIP"}),
        ("not_chest", {"BodyPartExamined": "SNOUT"}),
        ("not_chest", {"BodyPartExamined": "CHEST ABDOMEN"}),
        ("not_chest", {"BodyPartExamined": None, "StudyDescription": "left knee"}),
        ("not_frontal", {"ViewPosition": "LL"}),
        ("not_frontal", {"ViewPosition": "RLD"}),
        ("not_frontal", {"ViewPosition": "LATERAL"}),
        ("not_frontal", {"ViewPosition": None, "ViewCodeSequence": _code("left lateral")}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "W033 Chest lat."}),
        ("multi_frame", {"NumberOfFrames": 2}),
        ("multi_frame", {"NumberOfFrames": 2**31 - 1}),
        ("burned_in_text", {"BurnedInAnnotation": "YES"}),
    ],
)
def test_anything_else_is_refused(film, reason: str, changes) -> None:
    with pytest.raises(ImageError) as caught:
        eligibility.check(film(**changes), [])
    assert caught.value.reason == reason


def test_a_message_repeats_no_unknown_words(film) -> None:
    with pytest.raises(ImageError) as caught:
        eligibility.check(film(BodyPartExamined="QUINCEWATER"), [])
    assert "quincewater" not in str(caught.value).lower()
