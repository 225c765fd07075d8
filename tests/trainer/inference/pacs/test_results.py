# SPDX-License-Identifier: MIT
"""Report and capture are valid, refer to their film, and say of the person what the film says."""

import dataclasses
import pathlib
import stat
import sys

import numpy as np
import pydicom
import pytest
from highdicom import sr

from preprocessing.contract.errors import UsageError
from trainer.inference import films
from trainer.inference.pacs import codes, results

IDENTITY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge")
STUDY = ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")


@pytest.fixture
def write(answer, maps, facts, tmp_path):
    """Reads a film and writes what is said of it."""

    def run(encoded: bytes, *, facts=facts, answer=answer, rule="youden", folder=tmp_path):
        film = films.read(encoded, "a.dcm", stored_size=facts.stored_size)
        return results.write(encoded, film, answer, maps, facts, rule, str(folder))

    return run


def _groups(report: pydicom.Dataset) -> list[pydicom.Dataset]:
    [measurements] = [
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    ]
    return list(measurements.ContentSequence)


def _items(group: pydicom.Dataset) -> dict[str, pydicom.Dataset]:
    return {item.ConceptNameCodeSequence[0].CodeMeaning: item for item in group.ContentSequence}


def test_the_report_says_what_the_model_says(film_file, write) -> None:
    report = pydicom.dcmread(write(film_file())[0])
    assert (report.Modality, report.StudyInstanceUID) == ("SR", "1.2.3.4.3")
    assert (report.ContentDate, report.VerificationFlag) == ("20240305", "UNVERIFIED")
    [study] = report.CurrentRequestedProcedureEvidenceSequence
    [series] = study.ReferencedSeriesSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3.4.3", "1.2.3.4.2")
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.1"
    found = [_items(group) for group in _groups(report)]
    assert [items["Finding"].ConceptCodeSequence[0].CodeMeaning for items in found] == [
        "Pleural effusion",
        "Pleural Thickening",
        "?dem ()",
    ]
    values = [items["Probability"].MeasuredValueSequence[0] for items in found]
    assert [float(value.NumericValue) for value in values] == [0.25, 0.1235, 0.01]
    assert values[0].MeasurementUnitsCodeSequence[0].CodeValue == "1"
    flag = "Positive by Youden's index on validation"
    flags = [items[flag].ConceptCodeSequence[0].CodeMeaning for items in found]
    assert flags == ["Positive", "Positive", "Negative"]
    assert not any("highest F1" in name for items in found for name in items)
    assert found[0]["Algorithm Version"].TextValue == "run 0123456789abcdef step 120"
    said = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert "Research use, not a medical device" in said


FILM_CLASSES = ("1", "1.1", "1.1.1", "7", "7.1", "7.2", "7.3", "7.4")


@pytest.mark.parametrize("ending", FILM_CLASSES)
def test_films_of_every_class_have_a_report_that_others_can_search(
    film_file, write, ending: str
) -> None:
    report = sr.srread(write(film_file(SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{ending}"))[0])
    wanted = codes.of_finding("Effusion")
    [group] = report.content.get_image_measurement_groups(finding_type=wanted)
    [image] = group.source_images
    assert image.referenced_sop_instance_uid == "1.2.3.4.1"
    [measured] = group.get_measurements(name=codes.PROBABILITY)
    assert measured.value == 0.25


def test_what_is_not_a_probability_is_not_called_one_and_an_unfamiliar_film_is_named(
    film_file, write, other
) -> None:
    raw = dataclasses.replace(other, probabilities=None)
    report = pydicom.dcmread(write(film_file(), answer=raw)[0])
    items = _items(_groups(report)[0])
    value = items["Score of the model, not calibrated"].MeasuredValueSequence[0].NumericValue
    assert float(value) == 0.9 and "Probability" not in items
    said = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert any("unlike those that the model learned from" in text for text in said)


def test_the_capture_is_an_upright_picture_of_the_same_study_and_no_film(film_file, write) -> None:
    path = write(film_file(PatientOrientation=["R", "H"], PhotometricInterpretation="MONOCHROME1"))[
        1
    ]
    capture = pydicom.dcmread(path)
    assert (capture.StudyInstanceUID, capture.SeriesNumber) == ("1.2.3.4.3", 9102)
    assert capture.SeriesInstanceUID not in ("1.2.3.4.2", "1.2.3.4.3")
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.1"
    assert (list(capture.PatientOrientation), capture.BurnedInAnnotation) == (["L", "F"], "NO")
    # Dark at the end in the file, inverted, turned half round: dark where the file begins.
    picture = capture.pixel_array[:90, 226:286, 0].astype(int)
    assert picture[:6, 40:].mean() < picture[60:80, 40:].mean()
    with pytest.raises(films.ImageError, match="drew it from a film") as caught:
        films.read(pathlib.Path(path).read_bytes(), "a.dcm", stored_size=32)
    assert caught.value.reason == "not_a_radiograph"


def test_what_the_film_leaves_open_stays_open(film_file, write) -> None:
    capture = pydicom.dcmread(write(film_file(PatientOrientation=None, BurnedInAnnotation=None))[1])
    assert not capture.PatientOrientation and "BurnedInAnnotation" not in capture


def test_the_same_command_writes_the_same_files(film_file, write, tmp_path, facts) -> None:
    first, second = (write(film_file(), folder=tmp_path / name) for name in "ab")
    for one, other in zip(first, second, strict=True):
        one, other = pathlib.Path(one), pathlib.Path(other)
        assert (one.name, one.read_bytes()) == (other.name, other.read_bytes())
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
        for identifier in ("1.2.3", "HOSP", "778899", "incewater"):
            assert identifier not in one.name
    changed = write(film_file(), facts=dataclasses.replace(facts, step=1), folder=tmp_path / "a")
    assert not set(changed) & set(first)
    other = write(film_file(), rule="", folder=tmp_path / "a")
    assert other[0] == first[0] and other[1] != first[1]
    assert len(list((tmp_path / "a").iterdir())) == 5
    capture = pydicom.dcmread(other[1])
    assert capture.file_meta.MediaStorageSOPInstanceUID == capture.SOPInstanceUID


def test_nothing_else_of_the_film_is_copied_or_printed(film_file, write, capfd, caplog) -> None:
    caplog.set_level("DEBUG")
    paths = write(film_file(PatientName="Quincewater", PatientComments="QUINCEWATER"))
    for path in paths:
        content = pathlib.Path(path).read_bytes()
        assert content.count(b"Quincewater") == 1 and b"QUINCEWATER" not in content
    said = "".join(capfd.readouterr()) + caplog.text
    assert "incewater" not in said.lower() and "1.2.3.4" not in said


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^J=x=y", "PatientID": "Ä"},
        {"PatientName": None, "PatientID": None, "PatientBirthDate": None, "PatientSex": None},
        {
            "PatientAge": "62",
            "StudyDate": "1999.1.1",
            "StudyTime": "x",
            "AccessionNumber": "A" * 20,
        },
        {"StudyDate": None, "StudyTime": None, "StudyID": None, "InstanceNumber": "-7"},
        {"PhotometricInterpretation": "MONOCHROME1", "PatientOrientation": None, "Modality": "OT"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ConversionType": "WSD", "Modality": "CT"},
        {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12"},
    ],
    ids=["whole", "names", "nobody", "not_valid", "no_study", "monochrome1", "capture", "lossy"],
)
def test_no_film_makes_an_error_that_it_does_not_have(
    film_file, write, errors_of, tmp_path, changes
) -> None:
    encoded = film_file(**changes)
    _check(encoded, write(encoded), errors_of, tmp_path)


def _check(encoded: bytes, paths: tuple[str, str], errors_of, folder: pathlib.Path) -> None:
    film = pydicom.dcmread(pathlib.Path(paths[0]), force=True)
    (folder / "film.dcm").write_bytes(encoded)
    before = errors_of(folder / "film.dcm")
    film = pydicom.dcmread(folder / "film.dcm", force=True)
    for path in paths:
        assert set(errors_of(path)) <= set(before)
        made = pydicom.dcmread(path)
        for keyword in (*IDENTITY, *STUDY):
            assert str(made.get(keyword) or "") in ("", str(film.get(keyword) or "").strip())


@pytest.mark.parametrize(
    "name",
    [
        *("1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819", "CR-MONO1-10-chest"),
        *("RG1_J2KI", "test1", "test3", "test5"),
    ],
)
def test_no_real_film_does(nih: pathlib.Path, write, errors_of, tmp_path, name: str) -> None:
    encoded = (nih.parent / "dicom" / f"{name}.dcm").read_bytes()
    paths = write(encoded)
    _check(encoded, paths, errors_of, tmp_path)
    assert not [errors_of(path) for path in paths if errors_of(path)]


def test_a_picture_without_study_is_refused(facts, answer, maps, tmp_path) -> None:
    film = films.Film(np.zeros((32, 32), np.uint8), None, False)  # type: ignore[arg-type]
    with pytest.raises(films.ImageError, match="no study to report to") as caught:
        results.write(b"", film, answer, maps, facts, "", str(tmp_path))
    assert caught.value.reason == "not_dicom" and not list(tmp_path.iterdir())


def test_without_highdicom_one_sentence_says_what_to_install(monkeypatch) -> None:
    results.check_installed()
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(UsageError, match="highdicom.*serve.txt"):
        results.check_installed()
