# SPDX-License-Identifier: MIT
"""Defines the canonical picture: any PNG or JPEG radiograph to square grey uint8 pixels, offline.

`image_graph.py` is the same definition as TensorFlow operations, for serving; tests hold the two
together. The rules, in order:

1. More than one channel: integer luma (299 R + 587 G + 114 B + 500) div 1000 of ITU-R BT.601; alpha
   is dropped (the four-channel files of ChestX-ray14 are opaque).
2. 16 bits to 8: (v + 128) div 257, the nearest of the 256 levels.
3. Not square: black borders on the shorter side, the picture centred.
4. To the stored size: the mean over each target pixel's area when shrinking, bilinear otherwise.
"""

import cv2
import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import DataError


class ImageError(DataError):
    """A file that is no usable picture.

    Attributes:
        reason: one of `REASONS`, for counting.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


REASONS = ("not_a_picture", "cut_short", "damaged", "too_large", "pixel_type")

Pixels = npt.NDArray[np.uint8]

# Refused before decoding: a few bytes can announce more pixels than memory holds.
MAX_PIXELS = 1 << 27

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PNG_END = b"IEND\xaeB`\x82"


def canonical(encoded: bytes, size: int) -> Pixels:
    """Decodes an encoded radiograph to its canonical picture.

    Args:
        encoded: content of a PNG or JPEG file: grey, RGB or RGBA, 8 or (PNG) 16 bits.
        size: side of the result in pixels.

    Returns:
        uint8 [size, size].

    Raises:
        ImageError: the bytes are not a whole PNG or JPEG picture.
    """
    return resize(square(decode(encoded)), size)


def decode(encoded: bytes) -> Pixels:
    """Decodes a PNG or JPEG file to grey uint8 [height, width] by rules 1 and 2.

    Raises:
        ImageError: not a PNG or JPEG, cut short, damaged or too large.
    """
    _check(encoded)
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError("damaged", "the picture is damaged: it cannot be decoded")
    if pixels.ndim == 3:
        blue, green, red = (pixels[..., channel].astype(np.uint32) for channel in range(3))
        luma = (299 * red + 587 * green + 114 * blue + 500) // 1000
        pixels = luma.astype(pixels.dtype)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise ImageError(
            "pixel_type", f"the picture has {pixels.dtype} pixels: use 8 or 16 bits a channel"
        )
    return np.asarray(pixels, np.uint8)


def square(pixels: Pixels) -> Pixels:
    """Centres uint8 [height, width] in a black square of the longer side (rule 3)."""
    height, width = pixels.shape
    if height == width:
        return pixels
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(pixels, ((top, side - height - top), (left, side - width - left)))


def resize(pixels: Pixels, size: int) -> Pixels:
    """Brings uint8 [side, side] to uint8 [size, size] by rule 4."""
    side = pixels.shape[0]
    if side == size:
        return pixels
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=method), np.uint8)


def encode(pixels: Pixels) -> bytes:
    """Encodes uint8 [height, width] as a grey PNG, lossless and byte for byte repeatable.

    Huffman coding alone is both the fastest and the smallest here: radiographs are noise to a
    search for repeated strings (256 px: 0.9 ms and 27 kB against 1.8 ms and 32 kB at level 3).
    """
    # The level has no effect on this strategy, but OpenCV ignores the strategy without one.
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    how += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    done, encoded = cv2.imencode(".png", pixels, how)
    if not done:
        raise ValueError(f"pixels of shape {pixels.shape} cannot be encoded")
    return encoded.tobytes()


def crop_side(stored_size: int, crop_fraction: float) -> int:
    """Returns the side in pixels of the square that `fit` cuts from a stored picture.

    >>> crop_side(256, 0.875)
    224
    """
    return max(1, round(stored_size * crop_fraction))


def _check(encoded: bytes) -> None:
    """Refuses what decoders would take silently: other formats, files cut short, giants."""
    if encoded.startswith(_PNG):
        width, height = (int.from_bytes(encoded[at : at + 4], "big") for at in (16, 20))
        if _PNG_END not in encoded[-1024:]:
            raise ImageError("cut_short", "the PNG is cut short: its end is missing")
    elif encoded.startswith(_JPEG):
        width, height = _jpeg_size(encoded)
        if b"\xff\xd9" not in encoded[-1024:]:
            raise ImageError("cut_short", "the JPEG is cut short: its end is missing")
    else:
        raise ImageError("not_a_picture", "the file is neither PNG nor JPEG")
    if not width * height:
        raise ImageError("damaged", "the picture is damaged: it claims to have no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            "too_large", f"the picture claims {width} x {height} pixels: at most 2^27 are read"
        )


def _jpeg_size(encoded: bytes) -> tuple[int, int]:
    """Reads width and height from the JPEG's start-of-frame segment (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(encoded) and encoded[at] == 0xFF:
        if encoded[at + 1] == 0xFF:  # a fill byte, which any marker may have before it (B.1.1.2)
            at += 1
            continue
        marker, length = encoded[at + 1], int.from_bytes(encoded[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(encoded[at + k : at + k + 2], "big") for k in (5, 7))
            return width, height
        at += 2 + length
    raise ImageError("damaged", "the JPEG is damaged: it names no size")
