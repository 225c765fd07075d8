# SPDX-License-Identifier: MIT
"""Every real folder is walked once, wherever links lead, and what cannot be read is named."""

import os
import pathlib

import pytest

from preprocessing.contract.files import folders, storage


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    for place in (root, root / "a", root / "a" / "b"):
        (place / "film.png").write_bytes(b"123")
    return root


def _files(root: pathlib.Path) -> list[str]:
    found, unreadable = folders.walk(str(root))
    assert unreadable == {}
    assert len(found) == len(set(found))
    return sorted(path.removeprefix(f"{root}/") for path in found)


_ALL = ["a/b/film.png", "a/film.png", "film.png"]


@pytest.mark.parametrize(
    "links",
    [
        {"a/latest": "."},
        {"a/x": "..", "a/y": ".."},
        {"a/b/up": "../..", "a/b/side": "..", "x": "a/b", "y": "a"},
        {"0": "a", "zz": "a/b"},
    ],
)
def test_links_in_circles_and_second_ways_to_a_folder_add_nothing(
    tree: pathlib.Path, links: dict[str, str]
) -> None:
    for name, target in links.items():
        (tree / name).symlink_to(target)
    assert _files(tree) == _ALL


def test_a_folder_elsewhere_is_walked_once_through_its_link(
    tree: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "more.png").touch()
    for name in ("one", "two"):
        (tree / name).symlink_to(tmp_path / "disk")
    assert _files(tree) == [*_ALL, "one/more.png"]


def test_a_link_to_itself_or_to_nothing_is_a_file_of_no_bytes(tree: pathlib.Path) -> None:
    (tree / "loop.png").symlink_to("loop.png")
    (tree / "gone.png").symlink_to("nowhere")
    found = storage.sizes(str(tree))
    assert found[f"{tree}/loop.png"] == found[f"{tree}/gone.png"] == 0
    assert found[f"{tree}/film.png"] == 3


def test_names_of_any_bytes_are_found_opened_and_shown(tree: pathlib.Path) -> None:
    folder = os.fsencode(tree) + b"/radiograf\xedas"
    os.mkdir(folder)
    with open(folder + b"/f.png", "wb") as file:
        file.write(b"film")
    (path,) = set(storage.list_files(str(tree))) - {f"{tree}/{name}" for name in _ALL}
    assert storage.read_bytes(path) == b"film"
    assert storage.shown(path) == f"{tree}/radiograf\\xedas/f.png"


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400], ids=oct)
def test_a_folder_without_the_right_to_read_or_enter_is_named(
    tree: pathlib.Path, unprivileged: None, mode: int
) -> None:
    closed = tree / "a" / "b"
    closed.chmod(mode)
    try:
        unreadable: dict[str, str] = {}
        assert set(storage.sizes(str(tree), unreadable)) == {f"{tree}/{p}" for p in _ALL[1:]}
        assert unreadable == {str(closed): "Permission denied"}
    finally:
        closed.chmod(0o700)


def test_a_trailing_slash_and_a_folder_that_is_not_there_change_nothing(tree: pathlib.Path) -> None:
    assert storage.list_files(f"{tree}/") == storage.list_files(str(tree))
    assert (
        storage.list_files(str(tree / "none")) == storage.list_files(str(tree / "film.png")) == []
    )


def test_a_pipe_or_a_device_is_refused_at_once_and_never_waited_for(tree: pathlib.Path) -> None:
    os.mkfifo(tree / "pipe")
    for path in (str(tree / "pipe"), "/dev/zero"):
        for read in (
            storage.read_bytes,
            storage.sha256_of,
            lambda path: storage.read_range(path, 0, 9),
        ):
            with pytest.raises(folders.NotAFileError, match=f"{path} is a pipe or a device"):
                read(path)
        with pytest.raises(folders.NotAFileError), storage.open_read(path):
            pass
    with pytest.raises(IsADirectoryError, match="/a'"):
        storage.read_bytes(str(tree / "a"))
    assert storage.read_bytes(os.devnull) == b""
