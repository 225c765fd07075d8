# SPDX-License-Identifier: MIT
"""Lists and tables are read whatever their line ends; what cannot be used is named."""

import pathlib

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.sources import text_files


def test_lists_are_read_with_any_line_end(tmp_path: pathlib.Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.png\r\nb.png\n\n c.png ")
    assert text_files.read_names(str(tmp_path / "list.txt")) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"\n \n", "names no image"),
        (b"a\nb\na\n", "1 names more than once, first a"),
        (b"\xff", "not UTF-8 text .*: save it in UTF-8"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(
    tmp_path: pathlib.Path, content: bytes, part: str
) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=part):
        text_files.read_names(str(tmp_path / "list.txt"))


def test_a_list_that_is_not_there_or_is_a_folder_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        text_files.read_names(str(tmp_path / "none.txt"))
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        text_files.read_names(str(tmp_path))


def test_lines_carry_the_number_of_the_file_past_empty_and_long_fields(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "a.csv").write_text('a,b\n\n1,"two\nlines"\n3,4\n')
    lines = list(text_files.csv_lines(str(tmp_path / "a.csv")))
    assert [number for number, _ in lines] == [1, 4, 5]
    assert lines[1][1][0] == "1"


def test_a_column_is_found_under_the_first_of_its_names() -> None:
    assert text_files.column("f", ["a", " x", "y "], "z", "y", "x") == 2
    with pytest.raises(DataError, match="f has no column 'z': do this"):
        text_files.column("f", ["x"], "z", advice="do this")


def test_a_column_that_stands_there_twice_is_refused_only_where_it_is_wanted() -> None:
    header = ["image", "Mass", "note", "Mass ", "note"]
    assert text_files.column("f", header, "image") == 0
    with pytest.raises(DataError, match="f has column 'Mass' 2 times, as fields 2 and 4: keep"):
        text_files.column("f", header, "Mass")


def test_a_file_with_other_separators_is_recognised() -> None:
    with pytest.raises(DataError, match="seem to be separated by ';', save it with commas"):
        text_files.column("f", ["image;patient"], "image")


@pytest.mark.parametrize(
    "mark", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_end_at_cr_or_lf_alone(tmp_path: pathlib.Path, mark: str, end: str) -> None:
    text = end.join(["image,note", f"a{mark}b.png,left{mark}base", "c.png,x", ""])
    (tmp_path / "a").write_bytes(text.encode())
    lines = list(text_files.csv_lines(str(tmp_path / "a")))
    assert lines[1:] == [(2, [f"a{mark}b.png", f"left{mark}base"]), (3, ["c.png", "x"])]
    (tmp_path / "list").write_bytes(end.join([f"a{mark}b.png", "c.png", ""]).encode())
    assert text_files.read_names(str(tmp_path / "list")) == [f"a{mark}b.png", "c.png"]


@pytest.mark.parametrize(("text", "number"), [("", -1), ("nan", -1), ("0.0", 0), ("3", 3)])
def test_whole_numbers_may_be_written_as_pandas_does(text: str, number: int) -> None:
    assert text_files.whole(text, "n", unknown=-1) == number
