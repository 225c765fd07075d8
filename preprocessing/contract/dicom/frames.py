# SPDX-License-Identifier: MIT
"""Reads what compressed frames say of themselves: size, depth and where they end."""

import dataclasses

import numpy as np

from preprocessing.contract.pictures import picture_tags

_ITEM = b"\xfe\xff\x00\xe0"
_END = b"\xff\xd9"
_J2K_START = b"\xff\x4f\xff\x51"
# Where the coded pixels begin: start of scan in JPEG and JPEG-LS, start of data in JPEG 2000.
_DATA_START = (b"\xff\xda", b"\xff\x93")


@dataclasses.dataclass(frozen=True)
class Stream:
    """What a frame's header states; zeros where there is none.

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
    """Returns a stream without what lies behind its end marker; empty if it has none.

    The marker cannot occur among coded pixels, but in the segments before them: a thumbnail ends
    with one.
    """
    start = min((at for mark in _DATA_START if (at := frame.find(mark)) >= 0), default=len(frame))
    end = frame.rfind(_END, start)
    return frame[: end + 2] if end >= 0 else b""


def is_encapsulated(data: bytes) -> bool:
    """Says whether pixel data are compressed fragments, whatever the transfer syntax says.

    They begin with an item for the offset table, and a second item follows (PS3.5, A.4); or a bare
    JPEG stands there.
    """
    length = int.from_bytes(data[4:8], "little")
    is_item = data[:4] == _ITEM and data[8 + length : 12 + length] == _ITEM
    return is_item or (data[:3] == b"\xff\xd8\xff" and _jpeg(data) != Stream())
