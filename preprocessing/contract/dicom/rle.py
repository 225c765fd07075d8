# SPDX-License-Identifier: MIT
"""Decodes RLE Lossless frames (PS3.5, annex G), never into more bytes than the picture has.

A decoder that trusts the frame can be made to fill 64 times the file's size of memory.
"""

import numpy as np
import numpy.typing as npt

from preprocessing.contract.pictures.picture_files import ImageError

_HEADER = 64


def decode(frame: bytes, shape: tuple[int, ...], item_bytes: int) -> npt.NDArray[np.generic]:
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
    header = np.frombuffer(frame[:_HEADER].ljust(_HEADER, b"\0"), "<u4")
    starts = [int(start) for start in header[1 : 1 + wanted]]
    if header[0] != wanted or starts[0] != _HEADER or sorted(starts) != starts:
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
