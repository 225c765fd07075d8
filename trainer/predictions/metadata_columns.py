# SPDX-License-Identifier: MIT
"""Turns the text columns of a metadata file into sexes, views, numbers and labels.

A value that cannot be, and a text that is not an age, is made unknown and counted; any other text
that is not a number is an error.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import cells, vocabulary
from preprocessing.contract.errors import DataError
from trainer.predictions import rules
from trainer.predictions.formats import at, first, numbers, texts

LABEL_PREFIX = "label:"
AGE_BOUNDS = "age_bounds"
# What means unknown in each column of numbers.
UNKNOWN = {"age": -1, "follow_up": -1, "width": 0, "height": 0}


def coded(name: str, frame: pd.DataFrame, refused: dict[str, int]) -> npt.NDArray[np.str_]:
    """Returns a column of codes, str [m], "" for unknown.

    Args:
        name: "sex" or "view".
        frame: the whole table; the column may be absent.
        refused: receives how many values are none of the codes.
    """
    given = _stripped(name, frame)
    codes = given.map({text: _code(name, text) for text in given.unique()})
    if lost := int(((codes == "") & (given != "")).sum()):
        refused[name] = lost
    return codes.to_numpy().astype("<U2")


def integers(
    path: str, name: str, frame: pd.DataFrame, refused: dict[str, int]
) -> npt.NDArray[np.int64]:
    """Returns a column of whole numbers, int64 [m], with the column's own mark for unknown.

    Args:
        path: the file that a message names.
        name: one of `UNKNOWN`.
        frame: the whole table; the column may be absent.
        refused: receives how many values cannot be: an age over 120 years, a negative size, a
            fraction; and as `AGE_BOUNDS` how many ages are bounds, such as 85 or more, which count
            as the least age.

    Raises:
        DataError: a text is not a number, other than an age.
    """
    given = _stripped(name, frame)
    read = {text: (cells.years if name == "age" else _whole)(text) for text in given.unique()}
    if (row := first(given.isin([text for text, found in read.items() if not found]))) is not None:
        raise DataError(
            f"{path}: column {name}: {given[row]!r} in {at(frame['id'], row)} is not a number; "
            "fix it or leave it empty"
        )
    found = np.array([read[text] for text in given], dtype=object).reshape(-1, 2)
    values, taken = found[:, 0].astype(np.int64), found[:, 1] != ""
    if lost := int((taken & (values < 0)).sum()):
        refused[name] = lost
    if bounds := int((taken & (values >= 0)).sum()):
        refused[AGE_BOUNDS] = bounds
    return np.where(values < 0, UNKNOWN[name], values)


def labels(
    path: str, frame: pd.DataFrame, findings: Sequence[str]
) -> npt.NDArray[np.float32] | None:
    """Returns the labels of the findings, float32 [m, L]; None where there is no finding.

    Raises:
        DataError: a label is not 0, 1 or empty.
    """
    if not findings:
        return None
    parts = [numbers(path, LABEL_PREFIX + name, frame, empty_is_nan=True) for name in findings]
    values = np.stack(parts, axis=1).astype(np.float32)
    for problem in rules.labels(values, findings, texts(frame, "id")):
        raise DataError(f"{path}: {problem}")
    return values


def _code(name: str, text: str) -> str:
    if name == "view":
        return vocabulary.of({}).read_view(text).view
    return cells.sex(text)


def _whole(text: str) -> tuple[int, str] | None:
    """A whole number as `cells.years` gives an age, or None; -1 is how some files write unknown."""
    try:
        given = -1 if cells.is_missing(text) else float(text)
        value = int(given)
    except (ValueError, OverflowError):
        return None
    if -1 <= value < 2**31 and value == given:
        return value, ""
    return -1, "taken as unknown"


def _stripped(name: str, frame: pd.DataFrame) -> pd.Series:
    if name not in frame:
        return pd.Series("", index=frame.index, dtype=object)
    return frame[name].astype(str).str.strip()
