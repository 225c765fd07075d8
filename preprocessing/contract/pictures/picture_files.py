# SPDX-License-Identifier: MIT
"""Reads PNG and JPEG files to pixels, and refuses every file that is not whole.

Decoders are made to show something: they fill in what a damaged file lacks. Here a picture counts
only if nothing in its file contradicts itself: every PNG chunk's checksum and the number of pixels
in its compressed stream, and for JPEG every complaint of libjpeg.
"""

import zlib

import cv2
import numpy as np
import numpy.typing as npt
from kornia_rs import io as kornia

from preprocessing.contract.errors import DataError
from preprocessing.contract.pictures import picture_tags
from preprocessing.contract.pictures.picture_tags import JPEG, PNG, Tags

Pixels = npt.NDArray[np.uint8]

REASONS = (
    "not_a_picture",
    "cut_short",
    "damaged",
    "too_large",
    "too_small",
    "pixel_type",
    "constant",
    "wrong_size",
)

# Refused before decoding: a few bytes can announce more pixels than memory holds. The largest
# detectors in radiography have about 30 million.
MAX_PIXELS = 1 << 26
MAX_BYTES = 1 << 28
# The square round a picture has the square of its longer side: a strip of 16 x 4,000,000 pixels
# would take 16 TB.
MAX_SIDE = 1 << 14

# Where the way to the end of a file is not clear, its end must lie among so many last bytes.
_TAIL_BYTES = 1024
_PNG_END = b"IEND\xaeB`\x82"
# PNG colour type -> channels (ISO/IEC 15948, table 11.1).
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class ImageError(DataError):
    """A file that is not a usable picture.

    Attributes:
        reason: one word for counting, of `REASONS` or of `preprocessing.contract.dicom.REASONS`.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def decode(encoded: bytes) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], Tags]:
    """Decodes a PNG or JPEG file.

    Bytes after the end of the picture are ignored, as viewers do.

    Returns:
        [height, width] or [height, width, 3 or 4] in the order red, green, blue, alpha; uint8, or
        uint16 for a PNG of 16 bits: as stored, not turned. And what the file says of itself.

    Raises:
        ImageError: not a PNG or JPEG, cut short, damaged or too large.
    """
    tags = picture_tags.read(encoded)
    whole = encoded[: tags.end] if tags.end else encoded
    if encoded.startswith(PNG):
        return _decode_png(whole), tags
    if encoded.startswith(JPEG):
        return _decode_jpeg(whole), tags
    raise ImageError("not_a_picture", "the file is neither PNG nor JPEG")


def check_size(width: int, height: int) -> None:
    """Refuses pictures without pixels and what would not fit into memory."""
    if not width * height:
        raise ImageError("damaged", "the picture is damaged: it claims to have no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            "too_large", f"the picture claims {width} x {height} pixels: at most 2^26 are read"
        )


def _decode_png(encoded: bytes) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    if len(encoded) > MAX_BYTES:
        raise ImageError("too_large", f"the file has {len(encoded)} bytes: at most 2^28 are read")
    width, height = (int.from_bytes(encoded[at : at + 4], "big") for at in (16, 20))
    depth, colour = encoded[24:25], encoded[25:26]
    if _PNG_END not in encoded[-_TAIL_BYTES:]:
        raise ImageError("cut_short", "the PNG is cut short: its end is missing")
    check_size(width, height)
    if depth == b"\x08" and colour == b"\x00":
        # The common case, in half of OpenCV's time; this decoder is strict by itself.
        try:
            grey: Pixels = kornia.decode_image_png_u8(encoded, (height, width), "mono")[..., 0]
        except Exception:  # of no narrower type; what is wrong is found out below
            pass
        else:
            return grey
    _check_chunks(encoded, width, height)
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[:2] != (height, width):
        raise ImageError("damaged", "the picture is damaged: it cannot be decoded")
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return _of_known_type(pixels)


def _check_chunks(encoded: bytes, width: int, height: int) -> None:
    """Checks a PNG against its own checksums and the size it claims (ISO/IEC 15948, 5 and 10)."""
    stream, missing = zlib.decompressobj(), -1
    for kind, start, end in picture_tags.png_chunks(encoded):
        if end + 4 > len(encoded):
            raise ImageError("cut_short", "the PNG is cut short: its last chunk is incomplete")
        if zlib.crc32(encoded[start - 4 : end]).to_bytes(4, "big") != encoded[end : end + 4]:
            raise ImageError("damaged", "the PNG is damaged: a checksum is wrong")
        if kind == b"IHDR":
            missing = _stream_bytes(encoded[start:end], width, height)
        elif kind == b"IDAT":
            missing -= _inflated(stream, encoded[start:end])
    if missing > 0:
        raise ImageError("cut_short", "the PNG is cut short: pixels are missing")


def _inflated(stream: "zlib._Decompress", data: bytes) -> int:
    """Returns how many bytes a piece of the stream holds, never keeping more than 1 MiB."""
    total = 0
    try:
        while data:
            total += len(stream.decompress(data, 1 << 20))
            data = stream.unconsumed_tail
    except zlib.error as error:
        raise ImageError(
            "damaged", "the PNG is damaged: its compressed data cannot be read"
        ) from error
    return total


def _stream_bytes(header: bytes, width: int, height: int) -> int:
    """Returns the length of the inflated stream; interlaced pictures have at least as much."""
    if len(header) != 13 or header[9] not in _CHANNELS:
        raise ImageError("damaged", "the PNG is damaged: its header is not valid")
    return height * (1 + (width * _CHANNELS[header[9]] * header[8] + 7) // 8)


def _decode_jpeg(encoded: bytes) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    width, height, channels, kind = _jpeg_frame(encoded)
    if b"\xff\xd9" not in encoded[-_TAIL_BYTES:]:
        raise ImageError("cut_short", "the JPEG is cut short: its end is missing")
    check_size(width, height)
    if channels not in (1, 3):
        raise ImageError("pixel_type", f"the JPEG has {channels} channels: use 1 or 3")
    if kind:
        raise ImageError("pixel_type", f"the JPEG is {kind}: save it as PNG, or as JPEG of 8 bits")
    try:
        # It stops at whatever libjpeg complains of, where OpenCV fills in grey.
        pixels = kornia.decode_image_jpegturbo(encoded, "mono" if channels == 1 else "rgb")
    except Exception as error:  # of no narrower type
        raise ImageError("damaged", "the JPEG is damaged: it cannot be decoded") from error
    return _of_known_type(pixels[..., 0] if channels == 1 else pixels)


def _jpeg_frame(encoded: bytes) -> tuple[int, int, int, str]:
    """Reads the start-of-frame segment (ITU-T T.81, B.2.2).

    Returns:
        Width, height, channels, and of what kind it is if that is one that is not read.
    """
    for marker, at, _ in picture_tags.jpeg_segments(encoded):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 6 <= len(encoded):
            height, width = (int.from_bytes(encoded[at + k : at + k + 2], "big") for k in (1, 3))
            kind = "lossless" if marker in (0xC3, 0xC7, 0xCB, 0xCF) else ""
            return width, height, encoded[at + 5], kind or _depth(encoded[at])
    raise ImageError("damaged", "the JPEG is damaged: it names no size")


def _depth(bits: int) -> str:
    return "" if bits == 8 else f"of {bits} bits"


def _of_known_type(
    pixels: npt.NDArray[np.generic],
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    if pixels.dtype == np.uint16:
        return np.asarray(pixels, np.uint16)
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    raise ImageError("pixel_type", f"the picture has {pixels.dtype} pixels: use 8 or 16 bits")
