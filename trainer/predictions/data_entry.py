# SPDX-License-Identifier: MIT
"""Reads ChestX-ray14's Data_Entry file, in any of its variants, as named columns of text.

The bracketed column names hold commas, so that a CSV reader sees 11 columns, or 12 with the
trailing comma of some copies; the sex column is "Patient Gender" or "Patient Sex"; the sample of
5% names its sizes otherwise and writes ages such as 060Y. The radiologists' labels of
Majkowska et al. come as the same columns with further ones behind them.
"""

from collections.abc import Sequence

import pandas as pd

from preprocessing.contract.errors import DataError
from preprocessing.contract.labels import NO_FINDING
from trainer.predictions.formats import csv_lines, first, refuse_twice

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


def is_one(data: bytes) -> bool:
    """Tells whether a file begins with the header of a Data_Entry file."""
    return _MARK.encode() in data.partition(b"\n")[0]


def frame_of(path: str, data: bytes, further: Sequence[str] = ()) -> pd.DataFrame:
    """Reads the file as a table under the names of metadata.csv.

    Args:
        path: the file that a message names.
        data: its content.
        further: columns of the file to return too, under their own names.

    Returns:
        Columns of `str` objects but `label:NAME`, numbers, one for each finding that the file
        names, in alphabetical order. `Finding Labels` is complete: what it does not name is 0.

    Raises:
        DataError: not CSV in UTF-8, a missing column, or a line that is too short.
    """
    lines = csv_lines(path, data)
    if len(lines) < 2:
        raise DataError(f"{path}: there is no row below the header; give the complete file")
    places = _places(path, [name.strip() for name in lines[0][1]], further)
    last = max(places.values())
    for number, line in lines[1:]:
        if len(line) <= last:
            raise DataError(
                f"{path}, line {number}: {len(line)} fields where the header has more; the file "
                "may be cut off, fetch it again"
            )
    frame = pd.DataFrame(
        {name: [line[at].strip() for _, line in lines[1:]] for name, at in places.items()},
        dtype=object,
    )
    found = frame.pop("labels")
    if (row := first(found == "")) is not None:
        number = lines[1 + row][0]
        raise DataError(f"{path}, line {number}: Finding Labels is empty; write {NO_FINDING}")
    return frame.join(_labels(found))


def _places(path: str, header: list[str], further: Sequence[str]) -> dict[str, int]:
    places = {}
    wanted = _COLUMNS | {name: ((name,), True) for name in further}
    for ours, (names, needed) in wanted.items():
        found = [name for name in names if name in header]
        refuse_twice(path, header, found[:1])
        if found:
            places[ours] = header.index(found[0])
        elif needed:
            raise DataError(
                f"{path}: there is no column {' or '.join(map(repr, names))}; give "
                "the complete file as it was published"
            )
    return places


def _labels(texts: pd.Series) -> pd.DataFrame:
    # Each of the few combinations that occur is split once.
    codes, combinations = pd.factorize(texts)
    named = pd.Series(combinations).str.replace(r"\s*\|\s*", "|", regex=True).str.get_dummies("|")
    return (
        named.drop(columns=NO_FINDING, errors="ignore")
        .add_prefix("label:")
        .iloc[codes]
        .reset_index(drop=True)
    )
