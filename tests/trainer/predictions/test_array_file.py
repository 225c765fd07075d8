# SPDX-License-Identifier: MIT
"""Tests of files of arrays: repeatable bytes, and damage that is named."""

import io
import pathlib

import numpy as np
import pytest

from preprocessing.contract.errors import DataError
from trainer.predictions import array_file

ARRAYS = {"name": np.array(["a", "bc"]), "value": np.random.default_rng(0).random((40, 9))}


def test_arrays_come_back_and_the_same_ones_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b"):
        array_file.write(f"{tmp_path}/{name}", ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = array_file.read(f"{tmp_path}/a")
    assert list(found) == list(ARRAYS)
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found[name], values)


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, version=np.array([{"not": "numbers"}], object))
    return buffer.getvalue()


def test_damage_and_pickles_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "arrays.npz"
    array_file.write(str(path), ARRAYS)
    whole = path.read_bytes()
    for data in (b"", b"nothing", whole[:-30], whole[: len(whole) // 2], pickled()):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"damaged or not an .npz file \(.*\); bring it back"):
            array_file.read(str(path))


def test_no_damaged_byte_of_the_content_gets_through(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "arrays.npz"
    array_file.write(str(path), ARRAYS)
    whole = path.read_bytes()
    noticed = 0
    places = range(200, len(whole) - 200, 97)
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(DataError, match="is damaged"):
            array_file.read(str(path))
        noticed += 1
    assert noticed == len(places) > 10


def test_a_missing_file_is_no_damaged_one(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        array_file.read(f"{tmp_path}/none.npz")
