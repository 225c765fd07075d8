# SPDX-License-Identifier: MIT
"""Tests each rule of the way from stored values to grey levels, by numbers worked out by hand."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import files, greys


def _shown(film, values: list[int], bits: int = 12, *, signed: bool = False, **changes):
    codes = np.array([values]) & ((1 << bits) - 1)
    stored = greys.Stored(codes.astype(np.uint16 if bits > 8 else np.uint8), bits, signed)
    warnings: list[str] = []
    return greys.shown(stored, film(**changes), warnings)[0].tolist(), warnings


def _lut(descriptor: list[int], data: list[int]) -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = descriptor, data
    return [item]


def test_eight_bits_without_window_stay_as_they_are(film) -> None:
    assert _shown(film, [3, 17, 200], 8) == ([3, 17, 200], [])


def test_more_bits_without_window_take_the_range_that_is_there(film) -> None:
    # (300 - 100) / (1120 - 100) * 255 = 50; 102 is 0.5, rounded up.
    assert _shown(film, [100, 102, 300, 1120]) == ([0, 1, 50, 255], [])


def test_signed_values_keep_their_order(film) -> None:
    assert _shown(film, [-1000, 0, 1000], 12, signed=True)[0] == [0, 128, 255]


def test_a_linear_window_is_that_of_the_standard(film) -> None:
    # C.11.2.1.2.1, example: c=2048, w=4096: y = (x - 2047.5) / 4095 + 0.5, here in 255ths.
    levels, _ = _shown(film, [0, 2048, 4095], WindowCenter=2048, WindowWidth=4096)
    assert levels == [0, 128, 255]
    # c=100, w=3: below or at 98.5 black, above 100.5 white.
    assert _shown(film, [98, 99, 100, 101], WindowCenter=100, WindowWidth=3)[0] == [0, 64, 191, 255]
    assert _shown(film, [99, 100], WindowCenter=100, WindowWidth=1)[0] == [0, 255]


def test_the_first_of_several_windows_is_taken(film) -> None:
    levels, _ = _shown(film, [0, 50, 100], WindowCenter=[50.5, 9], WindowWidth=[101, 2])
    assert levels == [0, 128, 255]


def test_other_functions_of_windows(film) -> None:
    exact = {"VOILUTFunction": "LINEAR_EXACT", "WindowCenter": 100, "WindowWidth": 200}
    assert _shown(film, [0, 50, 100, 200], **exact)[0] == [0, 64, 128, 255]
    # 255 / (1 + e) = 68.58 and 255 / (1 + 1/e) = 186.42
    sigmoid = {"VOILUTFunction": "SIGMOID", "WindowCenter": 100, "WindowWidth": 200}
    assert _shown(film, [50, 100, 150], **sigmoid)[0] == [69, 128, 186]


def test_the_window_is_in_the_units_after_rescaling(film) -> None:
    changes = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    levels, _ = _shown(film, [0, 500, 1000], WindowCenter=0.5, WindowWidth=2001, **changes)
    assert levels == [0, 128, 255]


def test_tables_are_looked_up(film) -> None:
    modality = _lut([4, 10, 16], [0, 100, 200, 1000])
    levels, _ = _shown(film, [5, 10, 11, 12, 13, 99], ModalityLUTSequence=modality)
    assert levels == [0, 0, 26, 51, 255, 255]
    voi = _lut([3, 1, 8], [255, 51, 0])
    assert _shown(film, [0, 1, 2, 3], VOILUTSequence=voi)[0] == [255, 255, 51, 0]


def test_a_table_goes_before_a_window(film) -> None:
    voi = _lut([2, 0, 8], [10, 20])
    assert _shown(film, [0, 1], VOILUTSequence=voi, WindowCenter=1, WindowWidth=2)[0] == [10, 20]


@pytest.mark.parametrize("shape", [None, "INVERSE"])
def test_monochrome1_is_inverted_once(film, shape) -> None:
    changes = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": shape}
    assert _shown(film, [0, 30, 255], 8, **changes) == ([255, 225, 0], [])


def test_inverse_alone_inverts_with_a_warning(film) -> None:
    levels, warnings = _shown(film, [0, 30], 8, PresentationLUTShape="INVERSE")
    assert levels == [255, 225]
    assert "PresentationLUTShape (2050,0020)" in warnings[0]


def test_padding_is_black_and_counts_in_no_range(film) -> None:
    levels, _ = _shown(film, [0, 100, 200, 4095], PixelPaddingValue=0)
    assert levels == [0, 0, 6, 255]  # 100 / 3995 * 255 = 6.38
    levels, _ = _shown(
        film, [4000, 4095, 100, 200], PixelPaddingValue=4095, PixelPaddingRangeLimit=4000
    )
    assert levels == [0, 0, 0, 255]
    inverted = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0}
    assert _shown(film, [0, 100, 200], **inverted)[0] == [0, 255, 0]


def test_padding_of_signed_pixels(film) -> None:
    dataset = film(np.zeros((2, 2), np.int16), PixelPaddingValue=-2000)
    stored = greys.Stored(np.array([[-2000 & 0xFFFF, -5 & 0xFFFF, 5]], np.uint16), 16, True)
    assert greys.shown(stored, dataset, [])[0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("padding", [65535, 32768, -1, 4096])
def test_padding_that_cannot_occur_marks_nothing(film, padding: int) -> None:
    levels, warnings = _shown(film, [0, 2048, 4095], PixelPaddingValue=padding)
    assert levels == [0, 128, 255]
    assert "PixelPaddingValue (0028,0120) cannot occur in 12 bits" in warnings[0]


def test_padding_written_with_the_other_sign_counts(film) -> None:
    # -1000 as two's complement of 16 bits.
    values, padding = [-1000, -2, 2], 0x10000 - 1000
    assert _shown(film, values, signed=True, PixelPaddingValue=padding) == ([0, 0, 255], [])
    made = film(PixelPaddingValue=-2, PixelRepresentation=1)
    stored = greys.Stored(np.array([[1, 3, 0xFFFE]], np.uint16), 16, False)
    assert greys.shown(stored, made, [])[0].tolist() == [0, 255, 0]


def test_a_range_of_padding_with_one_end_that_cannot_occur_is_one_value(film) -> None:
    changes = {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 65535}
    levels, warnings = _shown(film, [0, 100, 4000, 200], **changes)
    assert levels == [0, 128, 0, 255]
    assert "PixelPaddingRangeLimit (0028,0121)" in warnings[0]


@pytest.mark.parametrize(("center", "width"), [(127, 255), (32768, 65536)])
def test_a_window_of_another_depth_is_obeyed_with_a_warning(film, center, width) -> None:
    values = np.linspace(0, 4095, 200).astype(int).tolist()
    levels, warnings = _shown(film, values, WindowCenter=center, WindowWidth=width)
    unit = (np.array(values) - (center - 0.5)) / (width - 1) + 0.5
    assert levels == np.floor(np.clip(unit, 0, 1) * 255 + 0.5).astype(int).tolist()
    assert len(warnings) == 1 and "WindowWidth (0028,1051) shows most of" in warnings[0]


def test_a_picture_of_one_value_has_no_hot_pixel(film) -> None:
    assert _shown(film, [7, 7, 7]) == ([0, 0, 0], [])


def test_one_hot_pixel_leaves_the_whole_range_shown_with_a_warning(film) -> None:
    values = [*range(1000, 1500)] * 4
    assert _shown(film, values)[1] == []
    levels, warnings = _shown(film, [*values, 4095])
    assert levels[-1] == 255 and max(levels[:-1]) == 41  # 499 / 3095 * 255
    assert len(warnings) == 1 and "PixelData (7FE0,0010)" in warnings[0]


def test_a_picture_of_padding_alone_is_black(film) -> None:
    assert _shown(film, [7, 7], PixelPaddingValue=7)[0] == [0, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"WindowCenter": 5, "WindowWidth": 0},
        {"WindowCenter": 90000, "WindowWidth": 2},
        {"WindowWidth": 5},
        {"VOILUTSequence": _lut([9, 0, 8], [1])},
        {"VOILUTSequence": [Dataset()]},
        {"ModalityLUTSequence": [Dataset()]},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
        {"RescaleSlope": 2},
        {"RescaleIntercept": -9},
        {"PixelPaddingRangeLimit": 3},
    ],
)
def test_what_cannot_be_used_is_left_with_a_warning(film, changes) -> None:
    levels, warnings = _shown(film, [0, 100, 200], **changes)
    assert levels == [0, 128, 255]
    assert len(warnings) == 1


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
    table = greys.read_table(_item([3, 10, 10], data), is_little=is_little, least=0)
    assert table is not None
    assert table.at(np.array([9.0, 10, 11, 12, 13])).tolist() == [1, 1, 2, 700, 700]
    assert (table.highest, table.is_of_other_depth) == (1023, False)


def test_packed_entries_of_eight_bits() -> None:
    for data, is_little in ((b"\1\2\3\0", True), (b"\2\1\0\3", False)):
        table = greys.read_table(_item([3, 0, 8], data), is_little=is_little, least=0)
        assert table is not None and table.entries.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("bits", "highest", "white"), [(16, 4095, 4095), (8, 4095, 4095), (12, 4000, 4095)]
)
def test_a_depth_that_is_not_the_entries_is_noticed(bits: int, highest: int, white: int) -> None:
    table = greys.read_table(_item([2, 0, bits], [0, highest]), is_little=True, least=0)
    assert table is not None
    assert (table.highest, table.is_of_other_depth) == (white, bits != 12)


def test_a_negative_first_value_written_as_unsigned_is_negative() -> None:
    item = _item([3, 0x10000 - 2, 8], [10, 20, 255])
    for least, wanted in ((-2, [10, 20, 255]), (0, [10, 10, 10])):
        table = greys.read_table(item, is_little=True, least=least)
        assert table is not None
        assert table.at(np.array([-2.0, -1, 0])).tolist() == wanted


def test_the_table_of_a_big_endian_file(film, encode) -> None:
    made = film(syntax="1.2.840.10008.1.2.2")
    made.VOILUTSequence = [_item([3, 0, 16], np.array([1, 2, 60000], ">u2").tobytes())]
    dataset, _ = files.parse(encode(made))
    assert dataset.original_encoding[1] is False
    table = greys.read_table(dataset.VOILUTSequence[0], is_little=False, least=0)
    assert table is not None and table.entries.tolist() == [1, 2, 60000]


@pytest.mark.parametrize(
    "item", [Dataset(), _item([9, 0, 8], [1]), _item([2, 0, 7], [1, 2]), _item([2, 0], [1, 2])]
)
def test_a_table_that_contradicts_itself_is_none(item: Dataset) -> None:
    assert greys.read_table(item, is_little=True, least=0) is None
