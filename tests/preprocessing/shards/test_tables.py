# SPDX-License-Identifier: MIT
"""Identical pixels under two names are grouped, and counted by how much they leak."""

import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.shards import tables


def test_groups_name_patients_and_splits_and_leave_pictures_without_pixels_out() -> None:
    table = tables.duplicates(
        [
            ("y", "c1", "c", "test"),
            ("x", "a2", "a", "train"),
            ("x", "a1", "a", "train"),
            ("y", "b2", "b", "train"),
            ("z", "d1", "d", "train"),
            ("", "e1", "e", "train"),
            ("", "e2", "f", "test"),
        ]
    )
    assert list(table.itertuples(index=False, name=None)) == [
        ("x", "a1", "a", "train"),
        ("x", "a2", "a", "train"),
        ("y", "b2", "b", "train"),
        ("y", "c1", "c", "test"),
    ]
    assert tables.count(table) == {
        "duplicate_pictures": 4,
        "duplicate_groups": 2,
        "duplicate_groups_across_patients": 1,
        "duplicate_groups_across_splits": 1,
    }


def test_two_spellings_of_a_patient_are_no_leak_and_no_pictures_no_groups() -> None:
    table = tables.duplicates([("x", "a", "007", "test"), ("x", "b", "7.0", "test")])
    assert tables.count(table)["duplicate_groups_across_patients"] == 0
    assert set(tables.count(tables.duplicates([])).values()) == {0}


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=9)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(_TEXT, _TEXT), min_size=1))
@pytest.mark.parametrize("more", [[], [("NA", "nan"), ("007", "1e5"), ("a\nb", 'x"y,'), ("", "")]])
def test_a_table_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, more: list, lines: list
) -> None:
    folder = str(tmp_path_factory.mktemp("tables"))
    tables.write(folder, tables.WARNINGS, tables.frame(tables.WARNINGS, [*lines, *more]))
    read = tables.read(folder, tables.WARNINGS, {tables.WARNINGS})
    assert list(read.itertuples(index=False, name=None)) == [*lines, *more]


@pytest.mark.parametrize("text", [b"", b"\n", b"id\n", b'\xff,"', b"id,text\n1,2,3\n4\n"])
def test_a_damaged_table_is_no_crash(tmp_path: pathlib.Path, text: bytes) -> None:
    (tmp_path / tables.WARNINGS).write_bytes(text)
    read = tables.read(str(tmp_path), tables.WARNINGS, {tables.WARNINGS})
    assert list(read.columns) == ["id", "text"]
    assert tables.read(str(tmp_path), tables.WARNINGS, ()).empty


def test_a_line_that_is_too_long_keeps_its_cells_in_their_columns(tmp_path: pathlib.Path) -> None:
    (tmp_path / tables.WARNINGS).write_text("id,text\na.png,old,\nb.png,dark,\n")
    read = tables.read(str(tmp_path), tables.WARNINGS, {tables.WARNINGS})
    assert read.to_numpy().tolist() == [["a.png", "old"], ["b.png", "dark"]]
