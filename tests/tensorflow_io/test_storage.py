# SPDX-License-Identifier: MIT
"""Files on s3:// through TensorFlow's file systems, seen by the official SDK as well."""

import contextlib
import hashlib
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage

pytestmark = pytest.mark.with_tensorflow_io

BUCKET = "s3://cxr14-test"


@pytest.fixture
def folder(s3: Any, request: pytest.FixtureRequest) -> str:
    return f"{BUCKET}/{request.node.name}"


def test_what_is_written_is_an_object_that_others_read(s3: Any, folder: str) -> None:
    storage.write_text(f"{folder}/a/b.txt", "Bäume")
    key = f"{storage.basename(folder)}/a/b.txt"
    assert s3.get_object(Bucket="cxr14-test", Key=key)["Body"].read() == "Bäume".encode()
    assert storage.read_text(f"{folder}/a/b.txt") == "Bäume"


def test_writing_replaces_the_whole_object(folder: str) -> None:
    storage.write_bytes(f"{folder}/x", b"a long first version")
    storage.write_bytes(f"{folder}/x", b"")
    assert storage.read_bytes(f"{folder}/x") == b""


def test_a_large_object_comes_back_whole(folder: str) -> None:
    data = bytes(range(256)) * (12 << 12)  # 12 MiB: more than one part of an upload in parts
    with storage.open_write(f"{folder}/large") as file:
        file.write(data[: 5 << 20])
        file.write(data[5 << 20 :])
    assert storage.sha256_of(f"{folder}/large") == hashlib.sha256(data).hexdigest()


def test_a_write_that_fails_leaves_the_object_as_it_was(folder: str) -> None:
    storage.write_bytes(f"{folder}/x", b"before")
    with contextlib.suppress(RuntimeError), storage.open_write(f"{folder}/x") as file:
        file.write(b"half")
        raise RuntimeError
    assert storage.read_bytes(f"{folder}/x") == b"before"
    assert storage.list_files(folder) == [f"{folder}/x"]


def test_files_and_folders_that_hold_something_exist(folder: str) -> None:
    storage.write_bytes(f"{folder}/a/b.txt", b"1")
    assert storage.exists(f"{folder}/a/b.txt")
    assert storage.exists(f"{folder}/a")
    assert storage.exists(BUCKET)
    assert not storage.exists(f"{folder}/a/b")
    assert not storage.exists(f"{folder}/none")


def test_listing_is_recursive_sorted_and_stays_below_the_folder(folder: str) -> None:
    for name in ("a/z.txt", "a/c/d.txt", "a/b.txt", "ab.txt"):
        storage.write_bytes(f"{folder}/{name}", b"1")
    expected = [f"{folder}/a/b.txt", f"{folder}/a/c/d.txt", f"{folder}/a/z.txt"]
    assert storage.list_files(f"{folder}/a") == expected
    assert storage.list_files(f"{folder}/a/") == expected
    assert storage.list_files(f"{folder}/none") == []
    assert set(expected) < set(storage.list_files(BUCKET))


def test_renaming_moves_and_replaces(folder: str) -> None:
    storage.write_bytes(f"{folder}/new", b"new")
    storage.write_bytes(f"{folder}/old", b"old")
    storage.rename(f"{folder}/new", f"{folder}/old")
    assert storage.read_bytes(f"{folder}/old") == b"new"
    assert storage.list_files(folder) == [f"{folder}/old"]


def test_deleting_removes_one_object_and_asks_for_none(folder: str) -> None:
    storage.write_bytes(f"{folder}/a", b"1")
    storage.write_bytes(f"{folder}/b", b"1")
    storage.delete(f"{folder}/a")
    storage.delete(f"{folder}/none")
    assert storage.list_files(folder) == [f"{folder}/b"]


@pytest.mark.parametrize("read", [storage.read_bytes, storage.read_text, storage.sha256_of])
@pytest.mark.parametrize("name", ["none", "none/none", "a"])
def test_reading_what_is_no_file_says_so(read: Callable[[str], Any], name: str, s3: Any) -> None:
    folder = f"{BUCKET}/missing"
    storage.write_bytes(f"{folder}/a/b.txt", b"1")
    with pytest.raises(FileNotFoundError, match=f"{folder}/{name}"):
        read(f"{folder}/{name}")


def test_renaming_what_is_not_there_says_so(folder: str) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        storage.rename(f"{folder}/none", f"{folder}/b")


def test_a_bucket_that_is_not_there_is_one_sentence(s3: Any) -> None:
    with pytest.raises(UsageError, match=r"s3://nowhere/x cannot be written \(.*NoSuchBucket"):
        storage.write_bytes("s3://nowhere/x", b"1")
    with pytest.raises(FileNotFoundError):
        storage.read_bytes("s3://nowhere/x")


def test_a_process_cleans_up_and_keeps_its_exit_code(folder: str) -> None:
    program = (
        "import sys, atexit\n"
        "from preprocessing.contract.files import storage\n"
        "atexit.register(lambda: print('cleaned up'))\n"
        f"storage.write_bytes({folder + '/x'!r}, b'1')\n"
        "sys.exit(75)\n"
    )
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 75, done.stderr
    assert done.stdout == "cleaned up\n"
    assert "pure virtual" not in done.stderr
    assert storage.read_bytes(f"{folder}/x") == b"1"
