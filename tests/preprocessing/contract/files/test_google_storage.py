# SPDX-License-Identifier: MIT
"""Files on gs:// through Google's client, faults on the way, and refusals told in one sentence."""

import contextlib
import hashlib
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import UnavailableError, UsageError
from preprocessing.contract.files import buckets, google_storage, patience, storage

# The client does not close the connection of an answer that it did not like.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)

DATA = random.Random(3).randbytes(300_000)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)


def test_what_is_written_is_an_object_that_others_read(on_gcs: Any, bucket: str) -> None:
    storage.write_text(f"{bucket}/a/b.txt", "Bäume")
    assert on_gcs.objects(bucket) == {"a/b.txt": "Bäume".encode()}
    assert storage.read_text(f"{bucket}/a/b.txt") == "Bäume"
    storage.write_bytes(f"{bucket}/a/b.txt", b"")
    assert on_gcs.objects(bucket) == {"a/b.txt": b""}
    assert storage.read_bytes(f"{bucket}/a/b.txt") == b""


@pytest.mark.parametrize("name", ["with space", "ünïcode", "a+b&c=d?e#f", "100%/x", "a//b"])
def test_odd_names_are_names(on_gcs: Any, bucket: str, name: str) -> None:
    storage.write_bytes(f"{bucket}/{name}", b"1")
    assert on_gcs.names(bucket) == [name]
    assert storage.read_bytes(f"{bucket}/{name}") == b"1"
    assert storage.list_files(bucket) == [f"{bucket}/{name}"]
    storage.delete(f"{bucket}/{name}")
    assert storage.list_files(bucket) == []


def test_a_large_object_goes_up_and_comes_back_whole(bucket: str) -> None:
    data = DATA * 40  # 12 MB: more than a simple upload takes
    with storage.open_write(f"{bucket}/large") as file:
        file.write(data[:1000])
        assert not storage.exists(f"{bucket}/large")
        file.write(data[1000:])
    assert storage.sha256_of(f"{bucket}/large") == hashlib.sha256(data).hexdigest()


def test_a_write_that_fails_leaves_the_object_as_it_was(bucket: str) -> None:
    storage.write_bytes(f"{bucket}/x", b"before")
    with contextlib.suppress(RuntimeError), storage.open_write(f"{bucket}/x") as file:
        file.write(b"half")
        raise RuntimeError
    assert storage.read_bytes(f"{bucket}/x") == b"before"
    assert storage.list_files(bucket) == [f"{bucket}/x"]


def test_files_and_folders_that_hold_something_exist(bucket: str) -> None:
    assert not storage.exists(bucket)
    storage.write_bytes(f"{bucket}/a/b.txt", b"1")
    there = (f"{bucket}/a/b.txt", f"{bucket}/a", f"{bucket}/a/", bucket)
    assert all(storage.exists(path) for path in there)
    assert not storage.exists(f"{bucket}/a/b")
    assert not storage.exists(f"{bucket}/none")


def test_listing_is_recursive_sorted_and_stays_below_the_folder(on_gcs: Any, bucket: str) -> None:
    for name in ("a/z.txt", "a/c/d.txt", "a/b.txt", "ab.txt", "a/folder/"):
        on_gcs.write(f"{bucket}/{name}", b"12" if name.endswith("txt") else b"")
    expected = [f"{bucket}/a/b.txt", f"{bucket}/a/c/d.txt", f"{bucket}/a/z.txt"]
    assert storage.list_files(f"{bucket}/a") == expected
    assert storage.list_files(f"{bucket}/a/") == expected
    assert storage.list_files(f"{bucket}/none") == []
    assert storage.list_files(bucket) == [*expected, f"{bucket}/ab.txt"]
    on_gcs.forget()
    assert storage.sizes(f"{bucket}/a") == dict.fromkeys(expected, 2)
    assert len(on_gcs.requests()) == 1


def test_a_listing_of_several_pages_is_complete(on_gcs: Any, bucket: str) -> None:
    names = [f"{bucket}/{number:04d}" for number in range(1100)]  # a page has 1000 at most
    for name in names:
        on_gcs.write(name, b"")
    on_gcs.forget()
    assert storage.list_files(bucket) == names
    assert len(on_gcs.requests("GET .*/o\\?")) == 2


def test_renaming_moves_and_replaces(bucket: str) -> None:
    storage.write_bytes(f"{bucket}/new", b"new")
    storage.write_bytes(f"{bucket}/old", b"old")
    storage.rename(f"{bucket}/new", f"{bucket}/old")
    assert storage.read_bytes(f"{bucket}/old") == b"new"
    assert storage.list_files(bucket) == [f"{bucket}/old"]
    with pytest.raises(FileNotFoundError, match="none"):
        storage.rename(f"{bucket}/none", f"{bucket}/b")


def test_deleting_removes_one_object_and_asks_for_none(bucket: str) -> None:
    storage.write_bytes(f"{bucket}/a", b"1")
    storage.write_bytes(f"{bucket}/b", b"1")
    storage.delete(f"{bucket}/a")
    storage.delete(f"{bucket}/none")
    assert storage.list_files(bucket) == [f"{bucket}/b"]


@pytest.mark.parametrize(
    "read",
    [
        storage.read_bytes,
        storage.read_text,
        storage.sha256_of,
        lambda path: storage.read_range(path, 0, 1),
        lambda path: storage.open_read(path).__enter__(),
        lambda path: buckets.of("gs").read_versioned(path),
    ],
)
@pytest.mark.parametrize("name", ["none", "a"])
def test_reading_what_is_no_file_says_so(
    read: Callable[[str], Any], name: str, bucket: str
) -> None:
    storage.write_bytes(f"{bucket}/a/b.txt", b"1")
    with pytest.raises(FileNotFoundError, match=f"{bucket}/{name}"):
        read(f"{bucket}/{name}")


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 3, b"012"), (8, 3, b"89"), (10, 3, b""), (99, 1, b""), (4, 0, b""), (4, -1, b"")],
)
def test_a_range_ends_where_the_object_ends(
    bucket: str, start: int, length: int, expected: bytes
) -> None:
    storage.write_bytes(f"{bucket}/x", b"0123456789")
    assert storage.read_range(f"{bucket}/x", start, length) == expected


def test_an_archive_is_read_in_place_by_ranges(on_gcs: Any, bucket: str) -> None:
    with storage.open_write(f"{bucket}/x.zip") as file, zipfile.ZipFile(file, "w") as archive:
        for number in range(120):
            archive.writestr(str(number), DATA)
    on_gcs.forget()
    with storage.open_read(f"{bucket}/x.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("119") == archive.read("3") == DATA
    asked = on_gcs.requests("alt=media")
    assert len(asked) < 6
    assert all(request["range"] for request in asked)


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed(on_gcs: Any, bucket: str) -> None:
    storage.write_bytes(f"{bucket}/x", bytes(20 << 20))  # more than one piece
    with pytest.raises(FileNotFoundError), storage.open_read(f"{bucket}/x") as file:
        assert file.read(100) == bytes(100)
        storage.write_bytes(f"{bucket}/x", b"\1" * (20 << 20))
        file.seek(-100, 2)
        file.read()


def _everything(bucket: str) -> dict[str, Any]:
    """Uses every function once, and returns what they say."""
    storage.write_bytes(f"{bucket}/a", DATA)
    storage.write_bytes(f"{bucket}/large", DATA * 40)
    storage.rename(f"{bucket}/a", f"{bucket}/b/c")
    said = {
        "read": storage.read_bytes(f"{bucket}/b/c") == DATA,
        "large": storage.sha256_of(f"{bucket}/large"),
        "range": storage.read_range(f"{bucket}/b/c", 10, 10),
        "exists": [storage.exists(f"{bucket}/{name}") for name in ("a", "b", "b/c")],
        "sizes": [*storage.sizes(bucket).values()],
    }
    with storage.open_read(f"{bucket}/large") as file:
        file.seek(len(DATA) * 39)
        said["opened"] = file.read() == DATA
    storage.delete(f"{bucket}/large")
    return {**said, "left": [*storage.list_files(f"{bucket}/b")] == [f"{bucket}/b/c"]}


@pytest.fixture(scope="session")
def said_without_faults() -> dict[str, Any]:
    return {
        "read": True,
        "large": hashlib.sha256(DATA * 40).hexdigest(),
        "range": DATA[10:20],
        "exists": [False, True, True],
        "sizes": [len(DATA), len(DATA) * 40],
        "opened": True,
        "left": True,
    }


@pytest.mark.parametrize(
    ("fault", "argument"),
    [("status", 503), ("status", 429), ("reset", 0), ("lose", 0), ("truncate", 0)],
)
@pytest.mark.parametrize("which", ["GET", "POST", "PUT", "DELETE"])
def test_a_fault_on_the_way_changes_nothing(
    on_gcs: Any,
    bucket: str,
    said_without_faults: dict[str, Any],
    which: str,
    fault: str,
    argument: int,
) -> None:
    on_gcs.spoil(rf"^{which} .*{bucket[5:]}", fault, argument=argument, times=2)
    assert _everything(bucket) == said_without_faults
    assert on_gcs.unused_faults() == []
    assert sum(request["fault"] == fault for request in on_gcs.requests()) == 2


def test_a_bit_that_flips_on_the_way_is_noticed_and_mended(on_gcs: Any, bucket: str) -> None:
    storage.write_bytes(f"{bucket}/x", DATA)
    on_gcs.spoil("alt=media", "flip")
    assert storage.read_bytes(f"{bucket}/x") == DATA
    assert on_gcs.unused_faults() == []
    on_gcs.spoil("alt=media", "flip", times=9)
    with pytest.raises(UnavailableError, match="x could not be read in spite of several tries"):
        storage.read_bytes(f"{bucket}/x")


def test_a_store_that_stays_away_is_told_in_one_sentence(on_gcs: Any, bucket: str) -> None:
    impatient = google_storage.GoogleCloudStorage(patience_s=0.5)
    for fault, argument in (("status", 503), ("reset", 0)):
        on_gcs.spoil(bucket[5:], fault, argument=argument, times=10_000)
        for act in (
            lambda: impatient.read(f"{bucket}/x"),
            lambda: impatient.write(f"{bucket}/x", b"1"),
            lambda: impatient.files(bucket),
        ):
            with pytest.raises(UnavailableError, match="in spite of several tries") as caught:
                act()
            _is_a_sentence(caught.value)
        on_gcs.forget()


def _is_a_sentence(error: BaseException) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 600


ACTS = [
    storage.read_bytes,
    storage.exists,
    storage.list_files,
    storage.sizes,
    storage.delete,
    lambda path: storage.read_range(path, 0, 1),
    lambda path: storage.open_read(path).__enter__(),
    lambda path: storage.write_text(path, "text"),
    lambda path: storage.rename(path, path + "x"),
]


@pytest.mark.parametrize("act", ACTS)
def test_a_refusal_names_path_cause_and_remedy(
    on_gcs: Any, bucket: str, act: Callable[[str], Any]
) -> None:
    on_gcs.write(f"{bucket}/x", b"1")
    on_gcs.spoil(bucket[5:], "status", argument=403, times=100)
    with pytest.raises(UsageError, match=r"injected") as caught:
        act(f"{bucket}/x")
    assert str(caught.value).startswith(f"{bucket}/x cannot be ")
    assert re.search(r"needs storage\.objects\.(get|list|create|delete)", str(caught.value))
    assert "Storage Object User (roles/storage.objectUser)" in str(caught.value)
    _is_a_sentence(caught.value)


@pytest.mark.parametrize("act", [storage.read_bytes, storage.list_files, *ACTS[-2:]])
@pytest.mark.parametrize("status", [401, 412, 429, 503])
def test_what_passes_is_repeated_and_is_never_final(
    on_gcs: Any,
    bucket: str,
    act: Callable[[str], Any],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_gcs.write(f"{bucket}/x", b"1")
    on_gcs.spoil(bucket[5:], "status", argument=status, times=4)
    act(f"{bucket}/x")
    assert on_gcs.unused_faults() == []
    monkeypatch.setattr(patience, "SECONDS", 0.1)
    buckets.of.cache_clear()
    on_gcs.write(f"{bucket}/x", b"1")
    on_gcs.spoil(bucket[5:], "status", argument=status, times=100)
    with pytest.raises(UnavailableError, match=f"x could not be .*{status}.*again") as caught:
        act(f"{bucket}/x")
    assert ("take the credentials" in str(caught.value)) == (status == 401)
    _is_a_sentence(caught.value)


def test_an_object_that_its_bucket_keeps_is_told_so(on_gcs: Any, bucket: str) -> None:
    on_gcs.write(f"{bucket}/x", b"1")
    why = "Object is subject to bucket's retention policy and cannot be deleted"
    on_gcs.spoil("^DELETE", "status", argument=403, text=why)
    with pytest.raises(UsageError, match="x cannot be deleted .*name a path in another bucket"):
        storage.delete(f"{bucket}/x")


@pytest.mark.parametrize("act", [a for a in ACTS if a is not storage.delete])
def test_a_bucket_that_does_not_exist_is_named(on_gcs: Any, act: Callable[[str], Any]) -> None:
    with pytest.raises((UsageError, FileNotFoundError), match="gs://cxr14-nowhere/x") as caught:
        act("gs://cxr14-nowhere/x")
    if isinstance(caught.value, UsageError):
        assert "there is no bucket cxr14-nowhere" in str(caught.value)
        _is_a_sentence(caught.value)


def test_writing_and_listing_need_the_bucket(on_gcs: Any) -> None:
    for act in (storage.list_files, storage.exists, lambda path: storage.write_text(path, "")):
        with pytest.raises(UsageError, match="there is no bucket cxr14-nowhere"):
            act("gs://cxr14-nowhere/x")


@pytest.mark.parametrize("path", ["gs://", "gs:///x", "gs://bucket", "gs://bucket/"])
def test_a_path_without_bucket_or_name_is_refused(on_gcs: Any, path: str) -> None:
    with pytest.raises(UsageError, match=f"{path} names no .*: write gs://BUCKET/NAME"):
        storage.read_bytes(path)
    if not path.startswith("gs://b"):
        for act in (storage.list_files, storage.exists):
            with pytest.raises(UsageError, match=f"{path} names no bucket"):
                act(path)


def test_a_login_that_was_revoked_is_told_with_what_to_do(
    on_gcs: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", on_gcs.revoked_login)
    buckets.of.cache_clear()
    for act in ACTS:
        with pytest.raises(UsageError, match="Google refused the credentials") as caught:
            act(f"{bucket}/x")
        assert "gcloud auth application-default login" in str(caught.value)
        _is_a_sentence(caught.value)


def test_a_login_service_that_is_ill_is_no_mistake_of_the_user(
    on_gcs: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SECONDS", 2.0)
    on_gcs.spoil("/token", "status", argument=503, times=100)
    with pytest.raises(UnavailableError, match=f"{bucket}/x could not be read in spite of"):
        storage.read_bytes(f"{bucket}/x")


def test_without_any_login_a_process_ends_with_64_and_one_sentence(gcs: Any, tmp_path: Any) -> None:
    environment = {
        name: value
        for name, value in gcs.environment.items()
        if name != "GOOGLE_APPLICATION_CREDENTIALS"
    }
    environment |= {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path)}
    program = (
        "import sys\n"
        "from preprocessing.contract.files import storage\n"
        "from preprocessing.contract.errors import JobError\n"
        "try:\n"
        "    storage.read_bytes('gs://bucket/x')\n"
        "except JobError as error:\n"
        "    print(error)\n"
        "    sys.exit(error.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 64, done.stderr
    assert done.stdout.startswith("gs:// paths need Google credentials, and none are found here: ")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_a_version_is_replaced_only_by_who_knows_it(bucket: str) -> None:
    path, store = f"{bucket}/lock", buckets.of("gs")
    first = store.write_version(path, b"one", "")
    assert first
    assert store.write_version(path, b"two", "") == ""
    assert store.read_versioned(path) == (b"one", first)
    second = store.write_version(path, b"two", first)
    assert second not in ("", first)
    assert store.write_version(path, b"three", first) == ""
    store.delete_version(path, first)
    assert store.read_versioned(path) == (b"two", second)
    store.delete_version(path, second)
    store.delete_version(path, second)
    assert not storage.exists(path)


@pytest.mark.parametrize("fault", ["lose", "reset", "truncate"])
def test_a_version_whose_answer_was_lost_counts_as_written(
    on_gcs: Any, bucket: str, fault: str
) -> None:
    path, store = f"{bucket}/lock", buckets.of("gs")
    on_gcs.spoil("POST .*upload", fault, times=2)
    first = store.write_version(path, b"one", "")
    assert store.read_versioned(path) == (b"one", first)
    assert on_gcs.unused_faults() == []
