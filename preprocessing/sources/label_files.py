# SPDX-License-Identifier: MIT
"""Reads several label files as one table: one after the other, or side by side by key columns."""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from preprocessing.contract import patients
from preprocessing.contract.errors import DataError
from preprocessing.sources import text_files

_Key = tuple[str, ...]


class Line(NamedTuple):
    """A line of the table, and (path, places) of the columns of files that have no line for it."""

    path: str
    number: int
    fields: list[str]
    unsaid: list[tuple[str, range]]


class LabelFiles:
    """Label files as one table; all but the first and those like it are held in memory.

    Args:
        paths: the first names the images; those with its header follow it, others are looked up.
        keys: columns by which lines are looked up, of which those count that both files have.

    Attributes:
        name: of the files, for messages.
        header: names of all columns.

    Raises:
        DataError: a file that cannot be read, shares no key, or has two lines for one key.
    """

    def __init__(self, paths: Sequence[str], keys: Sequence[str]) -> None:
        self.name = " with ".join(paths)
        headers = {path: [name.strip() for name in _first(path)] for path in paths}
        self.header = first = headers[paths[0]]
        self._first = [path for path in paths if headers[path] == first]
        self._others: list[_Other] = []
        for path in paths:
            if headers[path] != first:
                shared = [key for key in keys if key in self.header and key in headers[path]]
                self._others.append(_Other(path, headers[path], shared))
                self.header = self.header + self._others[-1].columns

    def lines(self) -> Iterator[Line]:
        """Yields the lines of the first file and those like it, each with its partners.

        Raises:
            DataError: a line that is too short, or a file none of whose lines is a partner.
        """
        for path in self._first:
            for number, fields in _below_header(path, bool(self._others)):
                unsaid = []
                for other in self._others:
                    found = other.find(_key_of(self.header, fields, other.keys))
                    if found is None:
                        found = [""] * len(other.columns)
                        unsaid.append((other.path, range(len(fields), len(fields) + len(found))))
                    fields = [*fields, *found]
                yield Line(path, number, fields, unsaid)
        for other in self._others:
            if not other.found:
                raise DataError(
                    f"no line of {other.path} belongs to one of {self._first[0]} by "
                    f"{', '.join(other.keys)}: check table.keys, and that the files go together"
                )

    @property
    def left_over(self) -> int:
        """How many lines of the files that are looked up were not, once all lines are read."""
        return sum(len(other.lines) - len(other.found) for other in self._others)


class _Other:
    def __init__(self, path: str, header: list[str], keys: list[str]) -> None:
        if not keys:
            raise DataError(
                f"{path} has other columns than the files before it and shares none that "
                "table.keys names: name there the columns by which their lines belong together"
            )
        self.path, self.keys, self.found = path, keys, set[_Key]()
        self.columns = [name for name in header if name not in keys]
        self.lines: dict[_Key, list[str]] = {}
        for number, fields in _below_header(path, whole=True):
            key = _key_of(header, fields, keys)
            if key in self.lines:
                raise DataError(
                    f"{path}, line {number}: a line before it has the same {', '.join(keys)} "
                    f"({', '.join(key)}): keep one, or name more columns in table.keys"
                )
            rest = (text for name, text in zip(header, fields, strict=True) if name not in keys)
            self.lines[key] = [sys.intern(text) for text in rest]

    def find(self, key: _Key) -> list[str] | None:
        found = self.lines.get(key) if all(key) else None
        if found is not None:
            self.found.add(key)
        return found


def _first(path: str) -> list[str]:
    return next(text_files.csv_lines(path))[1]


def _below_header(path: str, whole: bool) -> Iterator[tuple[int, list[str]]]:
    """Yields the lines below the header, as long as that if they must be whole."""
    lines = text_files.csv_lines(path)
    width = len(next(lines)[1])
    for number, fields in lines:
        if whole and len(fields) < width:
            raise DataError(f"{path}, line {number}: {text_files.short(fields)}")
        yield number, fields[:width] if whole else fields


def _key_of(header: Sequence[str], fields: Sequence[str], keys: Sequence[str]) -> _Key:
    """Returns what identifies a line, in which 7.0, as pandas writes it, is 7."""
    return tuple(patients.value(fields[header.index(key)]) for key in keys)
