# SPDX-License-Identifier: MIT
"""Reads several label files as one table: one after the other, or side by side by key columns."""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from preprocessing.contract import patients
from preprocessing.contract.errors import DataError
from preprocessing.sources import text_files

# In a column of a file that has no line for an image, where an empty field would say something.
UNSAID = "\0"
_Key = tuple[str, ...]


class Line(NamedTuple):
    """A line of the table, and the paths of the files that have no line for it."""

    path: str
    number: int
    fields: list[str]
    alone: list[str]


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
        headers = {path: next(_lines(path))[1] for path in paths}
        self.header = first = headers[paths[0]]
        self._first = [path for path in paths if headers[path] == first]
        self._others: list[_Other] = []
        for path in paths:
            if headers[path] != first:
                shared = [key for key in keys if key in self.header and key in headers[path]]
                self._others.append(_Other(path, shared))
                self.header = self.header + self._others[-1].columns

    def lines(self) -> Iterator[Line]:
        """Yields the lines of the first file and those like it, each with its partners.

        Raises:
            DataError: a line that is too short, or a file none of whose lines is a partner.
        """
        for path in self._first:
            lines = _lines(path, whole=bool(self._others))
            next(lines)
            for number, fields in lines:
                alone = []
                for other in self._others:
                    found = other.find(_key(self.header, fields, other.keys))
                    if found is None:
                        alone.append(other.path)
                    fields = [*fields, *(found or [UNSAID] * len(other.columns))]
                yield Line(path, number, fields, alone)
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
    def __init__(self, path: str, keys: list[str]) -> None:
        if not keys:
            raise DataError(
                f"{path} has other columns than the files before it and shares none that "
                "table.keys names: name there the columns by which their lines belong together"
            )
        self.path, self.keys, self.found = path, keys, set[_Key]()
        self.lines: dict[_Key, list[str]] = {}
        lines = _lines(path, whole=True)
        _, header = next(lines)
        rest = [at for at, name in enumerate(header) if name not in keys]
        self.columns = [header[at] for at in rest]
        for number, fields in lines:
            key = _key(header, fields, keys)
            if key in self.lines:
                raise DataError(
                    f"{path}, line {number}: a line before it has the same {', '.join(keys)} "
                    f"({', '.join(key)}): keep one, name more columns in table.keys, or give first "
                    "the file that has a line for each image"
                )
            self.lines[key] = [sys.intern(fields[at]) for at in rest]

    def find(self, key: _Key) -> list[str] | None:
        if key in self.lines and all(key):
            self.found.add(key)
            return self.lines[key]
        return None


def _lines(path: str, whole: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yields the header and the lines, as long as the header if they must be whole."""
    lines = text_files.csv_lines(path)
    number, header = next(lines)
    yield number, [name.strip() for name in header]
    for number, fields in lines:
        if whole and len(fields) < len(header):
            raise DataError(
                f"{path}, line {number}: the line has {len(fields)} fields, the header more; fix "
                "or remove the line"
            )
        yield number, fields[: len(header)] if whole else fields


def _key(header: Sequence[str], fields: Sequence[str], keys: Sequence[str]) -> _Key:
    """Returns what identifies a line, in which 7.0, as pandas writes it, is 7."""
    return tuple(patients.value(fields[header.index(key)]) for key in keys)
