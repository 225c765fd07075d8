# SPDX-License-Identifier: MIT
"""Every published variant of the label files is read; everything else is named with its line."""

import pathlib

import pytest

from preprocessing.contract import vocabulary
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS as FINDINGS
from preprocessing.sources import nih
from preprocessing.sources.row import Row

_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_ROW = "00000001_000.png,Cardiomegaly|Mass,3,1,58,M,PA,2682,2749,0.143,0.143"


def _csv(folder: pathlib.Path, *lines: str, end: str = "\n", head: bytes = b"") -> str:
    path = folder / "labels.csv"
    path.write_bytes(head + "".join(line + end for line in lines).encode())
    return str(path)


def _row(**changes: str) -> str:
    names = ("id", "labels", "follow_up", "patient", "age", "sex", "view", "width", "height")
    fields = dict(zip((*names, "spacing_x", "spacing_y"), _ROW.split(","), strict=True))
    return ",".join((fields | changes).values())


def test_a_row_holds_everything_that_the_line_says(tmp_path: pathlib.Path) -> None:
    (row,) = nih.read_index(_csv(tmp_path, _HEADER, _ROW), FINDINGS)
    assert row == Row(
        id="00000001_000.png",
        patient="1",
        targets=tuple(int(name in ("Cardiomegaly", "Mass")) for name in FINDINGS),
        view="PA",
        sex="M",
        age=58,
        follow_up=3,
        width=2682,
        height=2749,
    )


@pytest.mark.parametrize("sex", ["Patient Gender", "Patient Sex"])
@pytest.mark.parametrize("comma", ["", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_the_published_variants_give_equal_rows(
    tmp_path: pathlib.Path, sex: str, comma: str, end: str, head: bytes
) -> None:
    plain = nih.read_index(_csv(tmp_path, _HEADER, _ROW), FINDINGS)
    header = _HEADER.replace("Patient Gender", sex) + comma
    variant = _csv(tmp_path, header, _ROW + comma, "", end=end, head=head)
    assert nih.read_index(variant, FINDINGS) == plain


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("58", 58),
        ("058Y", 58),
        ("018M", 1),
        ("011M", 0),
        ("104W", 1),
        ("014D", 0),
        ("", -1),
        ("411", -1),
        ("85 or more", 85),
        (">89", 90),
        ("old", -1),
        ("nan", -1),
    ],
)
def test_ages_are_years_in_whatever_unit_they_are_written(
    tmp_path: pathlib.Path, text: str, years: int
) -> None:
    (row,) = nih.read_index(_csv(tmp_path, _HEADER, _row(age=text)), FINDINGS)
    assert row.age == years


@pytest.mark.parametrize(("view", "sex"), [("AP", "F"), ("PA", "M")])
def test_both_views_and_sexes_are_known(tmp_path: pathlib.Path, view: str, sex: str) -> None:
    (row,) = nih.read_index(_csv(tmp_path, _HEADER, _row(view=view, sex=sex)), FINDINGS)
    assert (row.view, row.sex) == (view, sex)


def test_lateral_films_are_refused_and_unknown_views_named(tmp_path: pathlib.Path) -> None:
    warnings: list[tuple[str, str]] = []
    path = _csv(tmp_path, _HEADER, _row(view="LATERAL"))
    (row,) = nih.read_index(path, FINDINGS, warnings)
    assert (row.view, row.refused[0], warnings) == ("", "not_frontal", [])
    path = _csv(tmp_path, _HEADER, _row(view="steep"))
    (row,) = nih.read_index(path, FINDINGS, warnings)
    assert (row.view, row.refused) == ("", ())
    assert "column 'View Position' is 'steep', which is unknown" in warnings[0][1]
    own = vocabulary.of({"steep": "PA"})
    assert nih.read_index(path, FINDINGS, words=own)[0].view == "PA"


def test_what_is_unknown_stays_unknown(tmp_path: pathlib.Path) -> None:
    line = _row(sex="O", view="LL", follow_up="", width="", height="")
    (row,) = nih.read_index(_csv(tmp_path, _HEADER, line), FINDINGS)
    assert (row.sex, row.view, row.follow_up, row.width, row.height) == ("", "", -1, 0, 0)


@pytest.mark.parametrize("column", ["Image Index", "Finding Labels", "Patient ID", "Patient Age"])
def test_a_missing_column_is_named(tmp_path: pathlib.Path, column: str) -> None:
    path = _csv(tmp_path, _HEADER.replace(column, "Other"), _ROW)
    with pytest.raises(DataError, match=f"has no column '{column}'"):
        nih.read_index(path, FINDINGS)


def test_the_sex_column_is_named_in_both_spellings(tmp_path: pathlib.Path) -> None:
    path = _csv(tmp_path, _HEADER.replace("Patient Gender", "Other"), _ROW)
    with pytest.raises(DataError, match="'Patient Sex' or 'Patient Gender'"):
        nih.read_index(path, FINDINGS)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (_row(labels="Fracture"), "'Fracture' is not among the 14 findings"),
        (_row(labels="No Finding|Mass"), "beside a finding"),
        (_row(id=""), "empty"),
        (_row(patient=""), "empty"),
        (_row(follow_up="1.5"), "column 'Follow-up #' is '1.5', not a whole number from 0 on"),
        (_row(follow_up="-2"), "column 'Follow-up #' is '-2', not a whole number from 0 on"),
        (_row(width="inf"), "column 'OriginalImage[Width' is 'inf', not a whole number from 0 on"),
        (_row(height="high"), "column 'Height]' is 'high', not a whole number from 0 on"),
        ("00000001_001.png,Mass,3", "has 3 fields"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(
    tmp_path: pathlib.Path, line: str, part: str
) -> None:
    path = _csv(tmp_path, _HEADER, _row(id="a.png"), line)
    with pytest.raises(DataError) as caught:
        nih.read_index(path, FINDINGS)
    assert f"{path}, line 3: " in str(caught.value)
    assert part in str(caught.value)


def test_duplicate_names_are_counted_and_named(tmp_path: pathlib.Path) -> None:
    path = _csv(tmp_path, _HEADER, _ROW, _row(id="b.png"), _ROW, _row(id="b.png"))
    with pytest.raises(DataError, match=r"2 names more than once, first 00000001_000\.png, b\.png"):
        nih.read_index(path, FINDINGS)


@pytest.mark.parametrize(("lines", "part"), [([], "is empty"), ([_HEADER], "a header but no rows")])
def test_an_empty_label_file_is_refused(
    tmp_path: pathlib.Path, lines: list[str], part: str
) -> None:
    with pytest.raises(DataError, match=part):
        nih.read_index(_csv(tmp_path, *lines), FINDINGS)


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"\xff\xfe\x00\xd8", "is not UTF-8 text"), (b'"' + b"x" * 200_000 + b'"', "not CSV")],
)
def test_what_is_no_csv_is_refused(tmp_path: pathlib.Path, content: bytes, part: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=part):
        nih.read_index(str(tmp_path / "labels.csv"), FINDINGS)


def test_a_label_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        nih.read_index(str(tmp_path / "none.csv"), FINDINGS)
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        nih.read_index(str(tmp_path), FINDINGS)


_BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


def test_boxes_become_shares_of_the_picture_under_the_name_of_the_label_file(
    tmp_path: pathlib.Path,
) -> None:
    path = _csv(
        tmp_path, _BOX_HEADER, "a.png,Infiltrate,256,512,128,64", "a.png,Mass,0,0,1024,1024,,"
    )
    assert nih.read_boxes(path, FINDINGS) == {
        "a.png": [
            (FINDINGS.index("Infiltration"), 0.25, 0.5, 0.125, 0.0625),
            (FINDINGS.index("Mass"), 0.0, 0.0, 1.0, 1.0),
        ]
    }


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("a.png,Fracture,1,2,3,4", "'Fracture' is not among"),
        ("a.png,Mass,1,2,3", "needs 6 fields"),
        ("a.png,Mass,1,2,3,wide", "the box 1, 2, 3, wide is not four numbers"),
        ("a.png,Mass,1,2,0,4", "is not inside a picture"),
        ("a.png,Mass,-1,2,3,4", "is not inside a picture"),
        ("a.png,Mass,nan,2,3,4", "is not inside a picture"),
        ("a.png,Mass,1,2,inf,4", "is not inside a picture"),
    ],
)
def test_a_box_that_cannot_be_is_named_by_its_line(
    tmp_path: pathlib.Path, line: str, part: str
) -> None:
    path = _csv(tmp_path, _BOX_HEADER, "b.png,Mass,1,2,3,4", line)
    with pytest.raises(DataError, match="line 3: ") as caught:
        nih.read_boxes(path, FINDINGS)
    assert part in str(caught.value)


def test_a_row_gets_its_own_boxes_flat() -> None:
    row = Row("a.png", "1", (0,))
    boxes = {
        "a.png": [(0, 0.1, 0.2, 0.3, 0.4), (2, 0.5, 0.6, 0.7, 0.8)],
        "b.png": [(1, 0, 0, 1, 1)],
    }
    boxed = nih.with_boxes(row, boxes)
    assert boxed.box_findings == (0, 2)
    assert boxed.boxes == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    assert nih.with_boxes(Row("c.png", "1", (0,)), boxes).boxes == ()


@pytest.mark.parametrize("patient", ["1", "00000001", "1.0", " 1", "1\xa0"])
def test_a_patient_may_be_spelled_as_spreadsheets_do(tmp_path: pathlib.Path, patient: str) -> None:
    (row,) = nih.read_index(_csv(tmp_path, _HEADER, _row(patient=patient)), FINDINGS)
    assert row.patient == patient.strip()


def test_a_patient_that_contradicts_the_name_of_the_image_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    path = _csv(tmp_path, _HEADER, _row(patient="2"))
    with pytest.raises(DataError, match="line 2: column 'Patient ID' is '2', .* patient 00000001"):
        nih.read_index(path, FINDINGS)
    with pytest.raises(DataError, match="'Patient ID' is 'nan', which names no patient"):
        nih.read_index(_csv(tmp_path, _HEADER, _row(patient="nan")), FINDINGS)


def test_ages_that_nobody_reaches_are_named(tmp_path: pathlib.Path) -> None:
    warnings: list[tuple[str, str]] = []
    path = _csv(tmp_path, _HEADER, _row(age="411"), _row(id="b.png", age="90+"), _row(id="c.png"))
    ages = [row.age for row in nih.read_index(path, FINDINGS, warnings)]
    assert ages == [-1, 90, 58]
    assert warnings == [
        ("00000001_000.png", "column 'Patient Age' is '411': taken as unknown"),
        ("b.png", "column 'Patient Age' is '90+': taken as 90"),
    ]
