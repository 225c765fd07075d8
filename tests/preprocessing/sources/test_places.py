# SPDX-License-Identifier: MIT
"""The picture of a row is found in every nesting in which the data set is published."""

import pathlib

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.sources import places
from preprocessing.sources.places import PICTURES, Wanted


def _touch(folder: pathlib.Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_images_are_found_in_any_nesting_and_strangers_counted(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "a.png", "images_001/images/b.PNG", "x/y/z/c.jpg", "d.jpeg", "e.txt", "png")
    _touch(tmp_path, "._a.png", "__MACOSX/._b.PNG", "images_002.tar.gz", "more.zip")
    found = places.find(str(tmp_path), Wanted(["a.png", "b.PNG", "c.jpg"]), PICTURES)
    assert set(found.files) == {"a.png", "b.PNG", "c.jpg"}
    assert found.files["b.PNG"] == str(tmp_path / "images_001/images/b.PNG")
    assert found.strangers == 1  # d.jpeg
    assert found.archives == {
        str(tmp_path / "images_002.tar.gz"): 0,
        str(tmp_path / "more.zip"): 0,
    }


@pytest.mark.parametrize(
    ("wanted", "path", "found"),
    [
        (["p1/s1/v1.jpg", "p1/s2/v1.jpg"], "p1/s2/v1.jpg", "p1/s2/v1.jpg"),
        (["CheXpert-v1.0/train/p1/v.jpg"], "train/p1/v.jpg", "CheXpert-v1.0/train/p1/v.jpg"),
        (["train/p1/v.jpg"], "CheXpert-v1.0/train/p1/v.jpg", "train/p1/v.jpg"),
        (["v.jpg", "p1/v.jpg"], "x/p1/v.jpg", "p1/v.jpg"),
        (["1.2.3"], "series/1.2.3.dcm", "1.2.3"),
        (["1.2.3"], "series/1.2.3", "1.2.3"),
        (["t\u00f3rax.png"], "x/to\u0301rax.png", "t\u00f3rax.png"),
        (["to\u0301rax.png"], "t\u00f3rax.png", "to\u0301rax.png"),
        (["t\u00f3rax/1.png"], "t\udcf3rax/1.png", "t\u00f3rax/1.png"),
        (["p1/v.jpg"], "x\\p1\\v.jpg", "p1/v.jpg"),
        (["a"], "a.txt", None),
        (["p2/v.jpg"], "p1/v.jpg", None),
        (["a.png"], "b.png", None),
    ],
)
def test_a_path_is_an_images_if_one_ends_in_the_other(
    wanted: list[str], path: str, found: str | None
) -> None:
    assert Wanted(wanted).find(path) == found


def test_a_path_that_fits_two_images_alike_is_refused() -> None:
    with pytest.raises(DataError, match="may be a/v.jpg or b/v.jpg"):
        Wanted(["a/v.jpg", "b/v.jpg"]).find("v.jpg")


def test_one_name_in_two_places_names_both(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "one/a.png", "two/a.png")
    with pytest.raises(
        DataError, match=r"a\.png lies in two places, .*one/a\.png and .*two/a\.png"
    ):
        places.find(str(tmp_path), Wanted(["a.png"]), PICTURES)


def test_a_folder_without_pictures_or_archives_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"holds no pictures or archives \(.png, .*check --images"):
        places.find(str(tmp_path / "none"), Wanted(["a.png"]), PICTURES)
    with pytest.raises(DataError, match=r"none\.zip cannot be read .*check --images"):
        places.find(str(tmp_path / "none.zip"), Wanted(["a.png"]), PICTURES)


def test_one_archive_may_be_named_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "images_001.tar.gz").write_bytes(b"12345")
    path = str(tmp_path / "images_001.tar.gz")
    assert places.find(path, Wanted(["a.png"]), PICTURES).archives == {path: 5}


@pytest.mark.parametrize(
    ("wanted", "path", "near"),
    [
        ("f00.png", "images/f00.jpg", "f00.png"),
        ("f00.png", "F00.PNG", "f00.png"),
        ("f00.dcm", "f00", "f00.dcm"),
        ("p1/f00.png", "P1/f00.jpeg", "p1/f00.png"),
        ("p1/f00.png", "p2/f00.jpeg", None),
        ("1.2.840.1", "1.2.840.2", None),
        ("f00.png", "f01.png", None),
    ],
)
def test_a_name_that_differs_in_suffix_or_case_alone_is_near(
    wanted: str, path: str, near: str | None
) -> None:
    assert Wanted([wanted]).near(path) == near


def test_a_file_in_place_of_the_folder_is_called_a_file(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "a.png")
    with pytest.raises(DataError, match=r"a\.png is a file, but not an archive"):
        places.find(str(tmp_path / "a.png"), Wanted(["a.png"]), PICTURES)
