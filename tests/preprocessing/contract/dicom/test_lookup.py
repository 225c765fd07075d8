# SPDX-License-Identifier: MIT
"""Tests how lookup tables are read, in every form in which files hold them."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import files, lookup


def _item(descriptor: list[int], data: bytes | list[int]) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return item


@pytest.mark.parametrize(
    ("data", "is_little"),
    [
        ([1, 2, 700], True),
        (np.array([1, 2, 700], "<u2").tobytes(), True),
        (np.array([1, 2, 700], ">u2").tobytes(), False),
    ],
)
def test_entries_obey_the_byte_order(data, is_little: bool) -> None:
    table = lookup.read(_item([3, 10, 10], data), is_little=is_little, least=0)
    assert table is not None
    assert table.at(np.array([9.0, 10, 11, 12, 13])).tolist() == [1, 1, 2, 700, 700]
    assert (table.highest, table.is_of_other_depth) == (1023, False)


def test_packed_entries_of_eight_bits() -> None:
    for data, is_little in ((b"\1\2\3\0", True), (b"\2\1\0\3", False)):
        table = lookup.read(_item([3, 0, 8], data), is_little=is_little, least=0)
        assert table is not None and table.entries.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("bits", "highest", "white"), [(16, 4095, 4095), (8, 4095, 4095), (12, 4000, 4095)]
)
def test_a_depth_that_is_not_the_entries_is_noticed(bits: int, highest: int, white: int) -> None:
    table = lookup.read(_item([2, 0, bits], [0, highest]), is_little=True, least=0)
    assert table is not None
    assert (table.highest, table.is_of_other_depth) == (white, bits != 12)


def test_a_negative_first_value_written_as_unsigned_is_negative() -> None:
    item = _item([3, 0x10000 - 2, 8], [10, 20, 255])
    for least, wanted in ((-2, [10, 20, 255]), (0, [10, 10, 10])):
        table = lookup.read(item, is_little=True, least=least)
        assert table is not None
        assert table.at(np.array([-2.0, -1, 0])).tolist() == wanted


def test_the_table_of_a_big_endian_file(film, encode) -> None:
    made = film(syntax="1.2.840.10008.1.2.2")
    made.VOILUTSequence = [_item([3, 0, 16], np.array([1, 2, 60000], ">u2").tobytes())]
    dataset, _ = files.parse(encode(made))
    assert dataset.original_encoding[1] is False
    table = lookup.read(dataset.VOILUTSequence[0], is_little=False, least=0)
    assert table is not None and table.entries.tolist() == [1, 2, 60000]


@pytest.mark.parametrize(
    "item", [Dataset(), _item([9, 0, 8], [1]), _item([2, 0, 7], [1, 2]), _item([2, 0], [1, 2])]
)
def test_a_table_that_contradicts_itself_is_none(item: Dataset) -> None:
    assert lookup.read(item, is_little=True, least=0) is None
