# SPDX-License-Identifier: MIT
"""The three file formats of predictions, CSV, npz and Parquet, as named columns and back.

Here a file is bytes and columns; what the columns must hold is the business of
`trainer.predictions.table`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import cells
from preprocessing.contract.errors import DataError, UsageError
from trainer.predictions import array_file, given_file

Columns = dict[str, npt.NDArray[Any]]


def columns_of(path: str, data: bytes, *, kind: str = "") -> Columns:
    """Splits a file into its columns, each [n], in the order of the file.

    Args:
        path: the name of the file; its suffix says the format.
        data: the content of the file.
        kind: csv, npz or parquet, whatever the suffix says.

    Raises:
        DataError: the format is unknown or the content is not of that format.
        UsageError: the file is Parquet and pyarrow is not installed.
    """
    reader = {"csv": _from_csv, "npz": _from_npz, "parquet": _from_parquet}[kind or _format(path)]
    columns = reader(path, data)
    lengths = {name: column.shape for name, column in columns.items()}
    expected = next(iter(lengths.values()), (0,))
    for name, shape in lengths.items():
        if shape != expected or len(shape) != 1:
            raise DataError(
                f"{path}: column {name} has the shape {shape}; every column must be a list of the "
                "same length, one value an image"
            )
    return columns


def encode(path: str, columns: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Returns the bytes of a file in the format that the suffix of `path` names.

    Args:
        path: the name of the file to be.
        columns: arrays [n], text or floating point; NaN is written as an empty cell.

    Raises:
        DataError: the format is unknown.
        UsageError: the format is Parquet and pyarrow is not installed.
    """
    kind = _format(path)
    if kind == "csv":
        return _to_csv(columns)
    if kind == "npz":
        return array_file.encode(columns)
    buffer = io.BytesIO()
    arrow, parquet = _pyarrow(path)
    arrays = [
        arrow.array(column.tolist(), type=_arrow_type(arrow, column)) for column in columns.values()
    ]
    parquet.write_table(arrow.table(arrays, names=list(columns)), buffer)
    return buffer.getvalue()


def first(bad: npt.NDArray[np.bool_]) -> int | None:
    """The first row that is marked, counted from 0, or None."""
    rows = np.flatnonzero(bad)
    return int(rows[0]) if len(rows) else None


def at(ids: npt.NDArray[np.str_], row: int) -> str:
    """Names a row for a message: rows of data are counted from 1."""
    return f"row {row + 1} (id {str(ids[row])!r})"


def numbers(
    path: str, column: str, columns: Columns, *, empty_is_nan: bool
) -> npt.NDArray[np.floating[Any]]:
    """A column as floating-point numbers [n].

    Args:
        path: the file that a message names.
        column: the name of the column.
        columns: all columns; `id` is used to name the row in a message.
        empty_is_nan: whether an empty cell means unknown; otherwise it is an error.

    Raises:
        DataError: a cell holds text that is not a finite number; the message shows it.
    """
    values = np.asarray(columns[column])
    if values.dtype.kind in "fiub":
        return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    text = [cell.strip() for cell in values.astype(np.str_).tolist()]
    result = np.array([_number(cell, empty_is_nan=empty_is_nan) for cell in text])
    if (row := first(np.isinf(result))) is not None:
        place = at(np.asarray(columns["id"]).astype(np.str_), row)
        wanted = (
            "a label; use 0, 1 or leave it empty for unknown"
            if empty_is_nan
            else "a probability from 0 to 1; every image needs a score of every finding"
        )
        found = repr(text[row]) if text[row] else "an empty cell"
        raise DataError(f"{path}: column {column}: {found} in {place} is not {wanted}")
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


def _from_csv(path: str, data: bytes) -> Columns:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error}); write it again") from error
    rows = [row for row in rows if row]
    if not rows:
        raise DataError(f"{path}: the file is empty; it must start with a line of column names")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    _refuse_twice(path, header)
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise DataError(
                f"{path}: row {number} (id {row[0]!r}) has {len(row)} cells where the header has "
                f"{len(header)}; the file may be cut off, write it again"
            )
    columns = zip(*body, strict=True) if body else (() for _ in header)
    return {
        name: np.array(column, dtype=np.str_) for name, column in zip(header, columns, strict=True)
    }


def _refuse_twice(path: str, header: Sequence[str]) -> None:
    twice = [name for position, name in enumerate(header) if name in header[:position]]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} is in the header twice; keep one")


def _to_csv(columns: Mapping[str, npt.NDArray[Any]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(column) for column in columns.values()), strict=True))
    return buffer.getvalue().encode()


def _cells(column: npt.NDArray[Any]) -> list[str]:
    """The column as text: 9 digits bring binary32 back exactly, 17 are enough for binary64."""
    if column.dtype.kind != "f":
        return [str(cell) for cell in column.tolist()]
    if column.dtype == np.float32:
        return ["" if cell != cell else f"{cell:.9g}" for cell in column.tolist()]
    return ["" if cell != cell else repr(cell).removesuffix(".0") for cell in column.tolist()]


def _from_npz(path: str, data: bytes) -> Columns:
    advice = "copy it again, or save the columns with numpy.savez, text as str and not as objects"
    with given_file.parsing(f"{path}: not an npz file of plain arrays", advice):
        return {
            name: _decoded(path, name, column) for name, column in array_file.decode(data).items()
        }


def _decoded(path: str, name: str, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turns an array of bytes, as h5py and Python 2 give it, into text."""
    if column.dtype.kind != "S":
        return column
    with given_file.parsing(f"{path}: column {name} is not UTF-8", "save its text as str"):
        return np.char.decode(column, "utf-8")


def _from_parquet(path: str, data: bytes) -> Columns:
    arrow, parquet = _pyarrow(path)
    with given_file.parsing(f"{path}: not a Parquet file of plain columns", "write it again"):
        table = parquet.read_table(io.BytesIO(data))
        table.validate(full=True)
        _refuse_twice(path, table.column_names)
        return _arrays(arrow, table)


def _arrays(arrow: Any, table: Any) -> Columns:
    columns: Columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        is_number = arrow.types.is_floating(column.type) or arrow.types.is_integer(column.type)
        if is_number and not (column.null_count and name.startswith("score:")):
            columns[name] = column.to_numpy()
        else:
            cells = ("" if cell is None else str(cell) for cell in column.to_pylist())
            columns[name] = np.array(list(cells), dtype=np.str_)
    return columns


def _arrow_type(arrow: ModuleType, column: npt.NDArray[Any]) -> Any:
    return arrow.string() if column.dtype.kind == "U" else arrow.from_numpy_dtype(column.dtype)


def _pyarrow(path: str) -> tuple[Any, Any]:
    """Imports pyarrow late: CSV and npz must work where it is not installed."""
    try:
        import pyarrow  # type: ignore[import-untyped, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UsageError(
            f"{path}: reading and writing Parquet needs pyarrow; install it with "
            "`pip install pyarrow`, or use a .csv or .npz file"
        ) from error
    return pyarrow, pyarrow.parquet
