# SPDX-License-Identifier: MIT
"""Reads what compressed frames say of themselves, and decodes RLE Lossless (PS3.5, annex G).

A decoder that trusts the frame can be made to fill 64 times the file's size of memory: this one
never makes more bytes than the picture has.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from preprocessing.contract.pictures import picture_tags
from preprocessing.contract.pictures.picture_files import ImageError

_RLE_HEADER = 64
_ITEM = b"\xfe\xff\x00\xe0"
_END = b"\xff\xd9"
_J2K_START = b"\xff\x4f\xff\x51"
# Where the coded pixels begin: start of scan in JPEG and JPEG-LS, start of data in JPEG 2000.
_DATA_START = (b"\xff\xda", b"\xff\x93")


@dataclasses.dataclass(frozen=True)
class Stream:
    """What a frame's header states; zeros without one.

    Attributes:
        rows: of the picture.
        columns: of the picture.
        channels: of the picture.
        bits: of a sample.
    """

    rows: int = 0
    columns: int = 0
    channels: int = 0
    bits: int = 0


def read(frame: bytes) -> Stream:
    """Reads the header of a JPEG, JPEG-LS or JPEG 2000 stream."""
    at = frame[:4096].find(_J2K_START)
    return _jpeg(frame) if frame[:2] == b"\xff\xd8" or at < 0 else _j2k(frame, at)


def _j2k(frame: bytes, at: int) -> Stream:
    """Reads the SIZ segment (ITU-T T.800, A.5.1)."""
    if at + 43 > len(frame):
        return Stream()
    right, bottom, left, top = (int(number) for number in np.frombuffer(frame, ">u4", 4, at + 8))
    channels, bits = int.from_bytes(frame[at + 40 : at + 42], "big"), (frame[at + 42] & 0x7F) + 1
    return Stream(bottom - top, right - left, channels, bits)


def _jpeg(frame: bytes) -> Stream:
    """Reads the start of frame (ITU-T T.81, B.2.2; T.87, C.2.2)."""
    for marker, at, _ in picture_tags.jpeg_segments(frame):
        is_start = marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC))
        if is_start and at + 6 <= len(frame):
            rows, columns = (int.from_bytes(frame[at + k : at + k + 2], "big") for k in (1, 3))
            return Stream(rows, columns, frame[at + 5], frame[at])
    return Stream()


def without_padding(frame: bytes) -> bytes:
    """Returns a stream up to its end marker; empty if it has no such marker.

    The marker cannot occur among coded pixels, but in the segments before them: a thumbnail ends
    with one.
    """
    start = min((at for mark in _DATA_START if (at := frame.find(mark)) >= 0), default=len(frame))
    end = frame.rfind(_END, start)
    return frame[: end + 2] if end >= 0 else b""


def is_encapsulated(data: bytes) -> bool:
    """Says whether pixel data are compressed fragments, even if the transfer syntax says otherwise.

    They begin with an item for the offset table, and a second item follows (PS3.5, A.4); or a bare
    JPEG takes their place.
    """
    length = int.from_bytes(data[4:8], "little")
    is_item = data[:4] == _ITEM and data[8 + length : 12 + length] == _ITEM
    return is_item or (data[:3] == b"\xff\xd8\xff" and _jpeg(data) != Stream())


def decode_rle(frame: bytes, shape: tuple[int, ...], item_bytes: int) -> npt.NDArray[np.generic]:
    """Decodes a frame.

    Args:
        frame: header of 64 bytes and the segments.
        shape: (height, width) or (height, width, channels).
        item_bytes: 1 or 2 to a sample.

    Returns:
        uint8 or uint16 of that shape.

    Raises:
        ImageError: damaged or cut short.
    """
    channels = shape[2] if len(shape) == 3 else 1
    wanted = channels * item_bytes
    header = np.frombuffer(frame[:_RLE_HEADER].ljust(_RLE_HEADER, b"\0"), "<u4")
    starts = [int(start) for start in header[1 : 1 + wanted]]
    if header[0] != wanted or starts[0] != _RLE_HEADER or sorted(starts) != starts:
        raise ImageError("damaged", "the picture is damaged: its RLE header is not valid")
    ends = [*starts[1:], len(frame)]
    count = shape[0] * shape[1]
    planes = [
        np.frombuffer(_unpacked(frame[start:end], count), np.uint8)
        for start, end in zip(starts, ends, strict=True)
    ]
    # A sample's bytes are segments of their own, the highest first.
    samples: list[npt.NDArray[np.generic]] = [
        planes[at] if item_bytes == 1 else planes[at].astype(np.uint16) << 8 | planes[at + 1]
        for at in range(0, wanted, item_bytes)
    ]
    return (samples[0] if channels == 1 else np.stack(samples, axis=-1)).reshape(shape)


def _unpacked(segment: bytes, count: int) -> bytes:
    out, at = bytearray(), 0
    while len(out) < count and at < len(segment):
        control = segment[at]
        if control < 128:
            out += segment[at + 1 : at + 2 + control]
            at += 2 + control
        elif control > 128:
            out += segment[at + 1 : at + 2] * (257 - control)
            at += 2
        else:
            at += 1
    if len(out) < count:
        raise ImageError("cut_short", "the picture is cut short: its RLE data end early")
    return bytes(out[:count])
