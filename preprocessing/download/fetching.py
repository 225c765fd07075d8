# SPDX-License-Identifier: MIT
"""Fetches one file from where an earlier start ended; only a right one has its name."""

import time
from collections.abc import Callable

from absl import logging

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import patience, storage
from preprocessing.download import parts, web
from preprocessing.download.addresses import File
from preprocessing.download.parts import Part


def examined(file: File, folder: str) -> str:
    """Returns the MD5 of a file that lies in the folder already.

    Raises:
        DataError: it is not the file that was published.
    """
    path = storage.join(folder, file.name)
    found = parts.md5_of(path)
    if file.md5 and found != file.md5:
        raise DataError(
            f"{path} has MD5 {found}, and {file.md5} is right: move it away, and the same command "
            "fetches it anew"
        )
    return found


def size_of(file: File) -> int:
    """Returns the bytes of a file by its server, 0 if it does not tell; see `web.size`."""
    return patience.insist(lambda: web.size(file), _is_broken)


def begun(file: File, folder: str) -> Part:
    """Returns what an earlier start left, where going on with it can be checked in the end."""
    part = parts.opened(storage.join(folder, file.name))
    if not file.md5 or (file.size and part.at > file.size):
        part.restart()
    return part


def fetch(file: File, part: Part, folder: str, count: Callable[[int], None]) -> str:
    """Completes a file and returns its MD5; one that comes wrong is fetched again once.

    Args:
        file: with its size, if that is known.
        part: what has come of it.
        folder: that it is to lie in.
        count: called with the number of each few bytes that come, negative if they are dropped.

    Raises:
        DataError: it came wrong twice.
        BrokenError: its server was silent for a minute; what has come is kept.
    """
    path, wrong = storage.join(folder, file.name), ""
    for _ in range(2):
        if wrong:
            logging.warning(f"{file.place}: {wrong}; it is fetched again from the start")
        _fill(part, file, count)
        size, found = part.at, part.finish()
        wrong = _wrong(file, size, found)
        if not wrong:
            part.keep()
            return found
        count(-size)
        part.restart()
    raise DataError(
        f"{path} could not be downloaded: {wrong}, for the second time. What {file.place} gives is "
        "not the file that was published: name another address in --addresses, or the right MD5"
    )


def _fill(part: Part, file: File, count: Callable[[int], None]) -> None:
    ended = False
    while not (ended or part.is_whole or (file.size and part.at >= file.size)):
        # The minute of patience begins anew with every byte.
        ended = patience.insist(lambda: _stream(part, file, count), _is_broken)


def _stream(part: Part, file: File, count: Callable[[int], None]) -> bool:
    """Adds what one connection brings; returns whether that was all."""
    before = part.at
    try:
        for data in web.read(file, before):
            part.add(data)
            count(len(data))
    except web.BrokenError:
        if part.at == before:
            raise
        time.sleep(patience.FIRST_PAUSE_S)
        return False
    # One that gives only so much at once is asked again.
    return not file.size or part.at == before


def _wrong(file: File, size: int, found: str) -> str:
    if not size:
        return "it is empty"
    if file.size and size != file.size:
        return f"it has {size} bytes, and {file.size} are right"
    if file.md5 and found != file.md5:
        return f"its MD5 is {found}, and {file.md5} is right"
    return ""


def _is_broken(error: Exception) -> bool:
    return isinstance(error, web.BrokenError)
