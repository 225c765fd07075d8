# SPDX-License-Identifier: MIT
"""Reads the files that a command line names, with one sentence for everything that can be wrong."""

import contextlib
import os
from collections.abc import Iterator

from preprocessing.contract.errors import DataError, JobError
from preprocessing.contract.files import storage

# What a user can change about a path; other errors are faults of the machine.
_OF_THE_PATH = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def read(path: str, what: str, absent: str = "name another") -> bytes:
    """Returns the content of a file.

    Args:
        path: local or gs://.
        what: the file is, for messages.
        absent: what to do where there is none.

    Raises:
        DataError: there is no such file, it is a folder or a pipe, or it may not be read.
    """
    with _naming(path, what, absent):
        return storage.read_bytes(path)


def sha256(path: str, what: str, absent: str = "name another") -> str:
    """Returns the SHA-256 of a file, as 64 hexadecimal digits.

    Args:
        path: local or gs://.
        what: the file is, for messages.
        absent: what to do where there is none.

    Raises:
        DataError: as `read`.
    """
    with _naming(path, what, absent):
        return storage.sha256_of(path)


@contextlib.contextmanager
def parsing(wrong: str, advice: str) -> Iterator[None]:
    """Turns whatever a parser raises on bytes that are damaged or of another kind into a sentence.

    Args:
        wrong: what the file is or is not; the parser's words follow.
        advice: what to do.

    Raises:
        DataError: the block raised anything but a sentence of its own.
    """
    try:
        yield
    except JobError:
        raise
    # zipfile, zlib, lzma, NumPy and pyarrow raise some twenty types that have no common parent.
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{wrong} ({words}); {advice}") from error


@contextlib.contextmanager
def _naming(path: str, what: str, absent: str) -> Iterator[None]:
    if not storage.scheme_of(path) and os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "a pipe or a device"
        raise DataError(f"{path} is {kind}, not a {what}; name another")
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such {what}; {absent}") from error
    except _OF_THE_PATH as error:
        raise DataError(f"{path}: the {what} cannot be read ({error.strerror})") from error
