# SPDX-License-Identifier: MIT
"""Films are found wherever they are given, each once, under a name of its own."""

import pathlib
import tarfile
import zipfile

import pytest

from preprocessing.contract.errors import DataError
from trainer.inference import given
from trainer.inference.films import ImageError


def _tree(root: pathlib.Path) -> pathlib.Path:
    for name in ("a/1.png", "a/2.PNG", "b/1.png", "b/1.2.840.99", "b/notes.txt", "b/.hidden.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def _content(found: given.Found) -> dict[str, bytes]:
    return {one.id: one.fetch() for one in given.films(found.places)}


def test_a_folder_gives_short_names_where_they_are_unique(tmp_path: pathlib.Path) -> None:
    found = given.find([str(_tree(tmp_path))])
    names = {"a/1.png": "a/1.png", "2.PNG": "a/2.PNG", "b/1.png": "b/1.png"}
    names["1.2.840.99"] = "b/1.2.840.99"
    assert _content(found) == {name: path.encode() for name, path in names.items()}
    assert (found.twice, found.passed_over) == (0, 1)


def test_a_film_counts_once_however_it_is_given(tmp_path: pathlib.Path) -> None:
    root = _tree(tmp_path)
    (root / "list.csv").write_text("file,x\na/1.png,\na/3.png,\n")
    (root / "b" / "link.png").symlink_to(root / "a" / "1.png")
    inputs = [root / "a" / "1.png", f"{root}/a/*", root / "list.csv", root / "b" / "link.png"]
    found = given.find(list(map(str, inputs)))
    assert sorted(found.places) == ["1.png", "2.PNG", "3.png"] and found.twice == 3
    (gone,) = [one for one in given.films(found.places) if one.id == "3.png"]
    with pytest.raises(ImageError) as caught:
        gone.fetch()
    assert caught.value.reason == "vanished"


def test_films_of_archives_and_of_two_folders_of_one_layout(tmp_path: pathlib.Path) -> None:
    root = _tree(tmp_path)
    with zipfile.ZipFile(root / "z.zip", "w") as archive:
        archive.writestr("a/1.png", "zipped")
        archive.writestr("b/9.png", "nine")
        archive.writestr("b/readme.md", "")
    with tarfile.open(root / "no-suffix", "w:gz") as packed:
        packed.add(root / "b" / "1.png", "b/1.png")
    inputs = [root / "z.zip", root / "no-suffix", root / "a", root / "b"]
    found = given.find(list(map(str, inputs)))
    assert _content(found) == {
        "a/1.png": b"zipped",
        "9.png": b"nine",
        "b/1.png": b"b/1.png",
        f"{root}/a/1.png": b"a/1.png",
        f"{root}/b/1.png": b"b/1.png",
        "2.PNG": b"a/2.PNG",
        "1.2.840.99": b"b/1.2.840.99",
    }
    assert found.passed_over == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("none", "does not exist"), ("*.png", "no films"), ("e", "holds no films"), ("t.csv", "path")],
)
def test_what_holds_no_films_is_named(name: str, sentence: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=sentence):
        given.find([str(tmp_path / name)])


def test_pictures_that_an_earlier_start_wrote_are_no_films(tmp_path: pathlib.Path) -> None:
    root = _tree(tmp_path)
    written = [f"{root}/b", f"{root}/none"]
    for given_path in (f"{root}", f"{root}/*", f"{root}/**/*"):
        found = given.find([given_path], written)
        assert {place.path for place in found.places.values()} == {
            *(f"{root}/a/1.png", f"{root}/a/2.PNG"),
        }
        assert found.passed_over >= 2
    # Films that lie below a folder that is written to are films.
    assert len(given.find([f"{root}/a", f"{root}/a/*"], [f"{root}"]).places) == 2
