# SPDX-License-Identifier: MIT
"""Reads the CSV files and lists that describe a data set, with one sentence for every mistake."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence

from preprocessing.contract import patients, storage
from preprocessing.contract.errors import DataError

OLDEST_YEARS = 120


def csv_lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the lines of a CSV file that are not empty, each with its number from 1.

    Raises:
        DataError: a missing or empty file, or one that is no CSV in UTF-8.
    """
    reader = csv.reader(_text(path, "label file").splitlines())
    empty = True
    try:
        for line in reader:
            if line:
                empty = False
                yield reader.line_num, line
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    if empty:
        raise DataError(f"{path} is empty: use the complete label file")


def column(path: str, columns: Mapping[str, int], *names: str, advice: str = "") -> int:
    """Returns the place of the first of several names of a column.

    Raises:
        DataError: there is none of them.
    """
    for name in names:
        if name in columns:
            return columns[name]
    advice = advice or "use ChestX-ray14's Data_Entry_2017_v2020.csv"
    raise DataError(f"{path} has no column {' or '.join(map(repr, names))}: {advice}")


def fields(line: Sequence[str], place: Mapping[str, int]) -> dict[str, str]:
    """Picks the named fields out of a line.

    Raises:
        DataError: the line is too short.
    """
    if place and len(line) <= max(place.values()):
        raise DataError(f"the line has {len(line)} fields, the header more")
    return {name: line[at].strip() for name, at in place.items()}


def refuse_nobody(patient: str, name: str) -> None:
    """Raises DataError if a field that should name a patient names nobody.

    Args:
        patient: the field.
        name: of its column.
    """
    if patients.is_missing(patient):
        found = repr(patient) if patient else "empty"
        raise DataError(f"column {name!r} is {found}, which names no patient to divide images by")


def years(text: str) -> int:
    """Reads an age in years, or as some copies and DICOM (PS3.5, AS) write it: 060Y, 018M, 014D.

    An age that nobody reaches is unknown: ChestX-ray14's release of 2017 holds some, up to 411.

    >>> years("060Y"), years("018M"), years("41"), years(""), years("411")
    (60, 1, 41, -1, -1)
    """
    units = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
    unit = units.get(text[-1:])
    age = int(int(text[:-1]) / unit) if unit else int(float(text or -1))
    return age if 0 <= age <= OLDEST_YEARS else -1


def read_names(path: str) -> list[str]:
    """Reads a list of image names, one on each line.

    Raises:
        DataError: a missing or empty list, or a name given twice.
    """
    names = [line.strip() for line in _text(path, "list").splitlines() if line.strip()]
    if not names:
        raise DataError(f"list {path} names no image: use the complete list")
    refuse_duplicates(path, names)
    return names


def refuse_duplicates(path: str, names: Iterable[str]) -> None:
    """Raises DataError if a file gives a name twice."""
    seen: set[str] = set()
    twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twice:
        raise DataError(
            f"{path} gives {len(twice)} names more than once, first "
            f"{', '.join(twice[:3])}: keep one line of each"
        )


def _text(path: str, what: str) -> str:
    try:
        return storage.read_text(path)
    except FileNotFoundError as error:
        raise DataError(f"{what} {path} does not exist") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {path} is no text in UTF-8: {error}") from error
    except OSError as error:
        raise DataError(f"{what} {path} cannot be read: {error.strerror}") from error
