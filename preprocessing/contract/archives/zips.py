# SPDX-License-Identifier: MIT
"""Reads the files of a zip archive: names as they were meant, links to where they lead."""

import posixpath
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import IO

from preprocessing.contract.archives.archive_formats import UNPACK, Member, dead_link, too_large
from preprocessing.contract.errors import DataError

_UTF8 = 0x800
_READABLE = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
    zipfile.ZIP_BZIP2,
    zipfile.ZIP_LZMA,
)
_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "xz", 98: "PPMd"}
_MAX_LINKS = 8
# The record at the end of a zip file and the longest comment behind it (APPNOTE 4.3.16).
_END, _END_BYTES = b"PK\x05\x06", 22
_TAIL_BYTES = _END_BYTES + (1 << 16)
_ZIP64 = 0xFFFFFFFF


def members(path: str, file: IO[bytes], wanted: Callable[[str], bool]) -> Iterator[Member]:
    """Yields the files of a zip archive in its own order.

    Raises:
        DataError: one of several volumes, or files that are packed as nothing here can unpack.
        zipfile.BadZipFile: damaged.
    """
    _refuse_volume(path, file)
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                name = _name(entry)
                if not name.endswith(("/", "\\")):
                    is_wanted = wanted(name)
                    yield _member(path, archive, entry, name) if is_wanted else Member(name)
    except (NotImplementedError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise DataError(f"archive {path} cannot be read here ({said}): {UNPACK}") from error


def _member(path: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Member:
    links = 0
    while stat.S_ISLNK(entry.external_attr >> 16) and entry.file_size < 1 << 12:
        target = archive.read(entry).decode("utf-8", "replace")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(entry.filename), target))
        links += 1
        if place not in archive.NameToInfo or links > _MAX_LINKS:
            return Member(name, None, dead_link(target))
        entry = archive.getinfo(place)
    problem = too_large(entry.file_size)
    if entry.flag_bits & 1:
        problem = ("encrypted", "the archive holds it encrypted: unpack it yourself")
    if problem:
        return Member(name, None, problem)
    if entry.compress_type not in _READABLE:
        method = _METHODS.get(entry.compress_type, f"method {entry.compress_type}")
        raise DataError(
            f"archive {path} is packed with {method}, which cannot be read here, but by 7-Zip and "
            f"unzip: {UNPACK}"
        )
    # The size in the directory may lie; zipfile stops there, and checks the checksum.
    return Member(name, archive.read(entry))


def _name(entry: zipfile.ZipInfo) -> str:
    """Returns a member's name; many programs write UTF-8 without saying so."""
    if entry.flag_bits & _UTF8 or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _refuse_volume(path: str, file: IO[bytes]) -> None:
    """Finds that what the directory at the end speaks of lies in other files."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL_BYTES, 0))
    tail = file.read(_TAIL_BYTES)
    file.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return  # cut short, which zipfile finds
    disk, _, _, _, length, offset = struct.unpack_from("<4H2L", tail, at + 4)
    end = size - len(tail) + at
    if disk not in (0, 0xFFFF) or (_ZIP64 not in (length, offset) and length + offset > end):
        raise DataError(
            f"archive {path} is the last volume of a split zip, or lacks its beginning: join the "
            "volumes (zip -s 0 FILE.zip --out WHOLE.zip) and give the whole, or download "
            "it again"
        )
