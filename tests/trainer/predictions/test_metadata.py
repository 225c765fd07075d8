# SPDX-License-Identifier: MIT
"""Tests of reading, writing and joining what is known of images."""

import dataclasses
import pathlib

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions import metadata
from trainer.predictions.metadata import Metadata

WHOLE = Metadata(
    ids=np.array(["a.png", "b.png", "c,1.png"]),
    patients=np.array(["1", "1", "P 2"]),
    splits=np.array(["train", "test", ""]),
    sex=np.array(["M", "M", ""]),
    view=np.array(["AP", "", "PA"]),
    age=np.array([0, -1, 95]),
    follow_up=np.array([0, 7, -1]),
    width=np.array([2500, 0, 1]),
    height=np.array([2048, 0, 2]),
    labels=np.array([[1, 0], [0, np.nan], [1, 1]], np.float32),
    findings=("Mass", "Pleural_Thickening"),
)


def written(folder: pathlib.Path, text: str) -> str:
    path = folder / "metadata.csv"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("labels", [True, False])
def test_what_is_written_comes_back(tmp_path: pathlib.Path, labels: bool) -> None:
    before = WHOLE if labels else dataclasses.replace(WHOLE, labels=None, findings=())
    path = str(tmp_path / "predictions" / "metadata.csv")
    metadata.write(path, before)
    after = metadata.read(path)
    for field in dataclasses.fields(Metadata):
        np.testing.assert_array_equal(getattr(after, field.name), getattr(before, field.name))
        if isinstance(getattr(before, field.name), np.ndarray):
            assert getattr(after, field.name).dtype.kind == getattr(before, field.name).dtype.kind


def test_a_data_entry_file_is_read_whatever_it_is_called(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(
        "Image Index,Finding Labels,Patient ID,Patient Age,Patient Sex\n"
        "a.png,Mass,1,060Y,F\nb.png,No Finding,1,411,F\n"
    )
    found = metadata.read(str(path))
    assert found.age.tolist() == [60, -1] and found.refused == {"age": 1}
    assert found.splits.tolist() == ["", ""]
    assert found.findings == ("Mass",) and found.labels.tolist() == [[1], [0]]


def test_id_and_patient_are_enough(tmp_path: pathlib.Path) -> None:
    found = metadata.read(written(tmp_path, "patient,id\n1,a\n"))
    assert found.ids.tolist() == ["a"] and found.sex.tolist() == [""] and found.labels is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,sex\na,M\n", "no column 'patient'; give ChestX-ray14's Data_Entry"),
        ("id,patient\n", "a header but no row"),
        ("id,patient\na, \n", "column patient is empty in row 1"),
        ("id,patient\na.png,1\nb,1\na,1\n", "image 'a' is in more than one row"),
        ("id,patient,split\na,1,dev\n", r"'dev' in row 1 \(id 'a'\) is not a split"),
        ("id,patient,width\na,1,x\n", "column width: 'x'"),
        ("id,patient\na,1,2\n", "3 cells where the header has 2"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: pathlib.Path, text: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=f"metadata.csv: .*{sentence}"):
        metadata.read(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: there is no such metadata file"):
        metadata.read(str(tmp_path / "none.csv"))


def test_images_are_joined_by_name_and_proven_by_patient() -> None:
    rows = metadata.join(WHOLE, np.array(["b", "x", "a.png"]), np.array(["01", "9", "1"]))
    assert rows.tolist() == [1, -1, 0]
    with pytest.raises(DataError, match="image 'b' is of patient '2' in the predictions"):
        metadata.join(WHOLE, np.array(["b"]), np.array(["2"]))


def test_without_image_names_the_sex_is_joined_by_patient() -> None:
    found = metadata.sex_of_patients(WHOLE, np.array(["P 2", "0001", "9"]))
    assert found.tolist() == ["", "M", ""]


def test_a_patient_of_two_sexes_has_none() -> None:
    both = dataclasses.replace(WHOLE, sex=np.array(["M", "F", "F"]))
    assert metadata.sex_of_patients(both, np.array(["1", "P 2"])).tolist() == ["", "F"]


def test_labels_that_differ_are_counted_by_finding() -> None:
    rows = np.array([0, 1, -1, 2])
    findings = ("Hernia", "Pleural_Thickening", "Mass")
    labels = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, np.nan]], np.float32)
    found = metadata.label_disagreements(WHOLE, rows, findings, labels)
    assert found == {"Pleural_Thickening": 1, "Mass": 1}


def test_labels_that_cannot_be_compared_are_not_called_equal() -> None:
    labels = np.ones((1, 1), np.float32)
    assert metadata.label_disagreements(WHOLE, np.array([-1]), ("Mass",), labels) is None
    assert metadata.label_disagreements(WHOLE, np.array([0]), ("Hernia",), labels) is None


def test_the_real_label_file_has_the_counts_that_are_published(nih: pathlib.Path) -> None:
    found = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    assert len(found.ids) == 112_120 and len(np.unique(found.patients)) == 30_805
    positives = dict(zip(found.findings, found.labels.sum(axis=0).astype(int), strict=True))
    assert len(positives) == 14
    assert (positives["Hernia"], positives["Infiltration"], positives["Edema"]) == (
        (227, 19_894, 2_303)
    )
    assert (found.age.min(), found.age.max(), (found.age < 18).sum()) == (0, 95, 5_402)
    assert found.refused == {}
    assert set(found.sex.tolist()) == {"M", "F"} and set(found.view.tolist()) == {"AP", "PA"}
    # Sex is what a patient keeps, so that joining it by patient loses nothing.
    assert (metadata.sex_of_patients(found, found.patients) == found.sex).all()
