# SPDX-License-Identifier: MIT
"""Reads what a PNG or JPEG file says beside its pixels: its end, which way is up, its bits."""

import dataclasses
import re
import struct
from collections.abc import Iterator

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
UPRIGHT = 1

_EXIF = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3
# PNG colour type -> channels beside alpha; sBIT says nothing of the samples of a palette (type 3).
_COLOURS = {0: 1, 2: 3, 4: 1, 6: 3}
_APP1, _START_OF_SCAN, _END_OF_IMAGE = 0xE1, 0xDA, 0xD9
# Markers without a length: TEM, RST0 to RST7 and SOI (ITU-T T.81, table B.1).
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
# In a scan FF00 is a level, FFD0 to FFD7 restart it and FFFF fills up; every other marker ends it.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


@dataclasses.dataclass(frozen=True)
class Tags:
    """What a file says of itself.

    Attributes:
        end: bytes up to its end marker; 0 if there is none. What follows is ignored.
        orientation: 1 to 8 as EXIF counts; 1 is upright.
        bits: significant bits of a sample as sBIT names them, where the file stores more; else 0.
    """

    end: int = 0
    orientation: int = UPRIGHT
    bits: int = 0


def read(encoded: bytes) -> Tags:
    """Reads the tags of a PNG or JPEG file, as far as the file is whole; never raises."""
    if encoded.startswith(PNG):
        return _of_png(encoded)
    return _of_jpeg(encoded) if encoded.startswith(JPEG) else Tags()


def png_chunks(encoded: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields kind, start and end of the data of each chunk up to IEND or the end of the file.

    The last may claim to end behind the file: four bytes of checksum follow every chunk's data.
    """
    at, kind = len(PNG), b""
    while at < len(encoded) and kind != b"IEND":
        length = int.from_bytes(encoded[at : at + 4], "big")
        kind = encoded[at + 4 : at + 8]
        yield kind, at + 8, at + 8 + length
        at += 12 + length


def _of_png(encoded: bytes) -> Tags:
    depth, colours = encoded[24:25], _COLOURS.get(int.from_bytes(encoded[25:26], "big"), 0)
    end, orientation, bits = 0, UPRIGHT, 0
    for kind, start, stop in png_chunks(encoded):
        if stop + 4 > len(encoded):
            break
        if kind == b"eXIf":
            orientation = _of_tiff(encoded[start:stop])
        elif kind == b"sBIT" and depth in (b"\x08", b"\x10"):
            bits = max(encoded[start : min(stop, start + colours)], default=0)
        elif kind == b"IEND":
            end = stop + 4
    return Tags(end, orientation, bits if bits < int.from_bytes(depth, "big") else 0)


def _of_jpeg(encoded: bytes) -> Tags:
    end, orientation = 0, UPRIGHT
    for marker, start, stop in jpeg_segments(encoded):
        if marker == _END_OF_IMAGE:
            end = start
        elif marker == _APP1 and encoded.startswith(_EXIF, start) and orientation == UPRIGHT:
            orientation = _of_tiff(encoded[start + len(_EXIF) : stop])
    return Tags(end, orientation)


def jpeg_segments(encoded: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields marker, start and end of the data of each segment up to the end of the image."""
    at = 2
    while at + 2 <= len(encoded) and encoded[at] == 0xFF:
        marker = encoded[at + 1]
        if marker == 0xFF:  # a fill byte, which any marker may have before it (B.1.1.2)
            at += 1
            continue
        bare = marker in _BARE or marker == _END_OF_IMAGE
        length = 0 if bare else int.from_bytes(encoded[at + 2 : at + 4], "big")
        yield marker, at + 2 + 2 * (not bare), at + 2 + length
        if marker == _END_OF_IMAGE:
            return
        at += 2 + length
        if marker == _START_OF_SCAN:
            following = _AFTER_SCAN.search(encoded, at)
            if following is None:
                return
            at = following.start()


def _of_tiff(data: bytes) -> int:
    """Returns the orientation in the first directory of EXIF data; 1 if none is given there."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", data, entry)
            if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
