# SPDX-License-Identifier: MIT
"""Finds the films that a command line names, and gives each a name of its own."""

import collections
import dataclasses
import fnmatch
import functools
import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from preprocessing.contract import cells, radiographs
from preprocessing.contract.archives import archive_formats, archives
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import given_paths, storage
from preprocessing.contract.pictures.image import ImageError
from trainer.inference import data_set
from trainer.inference.place import Place, named
from trainer.inference.scoring import Given

SUFFIXES = (*radiographs.PICTURES, *radiographs.DICOM)
_PATTERN = re.compile(r"[*?\[]")
_COLUMNS = ("path", "file")
# Not the end of an identifier in numbers and dots, as DICOM names its files.
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}\Z")


@dataclasses.dataclass(frozen=True)
class Found:
    """All films that a command line names.

    Attributes:
        places: id -> place, in the order in which films are read.
        twice: how many were named more than once, and count once.
        passed_over: how many files in folders and archives have the suffix of something else.
    """

    places: dict[str, Place]
    twice: int
    passed_over: int


def find(
    inputs: Sequence[str], written: Sequence[str] = (), splits: Sequence[str] = ("test",)
) -> Found:
    """Lists what is given, but for what an earlier start has written into the folders `written`.

    Archives are read through for their names, and the `splits` of preprocessed data sets.

    Raises:
        DataError: something that does not exist or cannot be listed.
    """
    kept: dict[tuple[str, str], Place] = {}
    counts: collections.Counter[str] = collections.Counter()
    for given in inputs:
        found = list(_found(given, counts, splits))
        apart = [folder for folder in written if folder and not given_paths.within(given, folder)]
        if not found:
            raise DataError(
                f"{given} holds no films ({', '.join(SUFFIXES)}, or DICOM files without a suffix) "
                "and no archives: check the path"
            )
        for place in found:
            if any(given_paths.within(place.path, folder) for folder in apart):
                counts["passed over"] += 1
                continue
            path = place.path
            key = (path if storage.scheme_of(path) else os.path.realpath(path), place.member)
            counts["twice"] += key in kept
            kept.setdefault(key, place)
    return Found(named(kept.values()), counts["twice"], counts["passed over"])


def films(places: Mapping[str, Place]) -> Iterator[Given]:
    """Yields films in their order; each archive is read once, as far as it is needed."""
    packed: dict[str, dict[str, str]] = {}
    for name, place in places.items():
        if place.member:
            packed.setdefault(place.path, {})[place.member] = name
        else:
            yield Given(name, place.path, functools.partial(_content, place.path))
    for path, names in packed.items():
        is_shard = any(places[name].name for name in names.values())
        members = data_set.members if is_shard else archives.members
        for member in members(path, names.__contains__):
            if name := names.pop(member.name, ""):
                yield Given(name, places[name].whole, functools.partial(_unpacked, member))
            if not names:
                break
        for name in names.values():
            yield Given(name, places[name].whole, functools.partial(_unpacked, None))


def _found(
    given: str, counts: "collections.Counter[str]", splits: Sequence[str]
) -> Iterator[Place]:
    if data_set.is_one(given):
        yield from data_set.places(given, splits)
        return
    paths = [given]
    if is_table := given.lower().endswith(".csv"):
        paths = _of_table(given)
    elif _PATTERN.search(given) and not _exists(given):
        paths = _matching(given)
    for path in paths:
        if is_table and path.lower().endswith(SUFFIXES):  # whether it is there, is seen later
            yield Place(path, "", storage.basename(path), _stamp(path))
        else:
            yield from _listed(path, counts)


def _listed(path: str, counts: "collections.Counter[str]") -> Iterator[Place]:
    """Yields the films of a file, an archive or a folder."""
    if not path.lower().endswith(SUFFIXES) and archive_formats.is_one(path):
        yield from _members(path, counts)
        return
    unreadable: dict[str, str] = {}
    sizes = storage.sizes(path, unreadable)
    if unreadable:
        folder, reason = next(iter(unreadable.items()))
        raise DataError(f"{folder} cannot be read ({reason}): check its permissions")
    if not sizes and not os.path.isdir(path):
        if not _exists(path):
            raise DataError(f"{path} does not exist: check the path")
        yield Place(path, "", storage.basename(path), _stamp(path))
    start = len(path.rstrip("/")) + 1
    for file, size in sizes.items():
        if storage.basename(file).startswith("."):
            continue
        if archive_formats.is_archive(file):
            yield from _members(file, counts)
        elif _may_be_film(file):
            yield Place(file, "", file[start:], _stamp(file, size))
        else:
            counts["passed over"] += 1


def _members(path: str, counts: "collections.Counter[str]") -> Iterator[Place]:
    stamp = _stamp(path)
    for member in archives.members(path, lambda name: False):
        if storage.basename(member.name).startswith("."):
            continue
        if _may_be_film(member.name):
            yield Place(path, member.name, member.name, stamp)
        else:
            counts["passed over"] += 1


def _may_be_film(path: str) -> bool:
    """Tells by its name whether a file may be a film: DICOM files often have no suffix."""
    return path.lower().endswith(SUFFIXES) or not _SUFFIX.search(storage.basename(path))


def _of_table(path: str) -> list[str]:
    """Returns the paths that a CSV file lists."""
    try:
        lines = list(cells.csv_lines(path, storage.read_text(path)))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a CSV file in UTF-8; write it again") from error
    header = [name.strip().lower() for name in lines[0][1]] if lines else []
    column = next((header.index(name) for name in _COLUMNS if name in header), None)
    if column is None:
        raise DataError(f"{path}: there is no column path or file, which would list the films")
    folder = path.rpartition("/")[0]
    found = []
    for number, line in lines[1:]:
        if len(line) <= column or not line[column].strip():
            raise DataError(
                f"{path}, line {number}: names no film; fill in column {header[column]}"
            )
        name = given_paths.checked(f"{path}, line {number}: {header[column]}", line[column].strip())
        is_whole = os.path.isabs(name) or storage.scheme_of(name) or not folder
        found.append(name if is_whole else storage.join(folder, name))
    return found


def _matching(pattern: str) -> list[str]:
    if not storage.scheme_of(pattern):
        return sorted(glob.glob(pattern, recursive=True))
    # As in a shell, * does not cross folders.
    matches = re.compile(fnmatch.translate(pattern).replace(".*", "[^/]*")).match
    fixed = _PATTERN.split(pattern)[0].rpartition("/")[0]
    return [path for path in storage.list_files(fixed) if matches(path)]


def _exists(path: str) -> bool:
    return storage.exists(path) if storage.scheme_of(path) else os.path.lexists(path)


def _stamp(path: str, size: int | None = None) -> str:
    """Returns size and time of a local file; of an object the size, as far as it is known."""
    if storage.scheme_of(path):
        return "" if size is None else str(size)
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _content(path: str) -> bytes:
    found = radiographs.read_file(path)
    if isinstance(found, ImageError):
        raise found
    return found


def _unpacked(member: archives.Member | None) -> bytes:
    if member is None:
        raise ImageError("vanished", "the archive no longer holds it")
    if member.problem:
        raise ImageError(*member.problem)
    return member.data or b""
