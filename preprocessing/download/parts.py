# SPDX-License-Identifier: MIT
"""Keeps what has come of a file under another name until all of it is there, on disk or gs://."""

import hashlib
import os
from typing import TYPE_CHECKING, Any, cast

from preprocessing.contract.errors import UnavailableError
from preprocessing.contract.files import buckets, faults, patience, storage

if TYPE_CHECKING:
    from preprocessing.contract.files.google_storage import GoogleCloudStorage

SUFFIX = ".part"
_READ_BYTES = 1 << 20
# Google asks for multiples of 256 KiB; two of these are all that an upload keeps in memory.
_PIECE_BYTES = 1 << 23


def md5_of(path: str) -> str:
    """Returns the MD5 of a file, as its bucket knows it or by reading it."""
    if storage.scheme_of(path) and (known := _google().size_and_md5(path)[1]):
        return known
    digest = _new_md5()
    with storage.open_read(path) as file:
        while data := file.read(_READ_BYTES):
            digest.update(data)
    return str(digest.hexdigest())


def _google() -> "GoogleCloudStorage":
    return cast("GoogleCloudStorage", buckets.of("gs"))


def _new_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


class PartFile:
    """NAME.part on a disk; what an earlier start left is read once, for its MD5.

    Attributes:
        at: how many bytes there are.
        is_whole: whether nothing can be added any more.
    """

    is_whole = False

    def __init__(self, path: str) -> None:
        self._path, self._part = path, f"{path}{SUFFIX}"
        self.at, self._digest = 0, _new_md5()
        # Without a buffer, which a full disk would make fail a second time when it is closed.
        self._file = open(self._part, "a+b", buffering=0)  # noqa: SIM115
        self._file.seek(0)
        while data := self._file.read(_READ_BYTES):
            self._count(data)

    def _count(self, data: "bytes | memoryview") -> None:
        self._digest.update(data)
        self.at += len(data)

    def add(self, data: bytes) -> None:
        """Adds the bytes that come next."""
        left = memoryview(data)
        try:
            while left:
                written = self._file.write(left) or 0
                self._count(left[:written])
                left = left[written:]
        except OSError as error:
            error.filename = self._path
            raise

    def finish(self) -> str:
        """Brings everything to where it lasts, and returns its MD5."""
        os.fsync(self._file.fileno())
        return str(self._digest.hexdigest())

    def keep(self) -> None:
        """Gives it the name of the whole file."""
        os.replace(self._part, self._path)

    def restart(self) -> None:
        """Drops everything."""
        self._file.truncate(0)
        self.at, self._digest = 0, _new_md5()

    def close(self) -> None:
        """Leaves what there is to a later start."""
        self._file.close()
        if not self.at:
            storage.delete(self._part)


class GoneError(UnavailableError):
    """A store has forgotten an upload, as it does after a week."""


class PartObject:
    """NAME.part in a bucket: an upload in pieces, whose address lies beside it meanwhile.

    That address is all that a later start needs, on any machine: the store knows how much has come,
    and the MD5 of the whole in the end. Attributes and methods are those of a `PartFile`.
    """

    def __init__(self, path: str) -> None:
        self._path, self._part, self._note = path, f"{path}{SUFFIX}", f"{path}{SUFFIX}.upload"
        self._store = _google()
        self._sent, self._rest, self._is_sure, self.is_whole = 0, bytearray(), True, False
        self._session = ""
        try:
            self._sent, self.is_whole = self._store.size_and_md5(self._part)[0], True
            return
        except FileNotFoundError:
            pass
        try:
            self._session = storage.read_text(self._note).strip()
            patience.insist(self._ask, _passes)
            if self.is_whole:  # since a moment ago
                self._sent = self._store.size_and_md5(self._part)[0]
        except (FileNotFoundError, UnicodeDecodeError, GoneError):
            self.restart()

    @property
    def at(self) -> int:
        """How many bytes there are."""
        return self._sent + len(self._rest)

    def add(self, data: bytes) -> None:
        """Adds the bytes that come next."""
        self._rest += data
        while len(self._rest) > _PIECE_BYTES:
            self._push(self._sent + _PIECE_BYTES, "*")

    def finish(self) -> str:
        """Brings everything to where it lasts, and returns its MD5."""
        if not self.is_whole:
            self._push(self.at, str(self.at))
        return md5_of(self._part) if self.at else ""

    def keep(self) -> None:
        """Gives it the name of the whole file."""
        storage.delete(self._note)  # first: without it the whole part is found again
        storage.rename(self._part, self._path)

    def restart(self) -> None:
        """Drops everything."""
        storage.delete(self._part)
        self._session = self._store.begin_upload(self._part)
        storage.write_text(self._note, self._session, private=True)
        self._sent, self._rest, self._is_sure, self.is_whole = 0, bytearray(), True, False

    def close(self) -> None:
        """Leaves what there is to a later start."""
        if not self._sent:
            storage.delete(self._note)

    def _push(self, end: int, total: str) -> None:
        """Sends up to a place, in as many requests as the store wants."""
        while self._sent < end and not self.is_whole:
            patience.insist(lambda: self._put(end, total), _passes)

    def _put(self, end: int, total: str) -> None:
        if not self._is_sure:  # a piece may have come though its answer was lost
            self._ask()
        if self._sent < end and not self.is_whole:
            self._is_sure = False
            data = bytes(self._rest[: end - self._sent])
            self._heed(f"{self._sent}-{end - 1}/{total}", data)
        self._is_sure = True

    def _ask(self) -> None:
        self._heed("*/*", b"")

    def _heed(self, where: str, data: bytes) -> None:
        """Sends a piece, or none to ask, and goes on from what the store has by its answer."""
        answer = self._store.put_piece(self._session, self._part, where, data)
        status = answer.status_code
        if status in (404, 410):
            storage.delete(self._note)
            raise GoneError(
                f"{self._part}: the store gave its upload up: run the same command again"
            )
        if status not in (200, 201, 308):
            raise faults.answered(self._part, "written", status, answer.text)
        self.is_whole = status != 308
        come = int(answer.headers.get("Range", "bytes=0--1").partition("=0-")[2]) + 1
        has = self.at if self.is_whole else come
        if has < self._sent:
            raise faults.tired(self._part, "written", "the store has less of it than it said")
        del self._rest[: has - self._sent]
        self._sent = has


def _passes(error: Exception) -> bool:
    return isinstance(error, UnavailableError) and not isinstance(error, GoneError)


Part = PartFile | PartObject


def opened(path: str) -> Part:
    """Returns what has come of a file in earlier starts."""
    return PartObject(path) if storage.scheme_of(path) else PartFile(path)
