# SPDX-License-Identifier: MIT
"""Streams the files of tar and zip archives as downloaded, once, without unpacking them.

No member's name is ever used as a path to write to, so what a name holds (`../`, a leading slash)
can do no harm; sizes are bounded before anything is read.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from preprocessing.contract import storage
from preprocessing.contract.errors import DataError
from preprocessing.contract.picture_files import MAX_BYTES

# MD5 of the twelve archives of ChestX-ray14, as NIH publishes them (FAQ Q07 of the data set).
PUBLISHED_MD5 = {
    "images_001.tar.gz": "fe8ed0a6961412fddcbb3603c11b3698",
    "images_002.tar.gz": "ab07a2d7cbe6f65ddd97b4ed7bde10bf",
    "images_003.tar.gz": "2301d03bde4c246388bad3876965d574",
    "images_004.tar.gz": "9f1b7f5aae01b13f4bc8e2c44a4b8ef6",
    "images_005.tar.gz": "1861f3cd0ef7734df8104f2b0309023b",
    "images_006.tar.gz": "456b53a8b351afd92a35bc41444c58c8",
    "images_007.tar.gz": "1075121ea20a137b87f290d6a4a5965e",
    "images_008.tar.gz": "b61f34cec3aa69f295fbb593cbd9d443",
    "images_009.tar.gz": "442a3caa61ae9b64e61c561294d1e183",
    "images_010.tar.gz": "09ec81c4c31e32858ad8cf965c494b74",
    "images_011.tar.gz": "499aefc67207a5a97692424cf5dbeed5",
    "images_012.tar.gz": "dc9fda1757c2de0032b63347a7d2895c",
}

_PIECE = 1 << 20
# Pictures do not shrink: what inflates further than this was made to fill a disk or a memory.
_MAX_GROWTH, _FREE_GROWTH = 100, 1 << 30


@dataclasses.dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes:
        name: as the archive has it.
        data: its content; None where it is not wanted, or must not be read.
        problem: (reason, text) why it must not be read; else empty.
    """

    name: str
    data: bytes | None = None
    problem: tuple[str, ...] = ()


def members(
    path: str, wanted: Callable[[str], bool], *, check_md5: bool = False
) -> Iterator[Member]:
    """Yields the files of an archive in its own order.

    Args:
        path: .tar.gz, .tgz, .tar or .zip, local or in a bucket.
        wanted: tells by its name whether a member's content is needed.
        check_md5: hold the archive against the published sum, where its name has one.

    Raises:
        DataError: the archive is cut short, damaged, a bomb, or not the published one.
    """
    try:
        with storage.open_read(path) as file:
            if path.lower().endswith(".zip"):
                yield from _of_zip(file, wanted)
            else:
                yield from _of_tar(path, file, wanted, check_md5=check_md5)
    except FileNotFoundError as error:
        raise DataError(f"archive {path} does not exist") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise DataError(
            f"archive {path} is cut short or damaged ({' '.join(str(error).split())}): download "
            "it again"
        ) from error


def _of_tar(
    path: str, file: IO[bytes], wanted: Callable[[str], bool], *, check_md5: bool
) -> Iterator[Member]:
    counted = _Counted(file, hashlib.md5(usedforsecurity=False) if check_md5 else None)
    packed = not path.lower().endswith(".tar")
    plain: IO[bytes] = gzip.GzipFile(fileobj=counted) if packed else counted  # type: ignore[assignment]
    bounded = _Bounded(plain, counted, path)
    with tarfile.open(fileobj=bounded, mode="r|") as archive:  # type: ignore[call-overload]
        for entry in archive:
            if not entry.isdir():
                yield _tar_member(archive, entry, wanted)
            archive.members = []  # tarfile keeps all it has seen
        _check_end(path, archive.fileobj, bounded)
    counted.drain()
    if check_md5:
        _check_md5(path, counted.digest())


def _tar_member(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, wanted: Callable[[str], bool]
) -> Member:
    if not wanted(entry.name):
        return Member(entry.name)
    if not entry.isreg():
        return Member(entry.name, None, ("not_a_file", "the archive holds a link in its place"))
    problem = _too_large(entry.size)
    if problem:
        return Member(entry.name, None, problem)
    content = archive.extractfile(entry)
    return Member(entry.name, content.read() if content is not None else b"")


def _of_zip(file: IO[bytes], wanted: Callable[[str], bool]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                yield _zip_member(archive, entry, wanted)


def _zip_member(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, wanted: Callable[[str], bool]
) -> Member:
    if not wanted(entry.filename):
        return Member(entry.filename)
    problem = _too_large(entry.file_size)
    if entry.flag_bits & 1:
        problem = ("encrypted", "the archive holds it encrypted: unpack it yourself")
    if problem:
        return Member(entry.filename, None, problem)
    try:
        # The size in the directory may lie; zipfile stops there, and checks the checksum.
        return Member(entry.filename, archive.read(entry))
    except (NotImplementedError, RuntimeError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def _too_large(size: int) -> tuple[str, ...]:
    if size > MAX_BYTES:
        return ("too_large", f"the file has {size} bytes: at most 2^28 are read")
    return ()


def _check_end(path: str, rest: Any, whole: "_Bounded") -> None:
    """Tells an archive that ends from one that stops: tarfile takes both for the end.

    POSIX.1-1988 ends an archive with two blocks of zeros; a header in between that is none stops
    the iteration too, and is betrayed by what follows.
    """
    clean = True
    while data := rest.read(_PIECE):
        clean = clean and data.count(0) == len(data)
    if not clean or not whole.ends_in_zeros():
        raise DataError(f"archive {path} is cut short or damaged in the middle: download it again")


def _check_md5(path: str, found: str) -> None:
    published = PUBLISHED_MD5.get(storage.basename(path))
    if published is not None and found != published:
        raise DataError(
            f"archive {path} has MD5 {found}, published is {published}: download it again"
        )


class _Counted(io.RawIOBase):
    """Counts, and on request hashes, what is read from a file."""

    def __init__(self, file: IO[bytes], digest: "hashlib._Hash | None") -> None:
        super().__init__()
        self._file, self._digest = file, digest
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        if self._digest is not None:
            self._digest.update(data)
        return len(data)

    def drain(self) -> None:
        """Reads to the end, for the digest of the whole."""
        with contextlib.suppress(EOFError):
            while self.read(_PIECE):
                pass

    def digest(self) -> str:
        return self._digest.hexdigest() if self._digest is not None else ""


class _Bounded:
    """Reads an inflated stream, refuses bombs, and remembers how the stream ended."""

    def __init__(self, plain: IO[bytes], packed: _Counted, path: str) -> None:
        self._plain, self._packed, self._path = plain, packed, path
        self._total, self._last = 0, b""

    def read(self, size: int) -> bytes:
        data = self._plain.read(size)
        self._total += len(data)
        if self._total > _FREE_GROWTH + _MAX_GROWTH * self._packed.count:
            raise DataError(
                f"archive {self._path} inflates to more than {_MAX_GROWTH} times its size: it "
                "holds no radiographs; remove it"
            )
        if data:
            self._last = (self._last + data)[-1024:]
        return data

    def ends_in_zeros(self) -> bool:
        """Tells whether the last two blocks were zeros."""
        return len(self._last) == 1024 and not any(self._last)

    def close(self) -> None:
        """Leaves the file to who opened it."""
