# SPDX-License-Identifier: MIT
"""Several rows of an image become one by votes or by any, and never where they contradict."""

import dataclasses
import pathlib

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import Table
from preprocessing.sources import several_rows, table
from preprocessing.sources.row import Row


@pytest.mark.parametrize(
    ("votes", "majority", "any_row"),
    [
        ("110", 1, 1),
        ("100", 0, 1),
        ("000", 0, 0),
        ("10", -1, 1),
        ("?10", -1, 1),
        ("?11", 1, 1),
        ("?00", 0, -1),
        ("??", -1, -1),
        ("1", 1, 1),
    ],
)
def test_votes(votes: str, majority: int, any_row: int) -> None:
    rows = [Row("a", "p", (-1 if vote == "?" else int(vote),)) for vote in votes]
    for how, wanted in (("majority", majority), ("any", any_row)):
        assert [row.targets for row in several_rows.combine("f", rows, how)] == [(wanted,)]


def _read(folder: pathlib.Path, how: str, *lines: str) -> table.Index:
    path = folder / "labels.csv"
    path.write_text("\n".join(["image,who,fold,age,Edema,Mass", *lines]) + "\n")
    settings = Table(patient_column="who", split_column="fold", age_column="age", rows=how)
    return table.read_index(str(path), ["Edema", "Mass"], settings)


def test_rows_of_a_file_are_combined_and_counted(tmp_path: pathlib.Path) -> None:
    lines = ["a,p,train,85+,1,0", "b,q,test,4,0,1", "a,p,train,85+,1,1", "a,p,train,85+,0,0"]
    index = _read(tmp_path, "majority", *lines)
    assert [(row.id, row.targets) for row in index.rows] == [("a", (1, 0)), ("b", (0, 1))]
    assert (index.counters["rows_combined"], len(index.warnings)) == (2, 1)
    assert index.splits == {"a": "train", "b": "test"}
    with pytest.raises(DataError, match="1 names more than once, first a"):
        _read(tmp_path, "one", *lines)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("a,q,train,4,1,0", "rows of a differ in patient"),
        ("a,p,train,5,1,0", "rows of a differ in age"),
        ("a,p,test,4,1,0", "line 3: a is in test, but in train by an earlier line"),
    ],
)
def test_rows_that_contradict_are_refused(tmp_path: pathlib.Path, line: str, part: str) -> None:
    with pytest.raises(DataError, match=part):
        _read(tmp_path, "any", "a,p,train,4,1,0", line)


def test_nothing_but_the_targets_may_differ() -> None:
    fields = {field.name for field in dataclasses.fields(Row)}
    row = Row("a", "p", (1,))
    for name in fields - {"id", "targets"}:
        value = getattr(row, name)
        other = dataclasses.replace(row, **{name: (9,) if value == () else type(value)("9")})
        with pytest.raises(DataError, match=f"differ in {name}"):
            several_rows.combine("f", [row, other], "any")
