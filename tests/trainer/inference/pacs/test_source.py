# SPDX-License-Identifier: MIT
"""A report says of a person what the film says, where that is valid, and nothing else."""

import dataclasses
import io

import pydicom
import pytest

from preprocessing.contract.pictures.image import ImageError
from trainer.inference.pacs import source

JAPANESE = ["ISO 2022 IR 6", "ISO 2022 IR 87"]


def _written(encoded: bytes) -> pydicom.Dataset:
    """The identity after it was written and read."""
    made = source.read(encoded).identity
    file = io.BytesIO()
    made.save_as(file, implicit_vr=False, little_endian=True)
    return pydicom.dcmread(io.BytesIO(file.getvalue()), force=True)


def test_valid_attributes_are_taken_over_and_no_others(film_file) -> None:
    made = source.read(film_file(PatientComments="secret", InstitutionName="Somewhere"))
    assert {element.keyword: str(element.value) for element in made.identity} == {
        **{"PatientName": "Quincewater^Zebulon", "PatientID": "HOSP-778899", "PatientSex": "F"},
        **{"PatientAge": "061Y", "PatientBirthDate": "19630102", "StudyDate": "20240305"},
        **{"StudyTime": "101112", "AccessionNumber": "A1", "StudyID": "S1"},
        "ReferringPhysicianName": "Ward^One",
    }
    assert made.is_oriented and made.image.BurnedInAnnotation == "NO"
    assert made.evidence.StudyInstanceUID == "1.2.3.4.3" and not made.evidence.PatientName


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Müller^Jürgen"}, "Müller^Jürgen"),
        ({"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^J=x=y"}, "Müller^J=x=y"),
        (
            {"SpecificCharacterSet": JAPANESE, "PatientName": "Yamada^Taro=山田^太郎"},
            "Yamada^Taro=山田^太郎",
        ),
        ({"PatientName": "^^^^=="}, "^^^^"),
        ({"PatientName": None}, ""),
        ({"PatientName": "A" * 65}, ""),
        ({"SpecificCharacterSet": "ISO_IR 192", "PatientName": b"M\xfcller^J"}, ""),
        ({"SpecificCharacterSet": "NO SUCH SET", "PatientName": "Plain^Name"}, "Plain^Name"),
    ],
)
def test_names_come_through_or_become_empty(film_file, changes, name: str) -> None:
    assert str(_written(film_file(**changes)).PatientName) == name


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientAge", "62"),
        ("PatientAge", "062X"),
        ("PatientSex", "MF"),
        ("PatientSex", "W"),
        ("PatientID", ["A", "B"]),
        ("PatientID", "A\tB"),
        ("PatientID", "A" * 65),
        ("PatientID", None),
        ("PatientBirthDate", "1963"),
        ("StudyDate", "2004.01.19"),
        ("StudyTime", "11:22:07"),
        ("AccessionNumber", "A" * 17),
        ("StudyDescription", "A\x1bB"),
    ],
)
def test_what_is_missing_or_not_valid_is_empty_or_left_out(film_file, keyword, value) -> None:
    made = source.read(film_file(**{keyword: value})).identity
    assert not made.get(keyword)
    assert (keyword in made) == (keyword not in ("PatientAge", "StudyDescription"))


@pytest.mark.parametrize("value", [None, "", "1.2.x", "1." * 40 + "1", ["1.2", "1.3"]])
@pytest.mark.parametrize(
    "keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SOPClassUID"]
)
def test_a_film_that_nothing_can_refer_to_is_refused(film_file, keyword, value) -> None:
    with pytest.raises(ImageError, match=f"^{keyword} .*cannot refer") as caught:
        source.read(film_file(**{keyword: value}))
    assert caught.value.reason == "no_uid"
    assert "1.2" not in str(caught.value)


def test_annotation_and_lossy_compression_are_repeated_if_they_are_said(film_file) -> None:
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "10"}
    made = source.read(film_file(BurnedInAnnotation=None, **lossy)).image
    assert "BurnedInAnnotation" not in made
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 10)


def test_uids_depend_on_the_film_the_model_and_the_kind(film_file, facts) -> None:
    film, other = (source.read(film_file(SOPInstanceUID=f"1.2.{at}")) for at in (5, 6))
    again = dataclasses.replace(facts, folder="/elsewhere")
    assert film.uid(facts, "SR") == film.uid(again, "SR")
    changed = dataclasses.replace(facts, step=121)
    recalibrated = dataclasses.replace(facts, content="of other weights or calibration")
    made = [film.uid(facts, "SR"), film.uid(facts, "SC"), other.uid(facts, "SR")]
    made += [film.uid(changed, "SR"), film.uid(recalibrated, "SR")]
    assert len(set(made)) == len(made)
    assert all(len(one) <= 64 and one.startswith("2.25.") for one in made)
