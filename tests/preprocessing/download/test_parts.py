# SPDX-License-Identifier: MIT
"""What has come of a file, through everything that a store or a disk does on the way."""

import contextlib
import errno
import hashlib
import tracemalloc
from typing import Any

import pytest

from preprocessing.contract.errors import UnavailableError, UsageError
from preprocessing.contract.files import patience, storage
from preprocessing.download import parts

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
PIECE = 1 << 18


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_PIECE_BYTES", PIECE)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("fault", ["reset", "lose", "status"])
def test_an_upload_goes_on_whatever_the_store_does(
    on_gcs: Any, bucket: str, data: bytes, fault: str
) -> None:
    part = parts.opened(f"{bucket}/x")
    on_gcs.spoil("PUT .*upload_id", fault, argument=503)
    part.add(data[:PIECE])  # nothing is sent before more comes
    part.add(data[PIECE : 2 * PIECE + 5])
    on_gcs.spoil("PUT .*upload_id", fault, argument=503, times=3)
    part.add(data[2 * PIECE + 5 :])
    assert part.at == len(data)
    on_gcs.spoil("PUT .*upload_id", fault, argument=503)
    assert part.finish() == md5(data)
    assert on_gcs.unused_faults() == []
    part.keep()
    part.close()
    assert on_gcs.objects(bucket) == {"x": data}


def test_an_upload_is_found_again_however_far_it_was(on_gcs: Any, bucket: str, data: bytes) -> None:
    parts.opened(f"{bucket}/x").add(data)
    again = parts.opened(f"{bucket}/x")  # as after a kill: nothing was closed
    assert again.at == len(data) // PIECE * PIECE
    again.add(data[again.at :])
    assert again.finish() == md5(data)
    done = parts.opened(f"{bucket}/x")
    assert done.is_whole and done.at == len(data)
    assert done.finish() == md5(data)
    done.keep()
    assert on_gcs.names(bucket) == ["x"]


def test_an_upload_that_the_store_forgot_begins_anew(on_gcs: Any, bucket: str, data: bytes) -> None:
    part = parts.opened(f"{bucket}/x")
    part.add(data)
    on_gcs.spoil("PUT .*upload_id", "status", argument=410)
    with pytest.raises(parts.GoneError, match="run the same command again"):
        part.finish()
    assert on_gcs.names(bucket) == []
    part = parts.opened(f"{bucket}/x")
    part.add(data)
    on_gcs.spoil("PUT .*upload_id", "status", argument=404)
    assert parts.opened(f"{bucket}/x").at == 0


def test_a_store_that_refuses_or_stays_away_is_named(
    on_gcs: Any, bucket: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = parts.opened(f"{bucket}/x")
    on_gcs.spoil("PUT .*upload_id", "status", argument=403, times=9)
    with pytest.raises(UsageError, match="roles/storage.objectUser"):
        part.add(data)
    on_gcs.forget()
    monkeypatch.setattr(patience, "SECONDS", 0.1)
    on_gcs.spoil("PUT .*upload_id", "status", argument=503, times=999)
    with pytest.raises(UnavailableError, match="HTTP 503"):
        part.add(b"")
    with pytest.raises(UsageError, match="there is no bucket cxr14-none"):
        parts.opened("gs://cxr14-none/x")


def test_an_upload_that_never_began_leaves_nothing(on_gcs: Any, bucket: str) -> None:
    with contextlib.closing(parts.opened(f"{bucket}/x")) as part:
        part.add(b"less than a piece")
    assert on_gcs.names(bucket) == []


def test_an_upload_holds_no_more_than_a_few_pieces(bucket: str) -> None:
    part = parts.opened(f"{bucket}/x")
    block = bytes(1 << 16)
    tracemalloc.start()
    try:
        for _ in range(160):  # 10 MB
            part.add(block)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert part.finish() == md5(bytes(160 << 16))
    assert peak < 8 * PIECE


def test_a_full_disk_names_the_file_and_keeps_what_fits(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.make_folder(folder)
    part = parts.PartFile(f"{folder}/x")

    class Full:
        def __init__(self, file: Any) -> None:
            self.close, self.room, self._file = file.close, 10, file

        def write(self, data: Any) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            written: int = self._file.write(data[: self.room])
            self.room -= written
            return written

    part._file = Full(part._file)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space") as caught:
        part.add(b"0123456789abc")
    part.close()
    assert caught.value.filename == f"{folder}/x"
    again = parts.opened(f"{folder}/x")
    assert again.at == 10
    again.add(b"abc")
    assert again.finish() == md5(b"0123456789abc")
    again.close()
