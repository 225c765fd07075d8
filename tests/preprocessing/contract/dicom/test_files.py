# SPDX-License-Identifier: MIT
"""Tests the parser: what is DICOM, what is cut short, and that nothing is printed."""

import logging
import warnings
import zlib

import pytest

from preprocessing.contract.dicom import files
from preprocessing.contract.pictures.image import ImageError


def test_a_file_is_parsed_with_and_without_header(film, encode) -> None:
    data = encode(film())
    meta = 132 + 12 + int.from_bytes(data[140:144], "little")
    for content in (data, data[meta:]):
        dataset, is_cut = files.parse(content)
        assert (dataset.Rows, dataset.Columns, is_cut) == (24, 20, False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\0",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        bytes(300),
        bytes(range(256)) * 4,
        b"\xff" * 500,
        b"\x08\0 just some text that is no DICOM at all",
    ],
)
def test_what_is_no_dicom_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        files.parse(content)
    assert caught.value.reason == "not_dicom"


def test_a_cut_file_is_noticed(film, encode) -> None:
    data = encode(film())
    assert files.parse(data[:-100])[1]
    assert files.parse(data[: data.index(b"CHEST") + 2])[1]


def _deflated(film, encode, dataset: bytes) -> bytes:
    data = encode(film(syntax="1.2.840.10008.1.2.1.99"))
    meta = 132 + 12 + int.from_bytes(data[140:144], "little")
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return data[:meta] + stream.compress(dataset) + stream.flush()


def test_deflated_files_are_read_but_no_bombs(film, encode, monkeypatch) -> None:
    assert files.parse(encode(film(syntax="1.2.840.10008.1.2.1.99")))[0].Rows == 24
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 24)
    bomb = _deflated(film, encode, bytes(files.MAX_BYTES + 1))
    assert len(bomb) < 1 << 20
    with pytest.raises(ImageError) as caught:
        files.parse(bomb)
    assert caught.value.reason == "too_large"
    with pytest.raises(ImageError) as caught:
        files.parse(encode(film(syntax="1.2.840.10008.1.2.1.99"))[:-40])
    assert caught.value.reason == "cut_short"


def test_odd_values_are_not_printed(film, encode, caplog, capfd) -> None:
    data = encode(film()).replace(b"061Y", b"quin").replace(b"CS\x02\0CR", b"CS\x02\0q\xff")
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        dataset, _ = files.parse(data)
        str(dataset)
    assert not caught and not caplog.records
    assert capfd.readouterr() == ("", "")
