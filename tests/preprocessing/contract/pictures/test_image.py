# SPDX-License-Identifier: MIT
"""The canonical picture follows its written rules exactly; what is no picture is named."""

import struct
import zlib

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.contract.invocation import config
from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError

_RANDOM = np.random.default_rng(3)
_KINDS = {0: 1, 2: 3, 4: 2, 6: 4}  # PNG colour type -> channels


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(samples: npt.NDArray[np.integer], colour: int, palette: bytes = b"") -> bytes:
    """Writes [height, width, channels] samples by the PNG specification, not by a library."""
    height, width, _ = samples.shape
    depth = samples.dtype.itemsize * 8
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    middle = _chunk(b"PLTE", palette) if palette else b""
    body = _chunk(b"IHDR", header) + middle + _chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


def _samples(colour: int, dtype: type[np.unsignedinteger], side: int = 16):  # type: ignore[no-untyped-def]
    shape = (side, side, _KINDS[colour])
    return _RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def _slow_grey(samples: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.uint8]:
    """Rules 1 and 2 in whole numbers, one pixel at a time."""
    height, width, channels = samples.shape
    deep = samples.dtype == np.uint16
    grey = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            values = [int(value) for value in samples[y, x]]
            value = values[0]
            if channels >= 3:
                value = (299 * values[0] + 587 * values[1] + 114 * values[2] + 500) // 1000
            grey[y, x] = (value + 128) // 257 if deep else value
    return grey


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [0, 2, 4, 6], ids=["grey", "rgb", "grey+alpha", "rgba"])
def test_every_kind_of_png_follows_the_rules_to_the_level(
    colour: int, dtype: type[np.unsignedinteger]
) -> None:
    samples = _samples(colour, dtype)
    pixels = image.decode(_png(samples, colour))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, _slow_grey(samples))


def test_every_16_bit_level_goes_to_the_nearest_of_256() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    nearest = np.floor(levels[..., 0] / 257 + 0.5)
    np.testing.assert_array_equal(image.decode(_png(levels, 0)), nearest)


def test_a_palette_counts_by_its_colours() -> None:
    palette = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
    index = np.array([[[0], [1]], [[2], [3]]], np.uint8)
    luma = [[76, 150], [29, (2990 + 11740 + 3420 + 500) // 1000]]
    np.testing.assert_array_equal(image.decode(_png(index, 3, palette)), luma)


def test_a_grey_jpeg_is_its_levels() -> None:
    smooth = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    difference = image.decode(_jpeg(smooth)).astype(int) - smooth
    assert np.abs(difference).max() <= 3


def test_a_colour_jpeg_is_the_luma_of_its_decoded_colours() -> None:
    encoded = _jpeg(cv2.resize(_samples(2, np.uint8), (64, 64)))
    colours = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(image.decode(encoded), _slow_grey(colours[..., ::-1]))


def test_fill_bytes_before_a_jpeg_marker_are_allowed() -> None:
    encoded = _jpeg(np.full((8, 24), 90, np.uint8))
    filled = encoded[:2] + b"\xff\xff" + encoded[2:]
    np.testing.assert_array_equal(image.decode(filled), image.decode(encoded))


@pytest.mark.parametrize(
    ("height", "width", "top", "left"), [(2, 5, 1, 0), (5, 2, 0, 1), (4, 7, 1, 0), (3, 3, 0, 0)]
)
def test_a_picture_is_centred_in_black(height: int, width: int, top: int, left: int) -> None:
    squared = image.square(np.full((height, width), 9, np.uint8))
    side = max(height, width)
    expected = np.zeros((side, side), np.uint8)
    expected[top : top + height, left : left + width] = 9
    np.testing.assert_array_equal(squared, expected)


def test_shrinking_takes_the_mean_over_each_target_pixel() -> None:
    pixels = _RANDOM.integers(0, 256, (64, 64), np.uint8)
    means = pixels.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert np.abs(image.resize(pixels, 16) - means).max() <= 0.5


def test_a_shrink_that_does_not_divide_still_weighs_by_area() -> None:
    pixels = np.array([[0, 90, 240]] * 3, np.uint8)
    np.testing.assert_array_equal(image.resize(pixels, 2), [[30, 190]] * 2)


def test_growing_is_bilinear_between_pixel_centres() -> None:
    pixels = np.array([[0, 100], [0, 100]], np.uint8)
    np.testing.assert_array_equal(image.resize(pixels, 4)[0], [0, 25, 75, 100])


def test_canonical_squares_before_it_scales() -> None:
    pixels = np.full((8, 16, 1), 200, np.uint8)
    canonical = image.canonical(_png(pixels, 0), 4)
    np.testing.assert_array_equal(canonical, [[0] * 4, [200] * 4, [200] * 4, [0] * 4])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_canonical_has_the_size_asked_for(height: int, width: int, size: int) -> None:
    encoded = image.encode(np.full((height, width), 7, np.uint8))
    canonical = image.canonical(encoded, size)
    assert canonical.shape == (size, size)
    assert canonical.dtype == np.uint8


def test_what_is_stored_is_lossless_grey_and_repeatable() -> None:
    pixels = _RANDOM.integers(0, 256, (32, 32), np.uint8)
    encoded = image.encode(pixels)
    assert encoded[25] == 0  # colour type: grey
    assert encoded == image.encode(pixels.copy())
    np.testing.assert_array_equal(image.decode(encoded), pixels)


_GREY_PNG = _png(_samples(0, np.uint8, side=64), 0)
_GREY_JPEG = _jpeg(_samples(0, np.uint8, side=64))


def _flip(encoded: bytes, at: int) -> bytes:
    return encoded[:at] + bytes([encoded[at] ^ 0x55]) + encoded[at + 1 :]


def _claim(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


def _jpeg_claim(height: int, width: int) -> bytes:
    at = _GREY_JPEG.index(b"\xff\xc0") + 5
    return _GREY_JPEG[:at] + struct.pack(">HH", height, width) + _GREY_JPEG[at + 4 :]


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        pytest.param(b"", "not_a_picture", id="empty"),
        pytest.param(b"Image Index,Finding Labels\n", "not_a_picture", id="text"),
        pytest.param(b"GIF89a" + bytes(99), "not_a_picture", id="gif"),
        pytest.param(_GREY_PNG[:5], "not_a_picture", id="png signature cut"),
        pytest.param(_GREY_PNG[:20], "cut_short", id="png header cut"),
        pytest.param(_GREY_PNG[:-4], "cut_short", id="png end cut"),
        pytest.param(_GREY_PNG[: len(_GREY_PNG) // 2], "cut_short", id="png half"),
        pytest.param(_GREY_JPEG[: len(_GREY_JPEG) // 2], "cut_short", id="jpeg half"),
        pytest.param(_GREY_JPEG[:-2], "cut_short", id="jpeg end cut"),
        pytest.param(_GREY_JPEG[:12], "damaged", id="jpeg header cut"),
        pytest.param(_GREY_JPEG[:3], "damaged", id="jpeg signature only"),
        pytest.param(_flip(_GREY_PNG, 300), "damaged", id="png data bit"),
        pytest.param(_flip(_GREY_PNG, 24), "damaged", id="png depth"),
        pytest.param(_GREY_PNG[:500] + _GREY_PNG[-12:], "cut_short", id="png hole"),
        pytest.param(_flip(_GREY_JPEG, 2), "not_a_picture", id="jpeg marker"),
        pytest.param(_flip(_GREY_JPEG, 20), "damaged", id="jpeg table marker"),
        pytest.param(_claim(0, 8), "damaged", id="no width"),
        pytest.param(_claim(1 << 21, 1), "cut_short", id="wider than decoders take"),
        pytest.param(_claim(100_000, 100_000), "too_large", id="giant png"),
        pytest.param(_claim(0xFFFFFFFF, 0xFFFFFFFF), "too_large", id="largest header"),
        pytest.param(_jpeg_claim(65_000, 65_000), "too_large", id="giant jpeg"),
    ],
)
def test_what_is_no_whole_picture_is_refused_with_its_reason(encoded: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        image.canonical(encoded, 8)
    assert caught.value.reason == reason
    assert caught.value.reason in image.REASONS
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([_GREY_PNG, _GREY_JPEG]), st.data())
def test_no_damage_escapes_as_another_error(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    encoded = bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))])
    try:
        pixels = image.canonical(encoded, 8)
    except ImageError as error:
        assert error.reason in image.REASONS
    else:
        assert pixels.shape == (8, 8)


@pytest.mark.parametrize(
    ("stored", "fraction", "side"),
    [(256, 0.875, 224), (512, 0.875, 448), (10, 1.0, 10), (2, 0.1, 1)],
)
def test_the_crop_is_a_share_of_the_stored_side(stored: int, fraction: float, side: int) -> None:
    assert image.crop_side(stored, fraction) == side


@pytest.mark.parametrize("encoding", config.ENCODINGS)
def test_what_is_stored_comes_back_in_either_encoding(encoding: str) -> None:
    pixels = _RANDOM.integers(0, 256, (32, 32), np.uint8)
    stored = image.encode(pixels, encoding)
    assert np.array_equal(image.decode_stored(stored, 32, encoding), pixels)
    with pytest.raises(ImageError) as caught:
        image.decode_stored(stored, 31, encoding)
    assert caught.value.reason == "wrong_size"


def test_a_stored_png_is_read_by_another_decoder() -> None:
    pixels = _RANDOM.integers(0, 256, (40, 24), np.uint8)
    read = cv2.imdecode(np.frombuffer(image.encode(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read, pixels)


def test_a_digest_is_of_the_pixels_not_of_the_file() -> None:
    pixels = _RANDOM.integers(0, 256, (32, 32), np.uint8)
    other = pixels.copy()
    other[3, 4] ^= 1
    grey = cv2.imencode(".png", pixels)[1].tobytes()
    rgba = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA))[1].tobytes()
    assert image.digest(image.decode(grey)) == image.digest(image.decode(rgba))
    assert image.digest(pixels) != image.digest(other)
    assert len(image.digest(pixels)) == 32


@pytest.mark.parametrize(
    ("pixels", "expected", "reason"),
    [
        (np.full((32, 32), 7, np.uint8), 0, "constant"),
        (_RANDOM.integers(0, 256, (15, 400), np.uint8), 0, "too_small"),
        (np.zeros((16, image.MAX_SIDE + 1), np.uint8), 0, "too_large"),
        (_RANDOM.integers(0, 256, (32, 31), np.uint8), 32, "wrong_size"),
    ],
)
def test_an_original_with_nothing_to_see_is_refused(
    pixels: npt.NDArray[np.uint8], expected: int, reason: str
) -> None:
    with pytest.raises(ImageError) as caught:
        image.check_original(pixels, expected)
    assert caught.value.reason == reason


def test_one_pixel_makes_a_picture() -> None:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[9, 9] = 1
    image.check_original(pixels, 32)
