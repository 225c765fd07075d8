# SPDX-License-Identifier: MIT
"""Reads and writes whole files under one set of names, whether a path is local or in a bucket.

Local paths use the operating system, gs:// uses google-cloud-storage, and every other scheme (s3://,
az://, hdfs://) goes through TensorFlow's file systems, which the extra `tensorflow-io` provides.
Local paths and gs:// need no TensorFlow here, so that reports and launches run without it.
A file that is being written never has its final name: a reader sees all of it or nothing.
"""

import contextlib
import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from typing import IO, cast

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import buckets, faults, folders, privacy
from preprocessing.contract.files.ranges import RangeReader

_TEMPORARY = ".partial-"
_CHUNK_BYTES = 1 << 22
# One request to an object store takes some 50 ms however little it asks for.
_RANGE_BYTES = 1 << 24


def scheme_of(path: str) -> str:
    """Returns the scheme of a path, "" for a local one.

    >>> scheme_of("gs://bucket/a"), scheme_of("/tmp/a")
    ('gs', '')
    """
    head, separator, _ = path.partition("://")
    return head if separator else ""


def join(folder: str, *names: str) -> str:
    """Joins path parts with "/", which every supported file system understands.

    >>> join("gs://bucket/runs/", "a", "b.csv")
    'gs://bucket/runs/a/b.csv'
    """
    return "/".join([folder.rstrip("/") if folder != "/" else "", *names])


def basename(path: str) -> str:
    """Returns the part behind the last "/".

    >>> basename("gs://bucket/images/00000001_000.png")
    '00000001_000.png'
    """
    return path.rstrip("/").rpartition("/")[2]


def shown(text: str) -> str:
    r"""Returns a path, or text with paths, as text that can be written anywhere.

    Names on a disk are bytes, and Python keeps those that are not UTF-8 as lone surrogates.

    >>> shown("radiograf\udcedas")
    'radiograf\\xedas'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_bytes(path: str) -> bytes:
    """Returns the content of a file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not scheme_of(path):
        with folders.open_file(path) as file:
            return file.read()
    return buckets.of(scheme_of(path)).read(path)


def read_text(path: str) -> str:
    """Returns the content of a UTF-8 file, without a byte order mark.

    Raises:
        FileNotFoundError: there is no such file.
        UnicodeDecodeError: the file is not UTF-8.
    """
    return read_bytes(path).decode("utf-8-sig")


def read_range(path: str, start: int, length: int) -> bytes:
    """Returns part of a file; what lies beyond its end is not there.

    Args:
        path: a file.
        start: first byte, counted from 0.
        length: how many bytes.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if scheme_of(path):
        return buckets.of(scheme_of(path)).read_range(path, start, length)
    with folders.open_file(path) as file:
        file.seek(start)
        return file.read(max(length, 0))


@contextlib.contextmanager
def open_read(path: str) -> Iterator[IO[bytes]]:
    """Opens a file for reading from the start or from anywhere, without loading all of it.

    An object is fetched piece by piece, all of the version that it had when it was opened.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not scheme_of(path):
        with folders.open_file(path) as file:
            yield file
        return
    pieces = RangeReader(*buckets.of(scheme_of(path)).reader(path))
    with io.BufferedReader(pieces, _RANGE_BYTES) as buffered:
        yield cast("IO[bytes]", buffered)


def write_bytes(path: str, data: bytes, *, private: bool = False) -> None:
    """Writes a file so that it appears under its name only when it is complete."""
    if scheme_of(path):
        buckets.of(scheme_of(path)).write(path, data)
        return
    with open_write(path, private=private) as file:
        file.write(data)


def write_text(path: str, text: str, *, private: bool = False) -> None:
    """Writes a UTF-8 file so that it appears under its name only when it is complete."""
    write_bytes(path, text.encode("utf-8"), private=private)


@contextlib.contextmanager
def open_write(path: str, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Opens a file for writing; it appears under `path` only after the block ended without error.

    A local file is written beside its final place and renamed; an object is uploaded at the end of
    the block (a shard fits into memory), which object stores do atomically. `private` files name
    patients, see `privacy`; a bucket has rules of its own.
    """
    if scheme_of(path):
        buffer = io.BytesIO()
        yield buffer
        buckets.of(scheme_of(path)).write(path, buffer.getvalue())
        return
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    mode = privacy.mode(os.path.dirname(path), private=private)
    temporary = f"{path}{_TEMPORARY}{uuid.uuid4().hex[:12]}"
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in faults.FULL and error.filename is None:
            error.filename = path  # a full disk does not say where it is
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def is_temporary(path: str) -> bool:
    """Tells whether a path is what a killed `open_write` left behind."""
    return _TEMPORARY in basename(path)


def exists(path: str) -> bool:
    """Tells whether a file, or a folder that holds something, is at `path`."""
    if not scheme_of(path):
        return os.path.isfile(path) or (os.path.isdir(path) and bool(os.listdir(path)))
    return buckets.of(scheme_of(path)).exists(path)


def list_files(folder: str) -> list[str]:
    """Returns the full paths of all files below a folder, sorted; empty if it is not there.

    Each real local folder counts once, wherever links lead; one that cannot be read has no files.
    """
    if scheme_of(folder):
        return sorted(buckets.of(scheme_of(folder)).files(folder))
    return sorted(folders.walk(folder)[0])


def sizes(folder: str, unreadable: dict[str, str] | None = None) -> dict[str, int]:
    """Returns path -> bytes of all files below a folder, sorted by path, with a single listing.

    A link that leads nowhere has 0 bytes: it is a file that cannot be read, not one to overlook.

    Args:
        folder: local or in a bucket.
        unreadable: is given path -> reason of each local folder that this user may not read.
    """
    if scheme_of(folder):
        return dict(sorted(buckets.of(scheme_of(folder)).sizes(folder).items()))
    paths, closed = folders.walk(folder)
    found = {}
    for path in sorted(paths):
        try:
            found[path] = folders.size(path)
        except OSError as error:
            closed[os.path.dirname(path)] = error.strerror or str(error)
    if unreadable is not None:
        unreadable.update(sorted(closed.items()))
    return found


def make_folder(path: str) -> None:
    """Makes a local folder and its parents; object stores have no folders to make."""
    if not scheme_of(path):
        os.makedirs(path, exist_ok=True)


def delete(path: str) -> None:
    """Deletes a file; does nothing if it is not there."""
    if scheme_of(path):
        buckets.of(scheme_of(path)).delete(path)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_empty_folder(path: str) -> None:
    """Removes a local folder if it is empty; object stores have no empty folders."""
    if not scheme_of(path):
        with contextlib.suppress(OSError):
            os.rmdir(path)


def rename(source: str, target: str) -> None:
    """Renames a file within one file system, replacing what is at `target`."""
    if scheme_of(source) != scheme_of(target):
        raise UsageError(f"{source} cannot be renamed to {target}: they are on different storage")
    if scheme_of(source):
        buckets.of(scheme_of(source)).rename(source, target)
        return
    os.replace(source, target)


def sha256_of(path: str) -> str:
    """Returns the SHA-256 of a file's content as 64 hexadecimal digits.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if scheme_of(path):
        return hashlib.sha256(read_bytes(path)).hexdigest()
    digest = hashlib.sha256()
    with folders.open_file(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
