# SPDX-License-Identifier: MIT
"""Several paths are divided at commas, but for a comma in the name of a file that is there."""

import pathlib

import pytest

from preprocessing.contract.errors import UsageError
from trainer.predictions import listed


def test_commas_divide_paths_wherever_they_are() -> None:
    assert listed.paths("") == [""]
    assert listed.paths("a.csv,gs://b/c.npz,/d/e.parquet") == [
        *("a.csv", "gs://b/c.npz", "/d/e.parquet")
    ]


def test_a_file_with_a_comma_in_its_name_is_one_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "seeds 0,1.csv"
    assert listed.paths(str(path)) == [f"{tmp_path}/seeds 0", "1.csv"]
    path.touch()
    assert listed.paths(str(path)) == [str(path)]


@pytest.mark.parametrize("text", ["a.csv,", ",a.csv", "a.csv,,b.csv"])
def test_a_comma_with_nothing_beside_it_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--compare=.* has a comma with no path beside it"):
        listed.paths(text, "--compare")


@pytest.mark.parametrize("text", ["a.csv,b.csv,a.csv", "a.csv,b.csv,c/../a.csv"])
def test_a_file_that_would_count_double_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"names a\.csv twice"):
        listed.paths(text)


def test_names_leave_out_the_folders_in_common_and_no_more() -> None:
    assert listed.names(["/runs/1/p.csv"]) == ["p.csv"]
    assert listed.names(["/r/1/p/p.csv", "/r/2/p/p.csv"]) == ["1/p/p.csv", "2/p/p.csv"]
    assert listed.names(["a.csv", "b.csv"]) == ["a.csv", "b.csv"]
    assert listed.names(["/a/p.csv", "gs://b/p.csv"]) == ["/a/p.csv", "gs://b/p.csv"]
