# SPDX-License-Identifier: MIT
"""Reads ChestX-ray14's Data_Entry file, in any of its variants, as named columns of text.

The bracketed column names hold commas, so that a CSV reader sees 11 columns, or 12 with the
trailing comma of some copies; the sex column is "Patient Gender" or "Patient Sex"; the sample of
5% names its sizes otherwise and writes ages such as 060Y. The radiologists' labels of
Majkowska et al. come as the same columns with further ones behind them.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from preprocessing.contract.labels import NO_FINDING

_MARK = "Image Index"
# Our name -> the names in the files, and whether the file cannot be used without.
_COLUMNS: dict[str, tuple[tuple[str, ...], bool]] = {
    "id": ((_MARK,), True),
    "patient": (("Patient ID",), True),
    "labels": (("Finding Labels",), True),
    "sex": (("Patient Sex", "Patient Gender"), False),
    "view": (("View Position",), False),
    "age": (("Patient Age",), False),
    "follow_up": (("Follow-up #",), False),
    "width": (("OriginalImage[Width", "OriginalImageWidth"), False),
    "height": (("Height]", "OriginalImageHeight"), False),
}

Columns = dict[str, npt.NDArray[Any]]


def is_one(data: bytes) -> bool:
    """Tells whether a file begins with the header of a Data_Entry file."""
    return _MARK.encode() in data.partition(b"\n")[0]


def columns_of(path: str, data: bytes, further: Sequence[str] = ()) -> Columns:
    """Splits the file into columns under the names of metadata.csv.

    Args:
        path: the file that a message names.
        data: its content.
        further: columns of the file to return too, under their own names.

    Returns:
        Text columns, str [m], but `label:NAME`, float32 [m], one for each finding that the file
        names, in alphabetical order. `Finding Labels` is complete: what it does not name is 0.

    Raises:
        DataError: not CSV in UTF-8, a missing column, or a line that is too short.
    """
    lines = _lines(path, data)
    places = _places(path, [name.strip() for name in lines[0][1]], further)
    last = max(places.values())
    for number, line in lines[1:]:
        if len(line) <= last:
            raise DataError(
                f"{path}, line {number}: {len(line)} fields where the header has more; the file "
                "may be cut off, fetch it again"
            )
    columns: Columns = {
        name: np.array([line[at].strip() for _, line in lines[1:]], dtype=np.str_)
        for name, at in places.items()
    }
    texts = columns.pop("labels")
    if len(blank := np.flatnonzero(texts == "")):
        number = lines[1 + int(blank[0])][0]
        raise DataError(f"{path}, line {number}: Finding Labels is empty; write {NO_FINDING}")
    return columns | _labels(texts)


def _lines(path: str, data: bytes) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, the header first, each with its number."""
    try:
        # Lines end at CR or LF alone: U+2028 and the like may stand in a field.
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        lines = [(reader.line_num, line) for line in reader if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error}); fetch it again") from error
    if len(lines) < 2:
        raise DataError(f"{path}: there is no row below the header; give the complete file")
    return lines


def _places(path: str, header: list[str], further: Sequence[str]) -> dict[str, int]:
    places = {}
    wanted = _COLUMNS | {name: ((name,), True) for name in further}
    for ours, (names, needed) in wanted.items():
        found = [name for name in names if name in header]
        if found and header.count(found[0]) > 1:
            raise DataError(f"{path}: column {found[0]!r} is in the header twice; keep one")
        if found:
            places[ours] = header.index(found[0])
        elif needed:
            raise DataError(
                f"{path}: there is no column {' or '.join(map(repr, names))}; give "
                "the complete file as it was published"
            )
    return places


def _labels(texts: npt.NDArray[np.str_]) -> Columns:
    unique, inverse = np.unique(texts, return_inverse=True)
    named = [{name.strip() for name in text.split("|")} - {NO_FINDING} for text in unique.tolist()]
    return {
        f"label:{finding}": np.array([finding in names for names in named], np.float32)[inverse]
        for finding in sorted(set().union(*named))
    }
