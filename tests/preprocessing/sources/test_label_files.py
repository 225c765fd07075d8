# SPDX-License-Identifier: MIT
"""Several label files become one table, and no line is lost or given a partner not its own."""

import gzip
import pathlib

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.sources.label_files import UNSAID, LabelFiles

_IMAGES = "image,study,view\na,1,PA\nb,1,AP\nc,2.0,PA\nd,,AP\n"
_LABELS = "study,Edema,Mass\n1,1,\n2,0,1\n3,1,1\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "images.csv").write_text(_IMAGES)
    (tmp_path / "labels.csv.gz").write_bytes(gzip.compress(_LABELS.encode()))
    (tmp_path / "splits.csv").write_text("split,study,image\ntrain,1,a\ntest,2,c\n")
    return tmp_path


def _read(folder: pathlib.Path, keys: list[str], *names: str) -> LabelFiles:
    return LabelFiles([str(folder / name) for name in names], keys)


def test_files_are_joined_by_the_keys_that_both_have(folder: pathlib.Path) -> None:
    files = _read(folder, ["study", "image"], "images.csv", "labels.csv.gz", "splits.csv")
    assert files.header == ["image", "study", "view", "Edema", "Mass", "split"]
    lines = list(files.lines())
    assert [line.fields for line in lines] == [
        ["a", "1", "PA", "1", "", "train"],
        ["b", "1", "AP", "1", "", UNSAID],
        ["c", "2.0", "PA", "0", "1", "test"],
        ["d", "", "AP", UNSAID, UNSAID, UNSAID],
    ]
    splits, labels = str(folder / "splits.csv"), str(folder / "labels.csv.gz")
    assert [line.alone for line in lines] == [[], [splits], [], [labels, splits]]
    assert [line.number for line in lines] == [2, 3, 4, 5]
    assert files.left_over == 1  # study 3


def test_an_empty_key_is_no_key(folder: pathlib.Path) -> None:
    (folder / "labels.csv").write_text("study,Edema\n,1\n2,0\n")
    lines = list(_read(folder, ["study"], "images.csv", "labels.csv").lines())
    assert [line.fields[-1] for line in lines] == [UNSAID, UNSAID, "0", UNSAID]


def test_files_of_one_header_follow_each_other(folder: pathlib.Path) -> None:
    (folder / "more.csv").write_text("image,study,view\ne,9,PA\n")
    files = _read(folder, ["study"], "images.csv", "more.csv", "labels.csv.gz")
    lines = list(files.lines())
    assert [line.fields[0] for line in lines] == ["a", "b", "c", "d", "e"]
    assert (lines[-1].path, lines[-1].number) == (str(folder / "more.csv"), 2)


def test_json_lines_are_a_label_file(folder: pathlib.Path) -> None:
    (folder / "labels.json").write_text(
        '{"study": 1, "Edema": 1.0, "Mass": null}\n{"Mass": -1.0, "study": 2, "Edema": NaN}\n'
    )
    lines = list(_read(folder, ["study"], "images.csv", "labels.json").lines())
    assert [line.fields[3:] for line in lines] == [
        ["1.0", ""],
        ["1.0", ""],
        ["", "-1.0"],
        [UNSAID] * 2,
    ]
    for text in ("[1]\n", '{"study": 1}\n{"other": 1}\n', "study,1\n"):
        (folder / "labels.json").write_text(text)
        with pytest.raises(DataError, match=r"labels.json, line \d: not a JSON object"):
            _read(folder, ["study"], "images.csv", "labels.json")


def test_what_cannot_be_joined_is_refused_by_name(folder: pathlib.Path) -> None:
    with pytest.raises(DataError, match="labels.csv.gz has other columns .* none that table.keys"):
        _read(folder, ["view"], "images.csv", "labels.csv.gz")
    (folder / "labels.csv").write_text("study,Edema\n1,1\n1.0,0\n")
    with pytest.raises(DataError, match=r"labels.csv, line 3: a line before it has .* study \(1\)"):
        _read(folder, ["study"], "images.csv", "labels.csv")
    (folder / "labels.csv").write_text("study,Edema\n1\n")
    with pytest.raises(DataError, match="line 2: the line has 1 fields, the header more"):
        _read(folder, ["study"], "images.csv", "labels.csv")
    (folder / "labels.csv").write_text("study,Edema\n77,1\n")
    with pytest.raises(DataError, match="no line of .*labels.csv belongs to one of .*images.csv"):
        list(_read(folder, ["study"], "images.csv", "labels.csv").lines())
    (folder / "images.csv").write_text("image,study,view\na,1\n")
    with pytest.raises(DataError, match="images.csv, line 2: the line has 2 fields"):
        list(_read(folder, ["study"], "images.csv", "labels.csv.gz").lines())
    (folder / "labels.csv.gz").write_bytes(gzip.compress(_LABELS.encode())[:-12])
    with pytest.raises(DataError, match="label file .*labels.csv.gz cannot be read"):
        _read(folder, ["study"], "images.csv", "labels.csv.gz")
