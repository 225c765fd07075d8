# SPDX-License-Identifier: MIT
"""The three file formats of predictions, CSV, npz and Parquet, as tables and back.

Here a file is bytes and a table, a pandas.DataFrame whose columns are numbers or `str` objects;
what the columns must hold is the business of `trainer.predictions.table`.

The lines of a CSV file are read by `csv` and not by `pandas.read_csv`, which fills short rows up
with empty cells, renames a column that is there twice and does not say in which line a cell is.
Numbers are read by `float`, which gives back the number that was written, to the last bit.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import cells
from preprocessing.contract.errors import DataError
from trainer.predictions import array_file, given_file

Columns = Mapping[str, npt.NDArray[Any]]


def frame_of(path: str, data: bytes, *, kind: str = "") -> pd.DataFrame:
    """Reads a file as a table: one row an image, the columns in the order of the file.

    Args:
        path: the name of the file; its suffix says the format.
        data: the content of the file.
        kind: csv, npz or parquet, whatever the suffix says.

    Raises:
        DataError: the format is unknown or the content is not of that format.
    """
    kind = kind or _format(path)
    if kind == "csv":
        return _from_csv(path, data)
    columns = (_from_npz if kind == "npz" else _from_parquet)(path, data)
    expected = next(iter(columns.values())).shape if columns else (0,)
    for name, column in columns.items():
        if column.shape != expected or len(expected) != 1:
            raise DataError(
                f"{path}: column {name} has the shape {column.shape}; every column must be a list "
                "of the same length, one value an image"
            )
    return _frame(columns)


def encode(path: str, columns: Columns) -> bytes:
    """Returns the bytes of a file in the format that the suffix of `path` names.

    Args:
        path: the name of the file to be.
        columns: arrays [n], text or floating point; NaN is written as an empty cell.

    Raises:
        DataError: the format is unknown.
    """
    kind = _format(path)
    if kind == "npz":
        return array_file.encode(columns)
    if kind == "csv":
        frame = pd.DataFrame({name: _cells(column) for name, column in columns.items()})
        return frame.to_csv(index=False, lineterminator="\n").encode()
    buffer = io.BytesIO()
    _frame(columns).to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def csv_lines(path: str, data: bytes) -> list[tuple[int, list[str]]]:
    """Returns the lines of a CSV file that are not empty, the header first, each with its number.

    Raises:
        DataError: the file is not CSV in UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a CSV file in UTF-8 ({error}); write or fetch it again"
        ) from error
    return list(cells.csv_lines(path, text))


def refuse_twice(path: str, header: Sequence[str], wanted: Sequence[str] | None = None) -> None:
    """Raises DataError for a column that is in the header twice, of all or of the wanted ones."""
    for name in header if wanted is None else wanted:
        if header.count(name) > 1:
            raise DataError(f"{path}: column {name!r} is in the header twice; keep one")


def first(bad: npt.ArrayLike) -> int | None:
    """The first row that is marked, counted from 0, or None."""
    rows = np.flatnonzero(bad)
    return int(rows[0]) if len(rows) else None


def at(ids: npt.NDArray[Any] | pd.Series, row: int) -> str:
    """Names a row for a message: rows of data are counted from 1."""
    return f"row {row + 1} (id {str(ids[row])!r})"


def names(frame: pd.DataFrame, prefix: str = "") -> tuple[str, ...]:
    """Returns the columns whose names begin so, without the prefix, in the order of the file."""
    found = (str(name) for name in frame.columns)
    return tuple(name.removeprefix(prefix) for name in found if name.startswith(prefix))


def texts(frame: pd.DataFrame, name: str) -> npt.NDArray[np.str_]:
    """Returns a column as text, str [n]."""
    return frame[name].to_numpy().astype(np.str_)


def numbers(
    path: str, column: str, frame: pd.DataFrame, *, empty_is_nan: bool
) -> npt.NDArray[np.floating[Any]]:
    """A column as floating-point numbers [n].

    Args:
        path: the file that a message names.
        column: the name of the column.
        frame: the whole table; `id` is used to name the row in a message.
        empty_is_nan: whether an empty cell means unknown; otherwise it is an error.

    Raises:
        DataError: a cell holds text that is not a finite number; the message shows it.
    """
    values = frame[column].to_numpy()
    if values.dtype.kind in "fiub":
        return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    text = [cell.strip() for cell in values.tolist()]
    result = np.array([_number(cell, empty_is_nan=empty_is_nan) for cell in text])
    if (row := first(np.isinf(result))) is not None:
        wanted = (
            "a label; use 0, 1 or leave it empty for unknown"
            if empty_is_nan
            else "a probability from 0 to 1; every image needs a score of every finding"
        )
        found = repr(text[row]) if text[row] else "an empty cell"
        raise DataError(
            f"{path}: column {column}: {found} in {at(frame['id'], row)} is not {wanted}"
        )
    return result


def _number(cell: str, *, empty_is_nan: bool) -> float:
    """The number in a cell; infinity, which no column may hold, marks a cell without one."""
    if not cell:
        return np.nan if empty_is_nan else np.inf
    if empty_is_nan and (truth := cells.truth(cell)) is not None:
        return float(truth)
    try:
        number = float(cell)
    except ValueError:
        return np.inf
    return number if np.isfinite(number) else np.inf


def _format(path: str) -> str:
    for suffix in ("csv", "npz", "parquet"):
        if path.lower().endswith(f".{suffix}"):
            return suffix
    raise DataError(f"{path}: the name must end in .csv, .npz or .parquet, which says the format")


def _frame(columns: Columns) -> pd.DataFrame:
    """Numbers as they are, everything else as text: no name becomes a number or is missing."""
    return pd.DataFrame(
        {
            name: column if column.dtype.kind in "fiub" else column.astype(np.str_).astype(object)
            for name, column in columns.items()
        }
    )


def _from_csv(path: str, data: bytes) -> pd.DataFrame:
    rows = [line for _, line in csv_lines(path, data)]
    if not rows:
        raise DataError(f"{path}: the file is empty; it must start with a line of column names")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    refuse_twice(path, header)
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise DataError(
                f"{path}: row {number} (id {row[0]!r}) has {len(row)} cells where the header has "
                f"{len(header)}; the file may be cut off, write it again"
            )
    return pd.DataFrame(body, columns=header, dtype=object)


def _cells(column: npt.NDArray[Any]) -> list[str]:
    """The column as text: 9 digits bring binary32 back exactly, 17 are enough for binary64."""
    if column.dtype.kind != "f":
        return [str(cell) for cell in column.tolist()]
    if column.dtype == np.float32:
        return ["" if cell != cell else f"{cell:.9g}" for cell in column.tolist()]
    return ["" if cell != cell else repr(cell).removesuffix(".0") for cell in column.tolist()]


def _from_npz(path: str, data: bytes) -> dict[str, npt.NDArray[Any]]:
    advice = "copy it again, or save the columns with numpy.savez, text as str and not as objects"
    with given_file.parsing(f"{path}: not an npz file of plain arrays", advice):
        columns = array_file.decode(data)
    for name, column in columns.items():
        # Text of bytes, as h5py and Python 2 give it.
        if column.dtype.kind == "S":
            with given_file.parsing(f"{path}: column {name} is not UTF-8", "save its text as str"):
                columns[name] = np.char.decode(column, "utf-8")
    return columns


def _from_parquet(path: str, data: bytes) -> dict[str, npt.NDArray[Any]]:
    """By pyarrow: pandas would turn whole numbers beside a missing one into rounded floats."""
    from pyarrow import parquet, types  # type: ignore[import-untyped, unused-ignore]

    columns: dict[str, npt.NDArray[Any]] = {}
    with given_file.parsing(f"{path}: not a Parquet file of plain columns", "write it again"):
        table = parquet.read_table(io.BytesIO(data))
        table.validate(full=True)
        refuse_twice(path, table.column_names)
        for name, column in zip(table.column_names, table.columns, strict=True):
            is_number = types.is_floating(column.type) or types.is_integer(column.type)
            if is_number and (not column.null_count or name.startswith("label:")):
                columns[name] = column.to_numpy()
            else:
                found = ["" if cell is None else str(cell) for cell in column.to_pylist()]
                columns[name] = np.array(found, dtype=np.str_)
    return columns
