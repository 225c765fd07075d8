# SPDX-License-Identifier: MIT
"""A file of named NumPy arrays (.npz) whose bytes repeat and whose content is checked when read."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from trainer.predictions import given_file

AGAIN = "bring it back from a copy, or move it away"
Arrays = dict[str, npt.NDArray[Any]]


def encode(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Returns the bytes of a file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)
            # ZipInfo's default date is fixed.
            info = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write(path: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes arrays to a file, which names images and so may name patients."""
    storage.write_bytes(path, encode(arrays), private=True)


def read(path: str) -> Arrays:
    """Reads all arrays of a file.

    Raises:
        DataError: the file is damaged, or holds what is not a plain array.
        FileNotFoundError: there is none.
    """
    data = storage.read_bytes(path)
    with given_file.parsing(f"{path} is damaged or not an .npz file", AGAIN):
        return decode(data)


def decode(data: bytes) -> Arrays:
    """Returns all arrays in the bytes of a file.

    Raises:
        ValueError: two arrays have one name, or one is not an array.
        Exception: what NumPy and zipfile raise on other bytes.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        if len(set(archive.files)) < len(archive.files):
            raise ValueError("it holds two arrays of one name")
        return {name: np.asanyarray(archive[name]) for name in archive.files}


def array(path: str, arrays: Arrays, name: str) -> npt.NDArray[Any]:
    """Returns an array by its name.

    Raises:
        DataError: there is none.
    """
    if name not in arrays:
        raise DataError(f"{path} holds no array {name!r}; {AGAIN}")
    return arrays[name]


def text(path: str, arrays: Arrays, name: str, rows: int | None = None) -> npt.NDArray[np.str_]:
    """Returns texts [n], as many as `rows` unless that is None.

    Raises:
        DataError: the array is missing, is not text or has another shape.
    """
    values = array(path, arrays, name)
    if values.dtype.kind != "U" or values.ndim != 1 or rows not in (None, len(values)):
        raise DataError(f"{path}: {name} is not one text a row; {AGAIN}")
    return values


def numbers(
    path: str,
    arrays: Arrays,
    name: str,
    shape: tuple[int, ...] | None,
    *,
    unknown: bool = False,
) -> npt.NDArray[Any]:
    """Returns finite numbers of a shape, of any shape if that is None.

    Args:
        path: named in an error.
        arrays: of the file.
        name: of the array.
        shape: that it must have.
        unknown: whether NaN is allowed.

    Raises:
        DataError: the array is missing, holds something else or has another shape.
    """
    values = array(path, arrays, name)
    if values.dtype.kind not in "fiu" or shape not in (None, values.shape):
        wanted = "numbers" if shape is None else f"numbers of the shape {shape}"
        raise DataError(
            f"{path}: {name} is {values.dtype} of the shape {values.shape}, not {wanted}; {AGAIN}"
        )
    if not (np.isfinite(values) | (np.isnan(values) & unknown)).all():
        raise DataError(f"{path}: {name} holds a value that is not a finite number; {AGAIN}")
    return values


def counts(path: str, arrays: Arrays, name: str, rows: int) -> npt.NDArray[np.int64]:
    """Returns one number a row, int64 [rows], 0 or more.

    Raises:
        DataError: as `numbers`, or one is negative.
    """
    values = numbers(path, arrays, name, (rows,))
    if (values < 0).any():
        raise DataError(f"{path}: {name} are not counts; {AGAIN}")
    return values.astype(np.int64)
