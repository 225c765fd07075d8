# SPDX-License-Identifier: MIT
"""Reads the CSV files and lists that describe a data set, with one sentence for every mistake.

By `csv`, not pandas: pandas.read_csv does not say on which line of the file a row begins, where
fields in quotes hold line breaks; it fills a row that is too short with empty fields, which would
then be labels; and it refuses a row with one comma too many, which some published copies have. It
takes 1.6 times as long, too (112,120 rows).
"""

import contextlib
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, cast

from preprocessing.contract import cells, patients
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage


def csv_lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the lines of a CSV file that are not empty, each with its number from 1.

    The file may be compressed by gzip. One whose name ends in .json or .jsonl holds a JSON object
    in each line, whose names are the header. Local files need little memory, however long they are.

    Raises:
        DataError: a missing or empty file, or one that is not CSV in UTF-8, nor JSON lines.
    """
    empty = True
    is_json = path.lower().removesuffix(".gz").endswith((".json", ".jsonl"))
    with _opened(path, "label file") as file:
        for numbered in (_json_lines if is_json else cells.csv_lines)(path, file):
            empty = False
            yield numbered
    if empty:
        raise DataError(f"{path} is empty: use the complete label file")


def column(path: str, header: Sequence[str], *names: str, advice: str = "") -> int:
    """Returns the place of the first of several names of a column.

    Args:
        path: the file that a message names.
        header: names of all columns.
        names: of the wanted one, the best first.
        advice: for a file that has none of them.

    Raises:
        DataError: none of them is there, or one is there twice.
    """
    plain = [name.strip() for name in header]
    for name in names:
        if plain.count(name) > 1:
            places = " and ".join(str(at + 1) for at, one in enumerate(plain) if one == name)
            raise DataError(
                f"{path} has column {name!r} {plain.count(name)} times, as fields {places}: keep "
                "the one that is meant, or rename the others"
            )
        if name in plain:
            return plain.index(name)
    advice = advice or "use ChestX-ray14's Data_Entry_2017_v2020.csv"
    if len(plain) == 1 and (found := [mark for mark in ";\t|" if mark in plain[0]]):
        advice = f"its fields seem to be separated by {found[0]!r}, save it with commas instead"
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


def whole(text: str, name: str, *, unknown: int) -> int:
    """Reads a whole number, also as pandas writes it: 3.0.

    Args:
        text: the field.
        name: of its column.
        unknown: what a field without a value means.

    Raises:
        DataError: the field is not a whole number.
    """
    if cells.is_missing(text):
        return unknown
    number = cells.whole(text)
    if number is None or number < 0:
        raise DataError(f"column {name!r} is {text!r}, not a whole number from 0 on")
    return number


def age_warning(text: str, name: str) -> str:
    """Says what an age that is not a plain number was taken as; else empty.

    >>> age_warning("85 or more", "age"), age_warning("41", "age")
    ("column 'age' is '85 or more': taken as 85", '')
    """
    taken = cells.years(text)[1]
    return f"column {name!r} is {text!r}: {taken}" if taken else ""


def read_names(path: str) -> list[str]:
    """Reads a list of image names, one on each line.

    Raises:
        DataError: a missing or empty list, or a name given twice.
    """
    lines = io.StringIO(_text(path, "list"), newline=None)
    names = [line.strip() for line in lines if line.strip()]
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


def _json_lines(path: str, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the names of the first object, then the values of each; null and NaN are empty."""
    header: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            if not header:
                header = list(values.keys())
                yield number, header
            found = [values[name] for name in header]
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number}: not a JSON object with the names of the first: give a "
                "file with one such object in each line, or a CSV file"
            ) from error
        yield number, ["" if one is None or one != one else str(one) for one in found]


def _text(path: str, what: str) -> str:
    with _opened(path, what) as file:
        return file.read()


@contextlib.contextmanager
def _opened(path: str, what: str) -> Iterator[io.TextIOWrapper]:
    """Opens a file as text, unpacking it if it begins as gzip does."""
    try:
        # An object is read whole, which its checksum is of: parts that are damaged on the way pass.
        is_object = bool(storage.scheme_of(path))
        with (
            io.BytesIO(storage.read_bytes(path)) if is_object else storage.open_read(path) as stored
        ):
            packed = stored.read(2) == b"\x1f\x8b"
            stored.seek(0)
            data = gzip.GzipFile(fileobj=stored) if packed else stored
            yield io.TextIOWrapper(cast("IO[bytes]", data), "utf-8-sig", newline="")
    except FileNotFoundError as error:
        raise DataError(f"{what} {path} does not exist") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{what} {path} is not UTF-8 text ({error}): save it in UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{what} {path} cannot be read: {reason}") from error
