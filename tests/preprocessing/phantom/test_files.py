# SPDX-License-Identifier: MIT
"""Tests of the phantom's files: the tree, the label files, and what a second run does."""

import csv
import hashlib
import io
import json
import os
import pathlib

import cv2
import numpy as np
import pytest

from preprocessing import phantom
from preprocessing.contract.errors import UsageError
from preprocessing.phantom import files

HEADER = (
    b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    b"OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)
BOX_FINDINGS = {
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltrate",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("phantom") / "data"
    phantom.write(str(path), images=100, seed=7, prevalence="raised", size_px=64, processes=1)
    return path


def digest(folder: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(folder: pathlib.Path) -> list[list[str]]:
    text = (folder / "Data_Entry_2017_v2020.csv").read_text()
    return list(csv.reader(io.StringIO(text)))[1:]


def test_the_bytes_are_those_of_this_version_of_the_drawing_code(folder):
    """Where they change, the version in phantom.json must be raised, or old phantoms are reused."""
    found = hashlib.sha256(json.dumps(digest(folder), sort_keys=True).encode()).hexdigest()
    assert found == "307c930508e07fd43310709a8c216fa7d78873b68fafaf388a38164ac4f5e2ca"


def test_the_tree_is_that_of_chestxray14(folder):
    assert sorted(os.listdir(folder)) == [
        "BBox_List_2017.csv",
        "Data_Entry_2017_v2020.csv",
        "images_001",
        "phantom.json",
        "test_list.txt",
        "train_val_list.txt",
    ]
    pictures = sorted(os.listdir(folder / "images_001" / "images"))
    assert pictures == sorted(row[0] for row in rows(folder))


def test_folders_hold_as_many_pictures_as_the_real_ones():
    names = [files.folder_of(position) for position in range(112_120)]
    sizes = [names.count(f"images_{number:03d}") for number in range(1, 13)]
    assert sizes == [4_999, *[10_000] * 10, 7_121]


def test_the_label_file_has_the_real_header_and_eleven_columns(folder):
    data = (folder / "Data_Entry_2017_v2020.csv").read_bytes()
    assert data.startswith(HEADER)
    assert b"\r" not in data and data.endswith(b"\n")
    for row in rows(folder):
        assert len(row) == 11
        assert row[0] == f"{int(row[3]):08d}_{row[0][9:12]}.png"
        assert row[1] == "No Finding" or "No Finding" not in row[1]
        assert row[5] in "FM" and row[6] in ("AP", "PA")
        assert int(row[7]) > 2000 and 0.1 < float(row[9]) == float(row[10]) < 0.2


def test_the_lists_are_sorted_and_disjoint_and_end_without_a_line_end(folder):
    lists = [(folder / f"{split}_list.txt").read_bytes() for split in ("train_val", "test")]
    assert not any(text.endswith(b"\n") or b"\r" in text for text in lists)
    train_val, test = (text.decode().split("\n") for text in lists)
    assert train_val == sorted(train_val) and test == sorted(test)
    assert sorted(train_val + test) == sorted(row[0] for row in rows(folder))
    assert not {name[:8] for name in train_val} & {name[:8] for name in test}


def test_boxes_lie_on_test_images_with_that_finding(folder):
    lines = (folder / "BBox_List_2017.csv").read_text().split("\n")
    assert lines[0] == "Image Index,Finding Label,Bbox [x,y,w,h],,," and lines[-1] == ""
    test = set((folder / "test_list.txt").read_text().split("\n"))
    findings = {row[0]: row[1].split("|") for row in rows(folder)}
    boxes = [line.split(",") for line in lines[1:-1]]
    assert boxes
    for name, finding, *numbers in boxes:
        assert name in test and finding in BOX_FINDINGS
        assert finding.replace("Infiltrate", "Infiltration") in findings[name]
        x, y, width, height = map(float, numbers)
        assert min(x, y) >= 0 and min(width, height) > 1
        assert x + width <= 1024 and y + height <= 1024


def test_pictures_are_grey_but_some_have_four_channels(folder):
    shapes = []
    for path in (folder / "images_001" / "images").iterdir():
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture.dtype == np.uint8
        shapes.append(picture.shape)
        if picture.ndim == 3:
            blue, green, red, alpha = np.moveaxis(picture, -1, 0)
            assert np.array_equal(blue, green) and np.array_equal(green, red)
            assert (alpha == 255).all()
    assert set(shapes) == {(64, 64), (64, 64, 4)}
    assert shapes.count((64, 64, 4)) == 1


def test_pictures_have_1024_pixels_unless_told_otherwise(tmp_path):
    summary = phantom.write(str(tmp_path / "data"), images=40, seed=0, image_files=2)
    paths = list((tmp_path / "data").rglob("*.png"))
    assert len(paths) == 2 == summary.image_files
    assert [cv2.imread(str(path), 0).shape for path in paths] == [(1024, 1024)] * 2
    assert len(rows(tmp_path / "data")) == 40


def test_fewer_pictures_are_the_first_by_name(folder, tmp_path):
    few = tmp_path / "few"
    phantom.write(
        str(few), images=100, seed=7, prevalence="raised", size_px=64, image_files=5, processes=1
    )
    some, all_files = digest(few), digest(folder)
    pictures = sorted(path for path in all_files if path.endswith(".png"))
    assert sorted(path for path in some if path.endswith(".png")) == pictures[:5]
    for path in some.keys() - {"phantom.json"}:
        assert some[path] == all_files[path]


def test_two_processes_write_the_same_bytes_as_one(folder, tmp_path):
    phantom.write(
        str(tmp_path / "two"), images=100, seed=7, prevalence="raised", size_px=64, processes=2
    )
    assert digest(tmp_path / "two") == digest(folder)


def test_the_summary_counts_what_lies_there(folder):
    summary = phantom.write(str(folder), images=100, seed=7, prevalence="raised", size_px=64)
    table = rows(folder)
    test = set((folder / "test_list.txt").read_text().split("\n"))
    assert (summary.images, summary.image_files) == (100, 100)
    assert summary.test == len(test) and summary.train_val == 100 - len(test)
    assert summary.patients == len({row[3] for row in table})
    hernias = sum("Hernia" in row[1].split("|") for row in table if row[0] in test)
    assert summary.positives["test"]["Hernia"] == hernias
    assert summary.boxes == len((folder / "BBox_List_2017.csv").read_text().split("\n")) - 2


def test_a_second_call_writes_nothing(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = phantom.write(str(folder), images=100, seed=7, prevalence="raised", size_px=64)
    assert not again.written
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_other_parameters_are_refused(folder):
    with pytest.raises(UsageError, match="phantom of other parameters .*seed 7"):
        phantom.write(str(folder), images=100, seed=8, prevalence="raised", size_px=64)


def test_an_interrupted_run_goes_on(folder, tmp_path):
    whole = tmp_path / "data"
    phantom.write(str(whole), images=40, seed=1, size_px=64)
    before = digest(whole)
    # What a killed run leaves: its note without counts, some pictures, one half-written.
    note = json.loads((whole / "phantom.json").read_text())
    unfinished = note | {"sha256": None, "counts": None}
    (whole / "phantom.json").write_text(json.dumps(unfinished))
    pictures = sorted(whole.rglob("*.png"))
    for path in pictures[10:]:
        path.unlink()
    for name in ("Data_Entry_2017_v2020.csv", "test_list.txt"):
        (whole / name).unlink()
    kept = pictures[0].stat().st_mtime_ns
    assert phantom.write(str(whole), images=40, seed=1, size_px=64).written
    assert digest(whole) == before
    assert pictures[0].stat().st_mtime_ns == kept


def test_an_interrupted_run_of_other_parameters_is_refused(tmp_path):
    whole = tmp_path / "data"
    phantom.write(str(whole), images=8, seed=1, size_px=32)
    (whole / "Data_Entry_2017_v2020.csv").unlink()
    with pytest.raises(UsageError, match="other parameters"):
        phantom.write(str(whole), images=9, seed=1, size_px=32)


def test_a_changed_label_file_is_refused(tmp_path):
    whole = tmp_path / "data"
    phantom.write(str(whole), images=8, seed=1, size_px=32)
    with (whole / "Data_Entry_2017_v2020.csv").open("a") as file:
        file.write("one row more\n")
    with pytest.raises(UsageError, match="was changed"):
        phantom.write(str(whole), images=8, seed=1, size_px=32)


def test_a_real_data_set_is_never_written_over(tmp_path):
    (tmp_path / "Data_Entry_2017_v2020.csv").write_bytes(HEADER)
    with pytest.raises(UsageError, match="not a phantom"):
        phantom.write(str(tmp_path), images=8, seed=1, size_px=32)
    assert sorted(os.listdir(tmp_path)) == ["Data_Entry_2017_v2020.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": 3, "seed": 0}, "3 images cannot be made"),
        ({"images": 8, "seed": -1}, "seed"),
        ({"images": 8, "seed": 0, "prevalence": "high"}, "realistic or raised"),
        ({"images": 8, "seed": 0, "size_px": 8}, "8 px"),
        ({"images": 8, "seed": 0, "image_files": 9}, "0 to 8"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path, arguments, message
):
    with pytest.raises(UsageError, match=message):
        phantom.write(str(tmp_path / "data"), **arguments)
    assert not (tmp_path / "data").exists()
