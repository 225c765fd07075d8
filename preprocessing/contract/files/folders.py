# SPDX-License-Identifier: MIT
"""Walks local folders, each real one once wherever links lead, and opens what is a file there."""

import collections
import contextlib
import os
import stat
from typing import IO

from preprocessing.contract.errors import DataError


class NotAFileError(DataError):
    """A pipe, a socket or a device lies where a file is needed: reading it might never end."""


def walk(folder: str) -> tuple[list[str], dict[str, str]]:
    """Lists all files below a local folder.

    A folder that several links lead to is listed under its own name, or under one link if it lies
    elsewhere; links in circles end where they began. A link that leads nowhere, or to itself,
    counts as a file: it is one that cannot be read, not one to overlook.

    Args:
        folder: where to begin; may be missing.

    Returns:
        Full paths of the files in no order, and path -> reason of each folder that cannot be read.
    """
    files: list[str] = []
    unreadable: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    own, linked = collections.deque([folder.rstrip("/") or "/"]), collections.deque[str]()
    while own or linked:
        # Links last, so that a folder has its own name whatever order a disk lists it in.
        path = own.popleft() if own else linked.popleft()
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            unreadable[path] = error.strerror or str(error)
            continue
        for entry in entries:
            full = f"{path.rstrip('/')}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                own.append(full)
            elif _leads_to_folder(entry):
                linked.append(full)
            else:
                files.append(full)
    return files, unreadable


def _leads_to_folder(entry: "os.DirEntry[str]") -> bool:
    with contextlib.suppress(OSError):  # a link to itself, or to where this user may not go
        return entry.is_dir()
    return False


def size(path: str) -> int:
    """Returns the bytes of a local file, 0 for a link that leads nowhere.

    Raises:
        OSError: the folder lets its files be listed but not be read.
    """
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0  # it leads nowhere, or is gone since it was listed
    except OSError:
        if os.path.islink(path):
            return 0
        raise


def open_file(path: str) -> IO[bytes]:
    """Opens a local file for reading.

    Raises:
        NotAFileError: a pipe, a socket or a device.
        OSError: a folder, nothing, or not allowed.
    """
    # Not blocking until a process writes into a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or path == os.devnull:
        try:
            return open(descriptor, "rb")
        except IsADirectoryError as error:
            os.close(descriptor)
            error.filename = path
            raise
    os.close(descriptor)
    raise NotAFileError(f"{path} is a pipe or a device: give a file, whose content stays")
