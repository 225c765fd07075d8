# SPDX-License-Identifier: MIT
"""Asks web servers for the size of a file and for its bytes from a place on."""

import contextlib
import re
from collections.abc import Iterator

import requests

from preprocessing.contract.errors import DataError, UnavailableError, UsageError
from preprocessing.download.addresses import PAGE, File

# Of what a connection brings last, less than one such piece is lost if it breaks.
PIECE_BYTES = 1 << 16
_TIMEOUTS_S = (10.0, 30.0)  # to connect, and without a byte
_PASSING = (408, 425, 429)
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class BrokenError(UnavailableError):
    """A server did not answer, or not to the end, which another try may fix."""


def size(file: File) -> int:
    """Returns how many bytes a file has, 0 if its server does not tell.

    Raises:
        BrokenError: no answer, or none that lasts.
        UsageError: the server refuses.
        DataError: something other than the file is there.
    """
    with _asked(file, "0-0") as answer:
        total = _range(answer)[1]
    if total and file.size and total != file.size:
        raise DataError(
            f"{file.place} has {total} bytes, and {file.name} should have {file.size}: it is "
            "another file; correct its line in --addresses"
        )
    return total or file.size


def read(file: File, start: int) -> Iterator[bytes]:
    """Yields what a file holds from a place on, also of a server that only gives it whole.

    Args:
        file: to fetch.
        start: first byte, counted from 0; at the end or after it there is nothing.

    Raises:
        BrokenError: the connection ended before the file.
        UsageError: see `size`; like DataError.
    """
    with _asked(file, f"{start}-") as answer:
        if answer.status_code == 416:
            return
        skip = start - _range(answer)[0]
        if skip < 0:
            raise BrokenError(f"{file.place} answered with another range than the one asked for")
        # Else it would be unpacked on the way where the server calls the packing an encoding.
        answer.raw.headers.pop("Content-Encoding", None)
        pieces = answer.iter_content(PIECE_BYTES)
        while True:
            with _explained(file):
                piece = next(pieces, b"")
            if not piece:
                return
            if kept := piece[skip:]:
                yield kept
            skip = max(0, skip - len(piece))


def _asked(file: File, wanted: str) -> requests.Response:
    with _explained(file):
        answer = requests.get(
            file.address,
            headers={"Range": f"bytes={wanted}", "Accept-Encoding": "identity"},
            stream=True,
            timeout=_TIMEOUTS_S,
        )
    status = answer.status_code
    try:
        if status in _PASSING or status >= 500:
            raise BrokenError(
                f"{file.place} answered HTTP {status} for as long as it was tried: run the same "
                "command again later"
            )
        if status not in (200, 206, 416):
            raise UsageError(
                f"{file.place} answered HTTP {status}: {file.name} is not there, or not for "
                f"everyone; look for it on {PAGE} and give its address in --addresses"
            )
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise DataError(
                f"{file.place} answered with a web page instead of {file.name}: fetch it with a "
                f"browser from {PAGE}, or give another address in --addresses"
            )
    except Exception:
        answer.close()
        raise
    return answer


def _range(answer: requests.Response) -> tuple[int, int]:
    """Returns the first byte of what is answered, and the size of the whole or 0."""
    if answer.status_code == 200:
        return 0, int(answer.headers.get("Content-Length") or 0)
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    start, total = found.groups() if found else (None, "*")
    return int(start or 0), 0 if total == "*" else int(total)


@contextlib.contextmanager
def _explained(file: File) -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # requests' InvalidURL, and urllib3's own for a host such as a..b
        raise UsageError(f"{file.place} is not an address: correct it in --addresses") from error
    except requests.RequestException as error:
        # The message of the library may hold an address with a secret: only its kind is told.
        raise BrokenError(
            f"{file.place} could not be read to its end ({_kind(error)}): run the same command "
            "again when the network is back"
        ) from error


def _kind(error: BaseException) -> str:
    """Returns what kind of error began it all."""
    while isinstance(inner := error.__cause__ or error.__context__, Exception):
        error = inner
    said = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
