# SPDX-License-Identifier: MIT
"""Tests sex and age, and which file names are refused."""

import pytest

from preprocessing.contract.dicom import person
from preprocessing.contract.pictures.image import ImageError

# Of pydicom, when a test makes what real files have.
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR AS")

UUID = "16d7f894-55d7-4d95-8957-d18987f0e981"
RSNA = dict.fromkeys(("PatientID", "PatientName"), "0004cfab-14fd-4e49-80ba-63a80b6bddd6")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("quincewater_pa.dcm", {}),
        ("PAZebulon1.dcm", {}),
        ("hosp-778899.dcm", {}),
        ("x_HOSP-778899_2.dcm", {}),
        ("muller.dcm", {"PatientName": "Müller^Ida"}),
        ("MÜLLER.dcm", {"PatientName": "Muller^Ida"}),
        ("12345678_001.dcm", {"PatientID": "12345678"}),
        ("00000061_0021.dcm", {"PatientID": "00000061"}),
        ("a-4455667.dcm", {"AccessionNumber": "4455667"}),
        ("a-4455667.dcm", {"OtherPatientIDs": ["1", "4455667"]}),
    ],
)
def test_a_name_that_gives_the_patient_away_is_refused(film, name: str, changes) -> None:
    with pytest.raises(ImageError) as caught:
        person.check_name(film(**changes), name)
    assert caught.value.reason == "identifier_in_name"
    for word in ("quincewater", "zebulon", "778899", "ller", "12345678", "00000061", "4455667"):
        assert word not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("image_0001.dcm", {}),
        ("HOSP-778899.dcm", {"PatientIdentityRemoved": "YES"}),
        ("00000061_002.dcm", {"PatientID": "00000061"}),
        ("test3.dcm", {"PatientID": "3"}),
        ("chest_anonymized.dcm", {"PatientName": "Anonymized^Chest"}),
        ("ida_li.dcm", {"PatientName": "Li^Ida"}),
        (f"{UUID}.dcm", {"PatientID": UUID, "PatientName": None}),
        # As RSNA's pneumonia challenge has it: each film's UUID is its patient's ID and name.
        ("0004cfab-14fd-4e49-80ba-63a80b6bddd6.dcm", RSNA),
        ("scan.dcm", {"PatientName": "Dicom^Dcm"}),
        ("anything.dcm", {"PatientName": None, "PatientID": None}),
    ],
)
def test_other_names_are_allowed(film, name: str, changes) -> None:
    person.check_name(film(**changes), name)


@pytest.mark.parametrize(
    ("changes", "years", "warned"),
    [
        ({"PatientAge": "061Y"}, 61, 0),
        ({"PatientAge": "018M"}, 1, 0),
        ({"PatientAge": "014D"}, 0, 0),
        ({"PatientAge": "081"}, 81, 1),
        ({"PatientAge": "411Y"}, -1, 1),
        ({"PatientAge": None}, -1, 0),
        ({"PatientAge": None, "PatientBirthDate": "19400305", "StudyDate": "19950926"}, 55, 1),
        ({"PatientAge": None, "PatientBirthDate": "19400305", "StudyDate": "19950304"}, 54, 1),
        ({"PatientAge": None, "PatientBirthDate": "19960305", "StudyDate": "19950304"}, -1, 0),
    ],
)
def test_ages(film, changes, years: int, warned: int) -> None:
    warnings: list[str] = []
    assert person.age(film(**changes), warnings) == years
    assert len(warnings) == warned
    assert all("PatientAge (0010,1010)" in text for text in warnings)


def test_sexes_and_patients(film) -> None:
    warnings: list[str] = []
    assert [person.sex(film(PatientSex=sex), warnings) for sex in ("M", "F", "O", None)] == [
        *"MF",
        "",
        "",
    ]
    assert person.patient(film(), warnings) == "HOSP-778899"
    assert not warnings
    assert person.sex(film(PatientSex="X"), warnings) == ""
    assert person.patient(film(PatientID=None), warnings) == ""
    assert len(warnings) == 2
