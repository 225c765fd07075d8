# SPDX-License-Identifier: MIT
"""Tests what is taken for a frontal chest radiograph, and what is refused for which reason."""

import pytest
from pydicom.dataset import Dataset

from preprocessing.contract import vocabulary
from preprocessing.contract.dicom import eligibility
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.pictures.image import ImageError

WORDS = vocabulary.of({})

# Of pydicom, when a test makes what real files have.
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR CS")

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT, SEG, DX = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "66.4", "1.1"))


def _code(meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeMeaning = meaning
    return [item]


SCAN = {
    **{"SOPClassUID": CAPTURE, "Modality": "OT", "BodyPartExamined": None, "ViewPosition": None},
    "PatientOrientation": None,
}


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
        ({"ViewPosition": None, "BodyPartExamined": "THORAX AP"}, "AP", ["BodyPartExamined"]),
        (
            {"ViewPosition": None, "ViewCodeSequence": _code("postero-anterior")},
            "PA",
            ["ViewCodeSequence (0054,0220)"],
        ),
        ({"PresentationIntentType": "FOR PROCESSING"}, "PA", ["PresentationIntentType"]),
        ({"NumberOfFrames": 1, "BurnedInAnnotation": "NO"}, "PA", []),
        ({"BodyPartExamined": "TÓRAX"}, "PA", []),
        ({"BodyPartExamined": "PULMON"}, "PA", []),
        ({"BodyPartExamined": "TÓRAX".encode().decode("latin-1")}, "PA", []),
        ({"BodyPartExamined": "UNKNOWN"}, "PA", ["is 'UNKNOWN', which is unknown: taken as a"]),
        (
            {"BodyPartExamined": "SNOUT", "SeriesDescription": "Thorax p.a."},
            "PA",
            ["is 'SNOUT', which is unknown: taken as a chest for SeriesDescription"],
        ),
        (
            {"BodyPartExamined": None, "AnatomicRegionSequence": _code("Chest")},
            "PA",
            ["taken as a chest for AnatomicRegionSequence (0008,2218)"],
        ),
        ({"ViewPosition": "XYZ"}, "", ["is 'XYZ', which is unknown: taken as a frontal view"]),
        ({"ViewPosition": "FRONTAL"}, "", []),
        ({"ViewPosition": ["AP", "PA"]}, "", ["is both AP and PA: taken as a frontal view"]),
        ({"ViewPosition": None, "SeriesDescription": "Thorax p.a."}, "PA", ["SeriesDescription"]),
        ({"StudyDescription": "CHEST PA AND LATERAL; KNEE"}, "PA", []),
        ({"SeriesDescription": "CHEST PA, LATERAL AND OBLIQUE"}, "PA", []),
        ({"ViewPosition": None, "SeriesDescription": "TORAX AP DECUBITO"}, "", ["is missing"]),
        ({"StudyDescription": "XR KNEE LATERAL"}, "PA", []),
        (
            {**SCAN, "SeriesDescription": "TORAX PA"},
            "PA",
            ["Modality (0008,0060) is not that", "BodyPartExamined", "ViewPosition"],
        ),
    ],
)
def test_a_frontal_chest_film_is_taken(film, changes, view: str, warned: list[str]) -> None:
    warnings: list[str] = []
    assert eligibility.check(film(**changes), WORDS, warnings) == view
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
        ("not_frontal", {"ViewPosition": "SWIMMERS"}),
        ("not_frontal", {"ViewPosition": "L"}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "TORAX PERFIL"}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "Thorax seitl."}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "THORAX PROFIL"}),
        ("not_frontal", {"ViewPosition": None, "StudyDescription": "TORACE LATERALE"}),
        ("not_frontal", {"SeriesDescription": "Chest lat."}),
        ("not_frontal", {"ViewPosition": None, "BodyPartExamined": "CHEST LAT"}),
        ("not_frontal", {"ViewPosition": None, "BodyPartExamined": "CHEST PA OBLIQUE"}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "CHEST PA OBLIQUE"}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "Thorax p.a. schräg"}),
        ("not_frontal", {"ViewPosition": None, "SeriesDescription": "CHEST AP LATERAL DECUB"}),
        ("not_frontal", {"ViewPosition": None, "StudyDescription": "TORAX PA OBLICUA"}),
        ("not_frontal", {"ViewPosition": "PA OBLIQUE"}),
        ("not_frontal", {"ViewPosition": "PA AND LATERAL"}),
        ("not_chest", {"BodyPartExamined": None, "StudyDescription": "RX RODILLA DERECHA"}),
        ("not_chest", {"BodyPartExamined": "COLUMNA"}),
        ("not_chest", {"BodyPartExamined": None, "SeriesDescription": "Thoracic spine"}),
        ("not_chest", {"SeriesDescription": "Schulter links"}),
        ("not_chest", {"BodyPartExamined": None, "ViewPosition": None}),
        ("not_a_radiograph", SCAN),
        ("not_a_radiograph", {**SCAN, "StudyDescription": "RX TORAX PA"}),
        ("not_a_radiograph", {**SCAN, "BodyPartExamined": "CHEST", "ConversionType": "SD"}),
        ("not_a_radiograph", {**SCAN, "SeriesDescription": "Scanned chest request"}),
        ("not_a_radiograph", {"SOPClassUID": CAPTURE, "ManufacturerModelName": "cxr14"}),
        ("multi_frame", {"NumberOfFrames": 2}),
        ("multi_frame", {"NumberOfFrames": 2**31 - 1}),
        ("burned_in_text", {"BurnedInAnnotation": "YES"}),
    ],
)
def test_anything_else_is_refused(film, reason: str, changes) -> None:
    with pytest.raises(ImageError) as caught:
        eligibility.check(film(**changes), WORDS, [])
    assert caught.value.reason == reason


def test_a_message_repeats_no_unknown_words(film) -> None:
    with pytest.raises(ImageError) as caught:
        eligibility.check(film(BodyPartExamined="QUINCEWATER"), WORDS, [])
    assert "quincewater" not in str(caught.value).lower()


def test_an_unknown_code_is_named_unless_it_may_be_a_persons(film) -> None:
    for changes, said in (
        ({"ViewPosition": "ZEBULON"}, "is unknown: "),
        ({"ViewPosition": "ROOM 7"}, "is unknown: "),
        ({"ViewPosition": "STEEP"}, "is 'STEEP', which is unknown: "),
        ({"ViewPosition": ""}, "is missing: "),
    ):
        warnings: list[str] = []
        eligibility.check(film(**changes), WORDS, warnings)
        assert f"ViewPosition (0018,5101) {said}" in warnings[0]


def test_words_of_a_hospital_count(film) -> None:
    own = vocabulary.of({"Steep": "PA", "Snout": "chest", "Room": "not_frontal"})
    warnings: list[str] = []
    with pytest.raises(ImageError, match="names the chest; the setting words can name it"):
        eligibility.check(film(BodyPartExamined="SNOUT"), WORDS, [])
    made = film(BodyPartExamined="SNOUT", ViewPosition="STEEP")
    assert eligibility.check(made, own, warnings) == "PA" and not warnings
    with pytest.raises(ImageError, match="not frontal"):
        eligibility.check(film(SeriesDescription="Room"), own, [])


# All that the files of VinDr-CXR say, beside the pixels, of what they show: nothing.
_VINDR = dict.fromkeys(
    ("SOPClassUID", "Modality", "PatientName", "PatientID", "BodyPartExamined", "ViewPosition")
)


def test_a_film_that_says_nothing_is_what_the_empty_word_says(film) -> None:
    with pytest.raises(ImageError):
        eligibility.check(film(**_VINDR), vocabulary.of({}), [])
    warnings: list[str] = []
    assert eligibility.check(film(**_VINDR), vocabulary.of({"": "PA"}), warnings) == "PA"
    assert len(warnings) == 1 and "taken as PA of a chest by words.''" in warnings[0]
    assert eligibility.check(film(**_VINDR), vocabulary.of({"": "frontal"}), []) == ""


@pytest.mark.parametrize(
    "changes", [{"Modality": "CT"}, {"SeriesDescription": "knee"}, {"BodyPartExamined": "XYZ"}]
)
def test_the_empty_word_overrules_no_tag(film, changes) -> None:
    with pytest.raises(ImageError):
        eligibility.check(film(**(_VINDR | changes)), vocabulary.of({"": "PA"}), [])


def test_the_empty_word_is_a_view() -> None:
    with pytest.raises(ConfigError, match="words.'' is 'chest': use PA, AP or frontal"):
        vocabulary.of({"": "chest"})
