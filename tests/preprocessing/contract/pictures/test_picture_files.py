# SPDX-License-Identifier: MIT
"""A file counts as a picture only if nothing in it contradicts itself."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from preprocessing.contract.pictures import picture_files
from preprocessing.contract.pictures.picture_files import ImageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(rows: bytes, *, side: int = 32, depth: int = 8, colour: int = 0) -> bytes:
    """Returns a PNG whose checksums are right whatever its stream holds."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    return _SIGNATURE + header + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _reason(encoded: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        picture_files.decode(encoded)
    assert "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (6, 4)])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_stream_that_lacks_its_last_row_is_cut_short_in_every_layout(
    colour: int, channels: int, depth: int
) -> None:
    row = bytes(1 + 32 * channels * depth // 8)
    whole, _ = picture_files.decode(_png(row * 32, depth=depth, colour=colour))
    assert whole.shape[:2] == (32, 32)
    assert _reason(_png(row * 31, depth=depth, colour=colour)) == "cut_short"


def test_an_unknown_filter_is_damage() -> None:
    assert _reason(_png((b"\x09" + bytes(32)) * 32)) == "damaged"


def test_an_unknown_layout_is_damage() -> None:
    assert _reason(_png(bytes(33 * 32), colour=5)) == "damaged"


def test_channels_come_as_red_green_blue_alpha() -> None:
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[..., 0], pixels[..., 2], pixels[..., 3] = 10, 30, 255  # blue, red, alpha in OpenCV
    encoded = cv2.imencode(".png", pixels)[1].tobytes()
    assert picture_files.decode(encoded)[0][0, 0].tolist() == [30, 0, 10, 255]


def test_colour_of_a_jpeg_comes_as_red_green_blue() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[..., 2] = 200
    decoded, _ = picture_files.decode(cv2.imencode(".jpg", pixels)[1].tobytes())
    red, green, blue = decoded[5, 5]
    assert red > 190
    assert max(green, blue) < 10


def test_a_jpeg_that_lost_its_middle_is_refused_although_its_end_is_there() -> None:
    random = np.random.default_rng(0)
    encoded = cv2.imencode(".jpg", random.integers(0, 256, (128, 128), np.uint8))[1].tobytes()
    hole = encoded[:2000] + encoded[4000:]
    assert cv2.imdecode(np.frombuffer(hole, np.uint8), cv2.IMREAD_GRAYSCALE) is not None
    assert _reason(hole) == "damaged"


def test_inflating_stops_at_nothing_but_keeps_little() -> None:
    bomb = _png(bytes(1 << 26), colour=2)  # 64 MiB of zeros behind a header of 32 x 32
    assert len(bomb) < 100_000
    assert picture_files.decode(bomb)[0].shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(0, 5, "damaged"), (1 << 14, 1 << 13, "too_large"), (1 << 31, 1 << 31, "too_large")],
)
def test_sizes_are_judged_before_decoding(width: int, height: int, reason: str) -> None:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    assert _reason(_SIGNATURE + header + _chunk(b"IEND", b"")) == reason


@pytest.mark.parametrize(("at", "value", "kind"), [(1, 0xC3, "lossless"), (4, 12, "of 12 bits")])
def test_a_jpeg_of_a_kind_that_is_not_read_is_not_called_damaged(at, value, kind: str) -> None:
    encoded = bytearray(cv2.imencode(".jpg", np.zeros((32, 32), np.uint8))[1].tobytes())
    encoded[encoded.index(b"\xff\xc0") + at] = value
    with pytest.raises(ImageError, match=f"the JPEG is {kind}: save it as PNG") as caught:
        picture_files.decode(bytes(encoded))
    assert caught.value.reason == "pixel_type"
