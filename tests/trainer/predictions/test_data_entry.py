# SPDX-License-Identifier: MIT
"""Tests of reading ChestX-ray14's Data_Entry file in its variants."""

import pathlib

import pandas as pd
import pytest

from preprocessing.contract.errors import DataError
from preprocessing.sources import nih
from trainer.predictions import data_entry

HEAD = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age"
TAIL = "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
ROWS = (
    "00000001_000.png,Cardiomegaly|Mass,0,1,57,M,PA,2682,2749,0.143,0.143",
    "00000002_000.png,No Finding,3,2,080Y,F,AP,2500,2048,0.168,0.168",
)


def columns(text: str, *further: str) -> pd.DataFrame:
    return data_entry.frame_of("entry.csv", text.encode(), further)


@pytest.mark.parametrize("sex", ["Patient Gender", "Patient Sex"])
@pytest.mark.parametrize("comma", ["", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_published_variant_gives_the_same_columns(sex: str, comma: str, end: str) -> None:
    lines = [f"{HEAD},{sex},{TAIL}{comma}", *(f"{row}{comma}" for row in ROWS)]
    found = columns(end.join(lines) + end)
    assert found["id"].tolist() == ["00000001_000.png", "00000002_000.png"]
    assert found["patient"].tolist() == ["1", "2"]
    assert found["sex"].tolist() == ["M", "F"]
    assert found["view"].tolist() == ["PA", "AP"]
    assert found["age"].tolist() == ["57", "080Y"]
    assert found["follow_up"].tolist() == ["0", "3"]
    assert found["width"].tolist() == ["2682", "2500"]
    assert found["height"].tolist() == ["2749", "2048"]
    assert found["label:Cardiomegaly"].tolist() == [1, 0]
    assert found["label:Mass"].tolist() == [1, 0]
    assert "label:No Finding" not in found


def test_the_sample_of_five_percent_names_its_sizes_otherwise() -> None:
    text = (
        "Image Index,Finding Labels,Patient ID,Patient Gender,OriginalImageWidth,"
        "OriginalImageHeight\na.png,Hernia,7,F,10,20\n"
    )
    found = columns(text)
    assert found["width"].tolist() == ["10"] and found["height"].tolist() == ["20"]
    assert "age" not in found


def test_further_columns_come_under_their_own_names() -> None:
    text = "Image Index,Finding Labels,Patient ID,Set Id\na.png,Hernia,7,test\n"
    assert columns(text, "Set Id")["Set Id"].tolist() == ["test"]


def test_a_data_entry_file_is_known_by_its_header_even_behind_a_byte_order_mark() -> None:
    assert data_entry.is_one("\ufeffImage Index,Finding Labels\n".encode())
    assert not data_entry.is_one(b"id,patient\nImage Index,1\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Image Index,Patient ID\na.png,1\n", "no column 'Finding Labels'"),
        ("Image Index,Finding Labels,Patient ID\na.png,Mass\n", "line 2: 2 fields"),
        ("Image Index,Finding Labels,Patient ID\na.png,,1\n", "line 2: Finding Labels is empty"),
        ("Image Index,Finding Labels,Patient ID\n", "no row below the header"),
        ("", "no row below the header"),
    ],
)
def test_a_file_that_is_not_whole_is_named(text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        columns(text)


def test_a_file_that_is_no_text_is_named() -> None:
    with pytest.raises(DataError, match=r"entry\.csv: not a CSV file"):
        data_entry.frame_of("entry.csv", b"Image Index\n\xff\xfe\n")


def test_a_column_that_stands_there_twice_is_named() -> None:
    with pytest.raises(DataError, match="column 'Patient ID' is in the header twice"):
        columns("Image Index,Finding Labels,Patient ID,Patient ID\na.png,Mass,1,2\n")


@pytest.mark.parametrize("mark", ["\x0b", "\x85", "\u2028"])
def test_lines_end_at_cr_or_lf_alone(mark: str) -> None:
    found = columns(f"Image Index,Finding Labels,Patient ID\na{mark}b.png,Mass,1\n")
    assert found["id"].tolist() == [f"a{mark}b.png"]


def test_a_line_has_the_number_of_the_file_where_cells_hold_line_breaks() -> None:
    text = 'Image Index,Finding Labels,Patient ID\n"a\n\n.png",Mass,1\nb.png,,1\n'
    with pytest.raises(DataError, match="line 5: Finding Labels is empty"):
        columns(text)


def test_findings_are_split_whatever_blanks_are_round_them() -> None:
    found = columns("Image Index,Finding Labels,Patient ID\na,Mass | Edema,1\nb,Edema,1\n")
    assert found["label:Edema"].tolist() == [1, 1] and found["label:Mass"].tolist() == [1, 0]


@pytest.mark.parametrize("name", ['"a.png', '"a"x.png', '"a.png" '])
def test_what_preprocessing_refuses_is_refused_here_in_the_same_sentence(
    tmp_path: pathlib.Path, name: str
) -> None:
    path = tmp_path / "entry.csv"
    path.write_text(
        "\n".join([f"{HEAD},Patient Sex,{TAIL}", ROWS[0].replace("0", name, 1), ROWS[1]])
    )
    with pytest.raises(DataError, match="line 2: not CSV") as here:
        data_entry.frame_of(str(path), path.read_bytes())
    with pytest.raises(DataError) as there:
        nih.read_index(str(path), ("Cardiomegaly", "Mass"))
    assert str(here.value) == str(there.value)


def test_what_preprocessing_accepts_is_accepted_here(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "entry.csv"
    rows = [row.replace("0", name, 1) for row, name in zip(ROWS, ('a"', 'b"c'), strict=True)]
    path.write_text("\n".join([f"{HEAD},Patient Sex,{TAIL}", *rows]))
    found = data_entry.frame_of(str(path), path.read_bytes())
    index = nih.read_index(str(path), ("Cardiomegaly", "Mass"))
    assert found["id"].tolist() == [row.id for row in index] != []
