# SPDX-License-Identifier: MIT
"""Recognizes an archive by its first bytes, whatever its name, and says why one cannot be read."""

import bz2
import dataclasses
import gzip
import lzma
import os
from collections.abc import Callable
from typing import IO, Any

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.pictures.picture_files import MAX_BYTES

ARCHIVES = (
    *(".tar.gz", ".tgz", ".tar", ".zip"),
    *(".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"),
)
ZIP, TAR = "zip", "tar"
HEAD_BYTES = 512
UNPACK = "unpack it yourself and give the folder"

# First bytes -> how a stream is inflated.
_PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard",
    b"LZIP": "packed with lzip",
    b"\x1f\x9d": "packed with compress",
    b"\xed\xab\xee\xdb": "an RPM package",
}
_WEB_PAGES = (b"<!doctype", b"<html", b"<?xml", b'{"')


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


def too_large(size: int) -> tuple[str, ...]:
    """Returns the problem of a member of so many bytes, if it is one."""
    if size > MAX_BYTES:
        return ("too_large", f"the file has {size} bytes: at most 2^28 are read")
    return ()


def dead_link(target: str) -> tuple[str, ...]:
    """Returns the problem of a link to something that is not a file of its archive."""
    return ("not_a_file", f"the archive holds a link in its place, to {target}, which it lacks")


def is_archive(path: str) -> bool:
    """Tells by its name whether a file is an archive.

    >>> is_archive("images_001.tar.gz"), is_archive("00000001_000.png")
    (True, False)
    """
    return path.lower().endswith(ARCHIVES)


def is_one(path: str) -> bool:
    """Tells whether a path is that of an archive: a local file by its content, or by its name."""
    if storage.scheme_of(path) or not os.path.exists(path):
        return is_archive(path)
    if not os.path.isfile(path) or is_archive(path):
        return os.path.isfile(path)
    try:
        return is_known(storage.read_range(path, 0, HEAD_BYTES))
    except OSError:
        return False


def kind_of(path: str, head: bytes) -> str:
    """Returns "zip" or "tar" (packed or not); where neither is recognized, by the name.

    Args:
        path: of the archive, for messages.
        head: its first `HEAD_BYTES` bytes.

    Raises:
        DataError: the file is empty, not an archive, or one that cannot be read here.
    """
    if not head:
        raise DataError(f"archive {path} is empty: download it again")
    for start, what in _OTHERS.items():
        if head.startswith(start):
            raise DataError(f"{path} is {what}, which cannot be read here: {UNPACK}")
    if head.lstrip().lower().startswith(_WEB_PAGES):
        raise DataError(
            f"{path} is not an archive but a text, such as a web page or an error message that was "
            "saved in its place: download it again"
        )
    if head.startswith(_ZIPS):
        return ZIP
    if inflater(head) is not None or head[257:262] == b"ustar":
        return TAR
    return ZIP if path.lower().endswith(".zip") else TAR


def is_known(head: bytes) -> bool:
    """Tells by its first bytes whether a file is an archive of any kind."""
    starts = (*_ZIPS, *_PACKED, *_OTHERS)
    return head.startswith(starts) or head[257:262] == b"ustar"


def inflater(head: bytes) -> Callable[[IO[bytes]], IO[bytes]] | None:
    """Returns what inflates a stream that starts so, None for one that is not packed."""
    found = [make for start, make in _PACKED.items() if head.startswith(start)]
    return found[0] if found else None
