# SPDX-License-Identifier: MIT
"""Turns the text columns of a metadata file into sexes, views, numbers and labels.

A value that cannot be is made unknown and counted; a text that is no value at all is an error.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from trainer import data_entry
from trainer.predictions_formats import at, numbers

OLDEST_YEARS = 120
LABEL_PREFIX = "label:"
# What stands for unknown in each column of numbers.
UNKNOWN = {"age": -1, "follow_up": -1, "width": 0, "height": 0}
_CODES = {
    "sex": {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F"},
    "view": {"AP": "AP", "PA": "PA"},
}

Columns = Mapping[str, npt.NDArray[Any]]


def coded(name: str, columns: Columns, refused: dict[str, int]) -> npt.NDArray[np.str_]:
    """Returns a column of codes, str [m], "" for unknown.

    Args:
        name: "sex" or "view".
        columns: texts by column; the column may be absent.
        refused: receives how many values are none of the codes.
    """
    unique, inverse = np.unique(_texts(name, columns), return_inverse=True)
    codes = [_CODES[name].get(text.upper(), "") for text in unique.tolist()]
    strange = [not code and bool(text) for code, text in zip(codes, unique.tolist(), strict=True)]
    if lost := int(np.array(strange)[inverse].sum()):
        refused[name] = lost
    return np.array(codes, dtype="<U2")[inverse]


def integers(
    path: str, name: str, columns: Columns, refused: dict[str, int]
) -> npt.NDArray[np.int64]:
    """Returns a column of whole numbers, int64 [m], with the column's own mark for unknown.

    Args:
        path: the file that a message names.
        name: one of `UNKNOWN`.
        columns: texts by column; the column may be absent.
        refused: receives how many values cannot be: an age over 120 years, a negative size.

    Raises:
        DataError: a text is not a number.
    """
    unique, inverse = np.unique(_texts(name, columns), return_inverse=True)
    values = np.full(len(unique), UNKNOWN[name], dtype=np.int64)
    impossible = np.zeros(len(unique), dtype=bool)
    for position, text in enumerate(unique.tolist()):
        try:
            value = data_entry.years(text) if name == "age" else int(float(text or -1))
        except (ValueError, OverflowError) as error:
            row = int(np.flatnonzero(inverse == position)[0])
            place = at(columns["id"], row)
            raise DataError(
                f"{path}: column {name}: {text!r} in {place} is not a number; mend it or leave it "
                "empty"
            ) from error
        if name == "age" and value > OLDEST_YEARS or value < -1 or value >= 2**31:
            impossible[position] = True
        # -1 is how some files write unknown.
        elif value >= 0:
            values[position] = value
    if lost := int(impossible[inverse].sum()):
        refused[name] = lost
    return np.asarray(values[inverse])


def labels(
    path: str, columns: dict[str, npt.NDArray[Any]], findings: tuple[str, ...]
) -> npt.NDArray[np.float32] | None:
    """Returns the labels of the findings, float32 [m, L]; None where there is no finding.

    Raises:
        DataError: a label is not 0, 1 or empty.
    """
    if not findings:
        return None
    parts = [numbers(path, LABEL_PREFIX + name, columns, empty_is_nan=True) for name in findings]
    values = np.stack(parts, axis=1).astype(np.float32)
    bad = ~(np.isin(values, (0.0, 1.0)) | np.isnan(values))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{path}: column {LABEL_PREFIX}{findings[column]}: {values[row, column]:g} in "
            f"{at(columns['id'], row)} is not a label; use 0, 1 or leave it empty for unknown"
        )
    return values


def _texts(name: str, columns: Columns) -> npt.NDArray[np.str_]:
    if name not in columns:
        return np.full(len(columns["id"]), "", dtype="<U1")
    return np.char.strip(columns[name].astype(np.str_))
