# SPDX-License-Identifier: MIT
"""Files appear whole or not at all; listing, renaming and deleting act on exactly their file."""

import hashlib
import pathlib

import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage


def test_what_is_written_is_read_back_in_new_folders(tmp_path: pathlib.Path) -> None:
    path = storage.join(str(tmp_path), "a", "b", "c.bin")
    storage.write_bytes(path, b"\0\xff")
    assert storage.read_bytes(path) == b"\0\xff"
    storage.write_text(path, "Größe\n")
    assert storage.read_text(path) == "Größe\n"
    assert storage.list_files(str(tmp_path)) == [path]


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfImage")
    assert storage.read_text(str(tmp_path / "a")) == "Image"


def test_a_file_being_written_is_not_under_its_name_yet(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a")
    with storage.open_write(path) as file:
        file.write(b"half")
        file.flush()
        assert not storage.exists(path)
        (partial,) = storage.list_files(str(tmp_path))
        assert storage.is_temporary(partial)
    assert storage.list_files(str(tmp_path)) == [path]
    assert not storage.is_temporary(path)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_nothing(
    tmp_path: pathlib.Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), storage.open_write(str(tmp_path / "a")) as file:
        file.write(b"half")
        raise error
    assert storage.list_files(str(tmp_path)) == []


def test_a_block_that_fails_leaves_the_earlier_content(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a")
    storage.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), storage.open_write(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert storage.read_bytes(path) == b"old"


def test_two_writers_of_one_name_do_not_mix(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a")
    with storage.open_write(path) as first, storage.open_write(path) as second:
        first.write(b"1" * 9)
        second.write(b"2" * 5)
    assert storage.read_bytes(path) == b"1" * 9


@pytest.mark.parametrize("act", [storage.read_bytes, storage.read_text, storage.sha256_of])
def test_a_file_that_is_not_there_raises_file_not_found(tmp_path: pathlib.Path, act) -> None:
    with pytest.raises(FileNotFoundError):
        act(str(tmp_path / "none"))


def test_exists_means_a_file_or_a_folder_that_holds_something(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "folder"
    assert not storage.exists(str(folder))
    storage.make_folder(str(folder))
    assert not storage.exists(str(folder))
    storage.write_text(str(folder / "a"), "")
    assert storage.exists(str(folder))
    assert storage.exists(str(folder / "a"))


def test_files_are_listed_sorted_at_any_depth_and_through_links(tmp_path: pathlib.Path) -> None:
    for name in ("b/2", "a", "b/1/x"):
        storage.write_text(str(tmp_path / "tree" / name), "")
    storage.write_text(str(tmp_path / "elsewhere" / "y"), "")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "elsewhere")
    tree = str(tmp_path / "tree")
    assert storage.list_files(tree) == [f"{tree}/{n}" for n in ("a", "b/1/x", "b/2", "link/y")]
    assert storage.list_files(str(tmp_path / "none")) == []


def test_sizes_are_those_of_all_files_below(tmp_path: pathlib.Path) -> None:
    for name, size in (("b/2", 5), ("a", 0), ("b/1/x", 70_000)):
        storage.write_bytes(str(tmp_path / "tree" / name), bytes(size))
    (tmp_path / "tree" / "nowhere").symlink_to(tmp_path / "none")
    tree = str(tmp_path / "tree")
    found = storage.sizes(tree)
    assert found == {
        f"{tree}/a": 0,
        f"{tree}/b/1/x": 70_000,
        f"{tree}/b/2": 5,
        f"{tree}/nowhere": 0,
    }
    assert list(found) == storage.list_files(tree)
    assert storage.sizes(str(tmp_path / "none")) == {}


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 3, b"012"), (8, 3, b"89"), (10, 3, b""), (99, 1, b""), (4, 0, b""), (4, -1, b"")],
)
def test_a_range_ends_where_the_file_ends(
    tmp_path: pathlib.Path, start: int, length: int, expected: bytes
) -> None:
    path = str(tmp_path / "a")
    storage.write_bytes(path, b"0123456789")
    assert storage.read_range(path, start, length) == expected


def test_a_file_opened_for_reading_can_be_read_from_anywhere(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a")
    storage.write_bytes(path, b"0123456789")
    with storage.open_read(path) as file:
        assert file.read(2) == b"01"
        assert file.seek(-3, 2) == 7
        assert file.read() == b"789"
    assert file.closed


def test_what_is_not_there_cannot_be_opened_for_reading(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError), storage.open_read(str(tmp_path / "none")):
        pass
    with pytest.raises(FileNotFoundError):
        storage.read_range(str(tmp_path / "none"), 0, 1)


def test_rename_replaces_and_moves(tmp_path: pathlib.Path) -> None:
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    storage.write_text(old, "content")
    storage.write_text(new, "before")
    storage.rename(old, new)
    assert storage.read_text(new) == "content"
    assert not storage.exists(old)


def test_rename_over_a_border_of_storage_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="different storage"):
        storage.rename(str(tmp_path / "a"), "gs://bucket/a")


def test_deleting_what_is_not_there_is_no_error(tmp_path: pathlib.Path) -> None:
    storage.write_text(str(tmp_path / "a"), "")
    storage.delete(str(tmp_path / "a"))
    storage.delete(str(tmp_path / "a"))
    assert storage.list_files(str(tmp_path)) == []


def test_only_an_empty_folder_is_removed(tmp_path: pathlib.Path) -> None:
    storage.write_text(str(tmp_path / "full" / "a"), "")
    storage.remove_empty_folder(str(tmp_path / "full"))
    assert storage.exists(str(tmp_path / "full" / "a"))
    storage.delete(str(tmp_path / "full" / "a"))
    storage.remove_empty_folder(str(tmp_path / "full"))
    assert not (tmp_path / "full").exists()


def test_sha256_is_of_the_content(tmp_path: pathlib.Path) -> None:
    data = bytes(range(256)) * 20_000  # more than one chunk
    storage.write_bytes(str(tmp_path / "a"), data)
    assert storage.sha256_of(str(tmp_path / "a")) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("gs://bucket", "a"), "gs://bucket/a"),
        (("gs://bucket/", "a", "b"), "gs://bucket/a/b"),
        (("/", "a"), "/a"),
        (("folder",), "folder"),
    ],
)
def test_join_uses_slashes_on_every_storage(parts: tuple[str, ...], path: str) -> None:
    assert storage.join(*parts) == path


def test_basename_ignores_a_slash_at_the_end() -> None:
    assert storage.basename("gs://bucket/runs/one/") == "one"
    assert storage.basename("one") == "one"
