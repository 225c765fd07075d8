# SPDX-License-Identifier: MIT
"""Streams the files of a tar archive, packed or not, and finds what its links lead to."""

import contextlib
import functools
import hashlib
import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from preprocessing.contract.archives.archive_formats import (
    HEAD_BYTES,
    Member,
    dead_link,
    inflater,
    too_large,
)
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage

_PIECE = 1 << 20
# Pictures do not shrink: what inflates further than this was made to fill a disk or a memory.
_MAX_GROWTH, _FREE_GROWTH = 100, 1 << 30
# A tar.gz that a server packed once more; more layers are an attack.
_MAX_LAYERS = 2
_MAX_LINKS = 8


def members(
    path: str, wanted: Callable[[str], bool], *, digest: "hashlib._Hash | None" = None
) -> Iterator[Member]:
    """Yields the files of an archive in its own order, and then what its links lead to.

    A stream has passed what a link names by the time the link comes, so that links that are wanted
    cost a second reading.

    Args:
        path: local or in a bucket.
        wanted: tells by its name whether a member's content is needed.
        digest: is given every byte of the file.

    Raises:
        DataError: the archive is cut short or a bomb.
        tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError: damaged.
    """
    links: dict[str, str] = {}
    asked: list[str] = []
    for entry, content in _entries(path, digest):
        target = _target(entry)
        if target is not None:
            links[posixpath.normpath(entry.name)] = target
            if wanted(entry.name):
                asked.append(entry.name)
            else:
                yield Member(entry.name)
        elif not wanted(entry.name):
            yield Member(entry.name)
        else:
            yield _member(entry, content, entry.name)
    if asked:
        yield from _linked(path, {name: _end(name, links) for name in asked})


def _linked(path: str, ends: Mapping[str, str]) -> Iterator[Member]:
    """Yields what links lead to, from a second reading; `ends` is name -> where it leads."""
    names: dict[str, list[str]] = {}
    for name, end in ends.items():
        names.setdefault(end, []).append(name)
    for entry, content in _entries(path, None):
        found = names.pop(posixpath.normpath(entry.name), ()) if entry.isreg() else ()
        if found:
            member = _member(entry, content, found[0])
            yield from (Member(name, member.data, member.problem) for name in found)
    for end, lost in names.items():
        yield from (Member(name, None, dead_link(end)) for name in lost)


def _entries(
    path: str, digest: "hashlib._Hash | None"
) -> Iterator[tuple[tarfile.TarInfo, Callable[[], bytes]]]:
    """Yields each entry that is not a folder, with what reads its content."""
    with storage.open_read(path) as file:
        counted = _Counted(file, digest)
        bounded = _Bounded(_inflated(counted), counted, path)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:  # type: ignore[call-overload]
            for entry in archive:
                if not entry.isdir():
                    yield entry, functools.partial(_content, archive, entry)
                archive.members = []  # tarfile keeps all it has seen
            _check_end(path, archive.fileobj, bounded)
        counted.drain()


def _inflated(file: io.RawIOBase) -> IO[bytes]:
    plain: Any = io.BufferedReader(file, HEAD_BYTES)
    for _ in range(_MAX_LAYERS):
        inflate = inflater(plain.peek(HEAD_BYTES))
        if inflate is None:
            break
        plain = io.BufferedReader(inflate(plain), _PIECE)
    found: IO[bytes] = plain
    return found


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(entry)
    return content.read() if content is not None else b""


def _member(entry: tarfile.TarInfo, content: Callable[[], bytes], name: str) -> Member:
    if not entry.isreg():
        return Member(name, None, ("not_a_file", "the archive holds a device in its place"))
    problem = too_large(entry.size)
    return Member(name, None, problem) if problem else Member(name, content())


def _target(entry: tarfile.TarInfo) -> str | None:
    """Returns the name of the member that a link names, None for what is not a link."""
    if entry.islnk():
        return posixpath.normpath(entry.linkname)
    if entry.issym():
        return posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), entry.linkname))
    return None


def _end(name: str, links: Mapping[str, str]) -> str:
    """Follows links from one to the next to the last one's target."""
    place = posixpath.normpath(name)
    for _ in range(_MAX_LINKS):
        if place not in links:
            break
        place = links[place]
    return place


def _check_end(path: str, rest: Any, whole: "_Bounded") -> None:
    """Distinguishes an archive that ends from one that stops: tarfile takes both for the end.

    POSIX.1-1988 ends an archive with two blocks of zeros. An invalid header stops the iteration
    too, but there something other than zeros follows.
    """
    clean = True
    while data := rest.read(_PIECE):
        clean = clean and data.count(0) == len(data)
    if not clean or not whole.ends_in_zeros():
        raise DataError(f"archive {path} is cut short or damaged in the middle: download it again")


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
