# SPDX-License-Identifier: MIT
"""Turns the text columns of a metadata file into sexes, views, numbers and labels.

A value that cannot be, and an age that is none, is made unknown and counted; another text that is
no number is an error.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import cells, vocabulary
from preprocessing.contract.errors import DataError
from trainer.predictions.formats import at, numbers

LABEL_PREFIX = "label:"
AGE_BOUNDS = "age_bounds"
# What stands for unknown in each column of numbers.
UNKNOWN = {"age": -1, "follow_up": -1, "width": 0, "height": 0}

Columns = Mapping[str, npt.NDArray[Any]]


def coded(name: str, columns: Columns, refused: dict[str, int]) -> npt.NDArray[np.str_]:
    """Returns a column of codes, str [m], "" for unknown.

    Args:
        name: "sex" or "view".
        columns: texts by column; the column may be absent.
        refused: receives how many values are none of the codes.
    """
    unique, inverse = np.unique(_texts(name, columns), return_inverse=True)
    codes = [_code(name, text) for text in unique.tolist()]
    strange = [not code and bool(text) for code, text in zip(codes, unique.tolist(), strict=True)]
    if lost := int(np.array(strange)[inverse].sum()):
        refused[name] = lost
    return np.array(codes, dtype="<U2")[inverse]


def _code(name: str, text: str) -> str:
    if name == "view":
        return vocabulary.of({}).read_view(text).view
    return cells.sex(text)


def integers(
    path: str, name: str, columns: Columns, refused: dict[str, int]
) -> npt.NDArray[np.int64]:
    """Returns a column of whole numbers, int64 [m], with the column's own mark for unknown.

    Args:
        path: the file that a message names.
        name: one of `UNKNOWN`.
        columns: texts by column; the column may be absent.
        refused: receives how many values cannot be: an age over 120 years, a negative size; and as
            `AGE_BOUNDS` how many ages are bounds, such as 85 or more, which count as the least age.

    Raises:
        DataError: a text is not a number, other than an age.
    """
    unique, inverse = np.unique(_texts(name, columns), return_inverse=True)
    values = np.full(len(unique), UNKNOWN[name], dtype=np.int64)
    impossible, bounds = np.zeros((2, len(unique)), dtype=bool)
    for position, text in enumerate(unique.tolist()):
        if name == "age":
            values[position], taken = cells.years(text)
            impossible[position] = bool(taken) and values[position] < 0
            bounds[position] = bool(taken) and values[position] >= 0
            continue
        try:
            value = -1 if cells.is_missing(text) else int(float(text))
        except (ValueError, OverflowError) as error:
            row = int(np.flatnonzero(inverse == position)[0])
            place = at(columns["id"], row)
            raise DataError(
                f"{path}: column {name}: {text!r} in {place} is not a number; fix it or leave it "
                "empty"
            ) from error
        if value < -1 or value >= 2**31:
            impossible[position] = True
        # -1 is how some files write unknown.
        elif value >= 0:
            values[position] = value
    if lost := int(impossible[inverse].sum()):
        refused[name] = lost
    if bound := int(bounds[inverse].sum()):
        refused[AGE_BOUNDS] = bound
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
