# SPDX-License-Identifier: MIT
"""What a file says beside its pixels is read, and its end is found, whatever follows."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from preprocessing.contract.pictures import image, picture_tags
from preprocessing.contract.pictures.image import ImageError

_RANDOM = np.random.default_rng(11)
_FILM = cv2.resize(_RANDOM.integers(0, 256, (6, 9), np.uint8), (96, 64))


def _file(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_FILM).save(file, kind, **options)
    return file.getvalue()


def _with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    chunk = struct.pack(">I", len(data)) + kind + data
    at = png.index(b"IDAT") - 4
    return png[:at] + chunk + struct.pack(">I", zlib.crc32(kind + data)) + png[at:]


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"MM\0*\0\0\0\x08\0\xff", b"II*\0\xff\xff\xff\xff", b"text and more"]
)
def test_exif_data_that_are_damaged_say_nothing(exif: bytes) -> None:
    assert picture_tags.read(_with_chunk(_file("PNG"), b"eXIf", exif)).orientation == 1
    assert picture_tags.read(_file("JPEG", exif=b"Exif\0\0" + exif)).orientation == 1


@pytest.mark.parametrize("rest", [b"\0" * 2048, b"\r\n", _RANDOM.bytes(1 << 20)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_follows_the_end_of_a_picture_is_nobodys(kind: str, rest: bytes) -> None:
    encoded = _file(kind)
    np.testing.assert_array_equal(image.decode(encoded + rest), image.decode(encoded))
    assert picture_tags.read(encoded + rest).end == len(encoded)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_the_end_of_a_jpeg_is_found_behind_all_its_scans(options: dict[str, object]) -> None:
    encoded = _file("JPEG", **options)
    assert picture_tags.read(encoded + b"\xff\xd9" * 9).end == len(encoded)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_cut_is_refused_also_when_something_follows(kind: str, share: float) -> None:
    encoded = _file(kind)
    cut = encoded[: int(len(encoded) * share)]
    for rest in (b"", b"\0" * 2048, b"\0" * 512):
        with pytest.raises(ImageError, match="cut short|damaged"):
            image.decode(cut + rest)
