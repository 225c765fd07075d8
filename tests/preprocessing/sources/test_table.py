# SPDX-License-Identifier: MIT
"""Other label files are read as their table is described; what a field means is never guessed."""

import dataclasses
import pathlib

import pytest

from preprocessing.contract import vocabulary
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import Table
from preprocessing.sources import table
from preprocessing.sources.row import SIZE_OF_PICTURE

_FINDINGS = ["Edema", "Pleural Effusion"]
_CHEXPERT = Table(
    image_column="Path",
    patient_pattern="patient([0-9]+)",
    view_column="AP/PA",
    sex_column="Sex",
    age_column="Age",
    only_column="Frontal/Lateral",
    only_values=["Frontal"],
)
_HEADER = "Path,Sex,Age,Frontal/Lateral,AP/PA,Edema,Pleural Effusion"
_FRONT = "CheXpert-v1.0/train/patient00007/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,-1.0"
_SIDE = "CheXpert-v1.0/train/patient00007/study1/view2_lateral.jpg,Female,68,Lateral,,1.0,"


def _read(folder: pathlib.Path, settings: Table, *lines: str) -> table.Index:
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return table.read_index(str(folder / "labels.csv"), _FINDINGS, settings)


def test_chexperts_label_file_is_read_with_its_laterals_left_out(tmp_path: pathlib.Path) -> None:
    index = _read(tmp_path, _CHEXPERT, _HEADER, _FRONT, _SIDE)
    (row,) = index.rows
    assert row.id == "CheXpert-v1.0/train/patient00007/study1/view1_frontal.jpg"
    assert (row.patient, row.sex, row.age, row.view) == ("00007", "F", 68, "AP")
    assert row.targets == (1, -1)
    assert (row.width, row.height) == (SIZE_OF_PICTURE, SIZE_OF_PICTURE)
    assert (index.left_out, index.splits) == (1, {})


def test_lateral_films_of_a_view_column_are_refused_and_unknown_words_named(
    tmp_path: pathlib.Path,
) -> None:
    settings = dataclasses.replace(_LIST, view_column="view")
    views = ["PA", "LATERAL", "L", "AP", "steep"]
    lines = [f"{n}.png,p{n},Edema,{view}" for n, view in enumerate(views)]
    index = _read(tmp_path, settings, "file,who,what,view", *lines)
    assert [row.view for row in index.rows] == ["PA", "", "", "AP", ""]
    assert [row.refused[:1] for row in index.rows] == [(), *[("not_frontal",)] * 2, (), ()]
    assert [name for name, _ in index.warnings] == ["4.png"]
    own = vocabulary.of({"steep": "AP"})
    path = str(tmp_path / "labels.csv")
    found = table.read_index(path, _FINDINGS, settings, own)
    assert found.rows[4].view == "AP" and not found.warnings


@pytest.mark.parametrize(("reading", "target"), [("unknown", -1), ("absent", 0), ("present", 1)])
def test_uncertain_and_empty_are_what_the_settings_say(
    tmp_path: pathlib.Path, reading: str, target: int
) -> None:
    settings = dataclasses.replace(_CHEXPERT, uncertain=reading, empty="unknown")
    assert _read(tmp_path, settings, _HEADER, _FRONT).rows[0].targets == (1, target)
    settings = dataclasses.replace(_CHEXPERT, empty=reading, only_column="", only_values=[])
    assert _read(tmp_path, settings, _HEADER, _SIDE).rows[0].targets == (1, target)


_LIST = Table(image_column="file", patient_column="who", findings_column="what", separator=";")


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("Edema", (1, 0)),
        ("Pleural Effusion; Edema", (1, 1)),
        ("No Finding", (0, 0)),
        ("", (-1, -1)),
    ],
)
def test_a_separated_list_names_what_is_present(
    tmp_path: pathlib.Path, text: str, targets: tuple[int, ...]
) -> None:
    index = _read(tmp_path, _LIST, "file,who,what", f"a.png,p1,{text}")
    assert index.rows[0].targets == targets


def test_a_split_column_is_read_in_the_usual_spellings(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(_LIST, split_column="fold")
    words = ["Train", "valid", "dev", "test"]
    lines = [f"{n}.png,p{n},Edema,{word}" for n, word in enumerate(words)]
    index = _read(tmp_path, settings, "file,who,what,fold", *lines)
    assert list(index.splits.values()) == ["train", "validation", "validation", "test"]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("a.png,,Edema", "column 'who' is empty, which names no patient"),
        (",p1,Edema", "the image name is empty"),
        ("a.png,p1,Fracture", "'Fracture' is not among the 2 findings"),
        ("a.png,p1,No Finding;Edema", "beside a finding"),
        ("a.png,p1", "has 2 fields"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(
    tmp_path: pathlib.Path, line: str, part: str
) -> None:
    with pytest.raises(DataError, match="line 3: ") as caught:
        _read(tmp_path, _LIST, "file,who,what", "b.png,p2,Edema", line)
    assert part in str(caught.value)


@pytest.mark.parametrize("value", ["2", "0.5", "yes", "nan"])
def test_a_target_that_is_none_is_refused(tmp_path: pathlib.Path, value: str) -> None:
    line = _FRONT.replace("1.0,-1.0", f"{value},0")
    with pytest.raises(DataError, match="line 2: "):
        _read(tmp_path, _CHEXPERT, _HEADER, line)


@pytest.mark.parametrize("column", ["Path", "Sex", "Frontal/Lateral"])
def test_a_column_that_is_not_there_is_named_with_advice(
    tmp_path: pathlib.Path, column: str
) -> None:
    with pytest.raises(DataError, match=f"has no column '{column}': .*--config.table"):
        _read(tmp_path, _CHEXPERT, _HEADER.replace(column, "x"), _FRONT)


def test_advice_for_a_missing_column_names_the_setting_that_helps(tmp_path: pathlib.Path) -> None:
    settings = Table(image_column="image", patient_column="who")
    with pytest.raises(DataError, match="'who': .* --config.table.patient_column, or leave that"):
        _read(tmp_path, settings, "image,Edema", "a.png,1")
    with pytest.raises(DataError, match="'Edema': list this file's own under `findings`"):
        _read(tmp_path, settings, "image,who,Oedema", "a.png,p1,1")


def test_a_path_without_a_patient_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="finds no patient in 'x/view1.jpg'"):
        _read(tmp_path, _CHEXPERT, _HEADER, "x/view1.jpg,Male,1,Frontal,AP,1,1")


def test_a_name_given_twice_and_a_file_without_rows_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="1 names more than once"):
        _read(tmp_path, _LIST, "file,who,what", "a.png,p1,Edema", "a.png,p1,Edema")
    with pytest.raises(DataError, match="has no rows that count"):
        _read(tmp_path, _CHEXPERT, _HEADER, _SIDE)


@pytest.mark.parametrize("who", ["", " ", "nan", "NaN", "None", "null", "NA"])
def test_a_line_that_names_no_patient_is_refused(tmp_path: pathlib.Path, who: str) -> None:
    with pytest.raises(DataError, match="line 3: column 'who' is .*, which names no patient"):
        _read(tmp_path, _LIST, "file,who,what", "a.png,nana,Edema", f"b.png,{who},Edema")


def test_a_column_and_a_pattern_must_name_the_same_patient(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(_LIST, patient_pattern="p([0-9]+)_")
    index = _read(tmp_path, settings, "file,who,what", "p007_1.png,7,Edema")
    assert [row.patient for row in index.rows] == ["7"]
    with pytest.raises(DataError, match="'who' is '8', .*'p007_1.png' is of patient '007'"):
        _read(tmp_path, settings, "file,who,what", "p007_1.png,8,Edema")


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", ["train", "Training", "TRAIN"]),
        ("validation", ["validate", "val", "valid", "dev", "Validation", "eval", "tuning"]),
        ("test", ["test", "testing", "Test"]),
    ],
)
def test_the_usual_words_for_splits_are_known(
    tmp_path: pathlib.Path, split: str, words: list[str]
) -> None:
    settings = dataclasses.replace(_LIST, split_column="fold")
    lines = [f"{at}.png,p{at},Edema,{word}" for at, word in enumerate(words)]
    index = _read(tmp_path, settings, "file,who,what,fold", *lines)
    assert set(index.splits.values()) == {split}


def test_an_unknown_word_for_a_split_is_named_with_its_column(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(_LIST, split_column="fold")
    with pytest.raises(
        DataError, match="line 2: column 'fold' is 'fold3', which names no split: .*val"
    ):
        _read(tmp_path, settings, "file,who,what,fold", "a.png,p1,Edema,fold3")


@pytest.mark.parametrize(
    ("text", "target"), [("True", 1), ("FALSE", 0), ("1.0", 1), ("0.0", 0), ("-1.0", -1)]
)
def test_targets_may_be_written_as_pandas_does(
    tmp_path: pathlib.Path, text: str, target: int
) -> None:
    settings = Table(image_column="image", patient_column="who")
    lines = ["image,who,Edema,Pleural Effusion", f"a.png,p1,{text},0"]
    assert _read(tmp_path, settings, *lines).rows[0].targets == (target, 0)


def test_a_finding_with_two_columns_is_refused(tmp_path: pathlib.Path) -> None:
    settings = Table(image_column="image", patient_column="who")
    lines = ["image,who,Edema,Pleural Effusion,Edema", "a.png,p1,1,0,0"]
    with pytest.raises(DataError, match="has column 'Edema' 2 times, as fields 3 and 5"):
        _read(tmp_path, settings, *lines)


def test_ages_that_are_not_plain_are_named_with_their_column(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(_LIST, age_column="years")
    ages = ["41", "85 or more", "old", "nan", "060Y"]
    lines = [f"{at}.png,p{at},Edema,{age}" for at, age in enumerate(ages)]
    index = _read(tmp_path, settings, "file,who,what,years", *lines)
    assert [row.age for row in index.rows] == [41, 85, -1, -1, 60]
    assert index.warnings == [
        ("1.png", "column 'years' is '85 or more': taken as 85"),
        ("2.png", "column 'years' is 'old': taken as unknown"),
    ]


def test_an_unknown_sex_is_named_and_m_is_never_taken_for_mujer(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(_LIST, sex_column="sex")
    header, line = "file,who,what,sex", "{0}.png,p{0},Edema,{1}"
    texts = ["M", "Female", "H", "O", "nan", "woman"]
    index = _read(
        tmp_path, settings, header, *(line.format(*pair) for pair in enumerate([*texts, "f"]))
    )
    assert [row.sex for row in index.rows] == ["M", "F", "", "", "", "F", "F"]
    assert index.warnings == [("2.png", "column 'sex' is 'H', neither M nor F: taken as unknown")]
    with pytest.raises(DataError, match="column 'sex' holds M beside H or V, so that M may mean"):
        _read(tmp_path, settings, header, line.format(1, "M"), line.format(2, "h"))


def test_rows_without_a_line_in_another_file_are_counted_named_and_unknown(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "films.csv").write_text("file,who,study\na,p1,1\nb,p2,2\nc,p3,3\n")
    (tmp_path / "labels.csv").write_text("study,Edema,Fluid\n1,1,\n3,,1\n4,1,1\n")
    settings = Table(
        image_column="file",
        image_suffix=".png",
        patient_column="who",
        keys=["study"],
        names={"Fluid": "Pleural Effusion"},
        empty="absent",
    )
    paths = [str(tmp_path / name) for name in ("films.csv", "labels.csv")]
    index = table.read_index(paths, _FINDINGS, settings)
    assert [row.id for row in index.rows] == ["a.png", "b.png", "c.png"]
    assert [row.targets for row in index.rows] == [(1, 0), (-1, -1), (0, 1)]
    assert index.warnings == [
        ("b.png", "labels.csv has no line for it: what it would say is unknown")
    ]
    assert index.counters == {"rows_without_partner": 1, "label_lines_without_row": 1}
    with pytest.raises(DataError, match="labels.csv has no column 'Edema'.*give --labels also"):
        (tmp_path / "labels.csv").write_text("study,Fluid\n1,1\n")
        table.read_index(paths, _FINDINGS, settings)


def test_splits_may_be_part_of_a_path_and_in_the_data_sets_own_words(
    tmp_path: pathlib.Path,
) -> None:
    settings = dataclasses.replace(
        _LIST,
        split_column="file",
        split_pattern="(train|valid|fold3)/p",
        split_words={"valid": "test"},
    )
    header = "file,who,what"
    index = _read(tmp_path, settings, header, "x/train/p1/a,p1,Edema", "x/valid/p2/a,p2,Edema")
    assert list(index.splits.values()) == ["train", "test"]
    for path in ("x/fold3/p1/a", "x/p1/a"):
        with pytest.raises(
            DataError, match="'file' by table.split_pattern is '.*', which names no"
        ):
            _read(tmp_path, settings, header, f"{path},p1,Edema")


def test_an_age_may_follow_from_the_year_of_birth(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(_LIST, age_column="born", date_column="seen")
    pairs = [
        ("1930.0", "20140915"),
        ("1950-06-01", "2014-01-01"),
        ("", "20140915"),
        ("1850", "2014"),
    ]
    lines = [f"{at}.png,p{at},Edema,{born},{seen}" for at, (born, seen) in enumerate(pairs)]
    index = _read(tmp_path, settings, "file,who,what,born,seen", *lines)
    assert [row.age for row in index.rows] == [84, 64, -1, -1]
    assert index.warnings == [("3.png", "column 'born' is '164': taken as unknown")]
