# SPDX-License-Identifier: MIT
"""In a graph a file is refused before it is decoded, for the reason that preprocessing gives."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from preprocessing.contract.pictures import picture_files, picture_files_graph

_FILM = cv2.resize(np.random.default_rng(3).integers(0, 256, (9, 7), np.uint8), (70, 90))
_PNG, _JPEG = (cv2.imencode(kind, _FILM)[1].tobytes() for kind in (".png", ".jpg"))
_FRAME = _JPEG.index(b"\xff\xc0")


def _claiming(width: int, height: int) -> bytes:
    """Returns a PNG of a header and an end."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return _PNG[:8] + b"".join(framed)


def _changed(at: int, data: bytes) -> bytes:
    """Returns the JPEG with other bytes in its frame segment."""
    return _JPEG[: _FRAME + at] + data + _JPEG[_FRAME + at + len(data) :]


def _saved(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_FILM).save(file, "JPEG", **options)
    return file.getvalue()


# What a thumbnail in front may hold: a JPEG's end in the middle of the file.
_WITH_THUMBNAIL = _JPEG[:2] + b"\xff\xed" + struct.pack(">H", len(_JPEG) + 2) + _JPEG + _JPEG[2:]

REFUSED = {
    "nothing": b"",
    "text": b"a report, not a film",
    "gif": b"GIF89a" + bytes(40),
    "start of a png": _PNG[:8],
    "start of a jpeg": _JPEG[:3],
    "half a png": _PNG[: len(_PNG) // 2],
    "half a jpeg": _JPEG[: len(_JPEG) // 2],
    "half a jpeg with a thumbnail": _WITH_THUMBNAIL[:-200],
    "png without pixels": _claiming(0, 5),
    "jpeg without pixels": _changed(5, bytes(4)),
    "giant png": _claiming(30_000, 30_000),
    "png beyond all numbers": _claiming(1 << 31, 1 << 31),
    "giant jpeg": _changed(5, struct.pack(">HH", 30_000, 30_000)),
    "jpeg without a frame": _JPEG[:_FRAME] + b"\xff\xd9",
    "jpeg of fill bytes": _JPEG[:2] + b"\xff" * 100_000,
    "lossless jpeg": _changed(1, b"\xc3"),
    "jpeg of 12 bits": _changed(4, b"\x0c"),
    "jpeg of four channels": _changed(9, b"\x04"),
}
READ = {
    "png": _PNG,
    "jpeg": _JPEG,
    "progressive jpeg": _saved(progressive=True),
    "fill bytes before a marker": _JPEG[:2] + b"\xff" * 40 + _JPEG[2:],
    "jpeg with a thumbnail": _WITH_THUMBNAIL,
    "png and more": _PNG + bytes(5000),
    "jpeg and more": _JPEG + bytes(5000),
}


@pytest.fixture(scope="module")
def read() -> Callable[[bytes], picture_files_graph.Header]:
    return tf.function(
        picture_files_graph.read, input_signature=[tf.TensorSpec([], tf.string)], autograph=False
    )


@pytest.mark.parametrize("name", REFUSED)
def test_the_reason_is_that_of_preprocessing(
    name: str, read: Callable[[bytes], picture_files_graph.Header]
) -> None:
    with pytest.raises(picture_files.ImageError) as caught:
        picture_files.decode(REFUSED[name])
    assert read(tf.constant(REFUSED[name])).reason.numpy().decode() == caught.value.reason


@pytest.mark.parametrize("name", READ)
def test_what_preprocessing_reads_may_be_decoded(
    name: str, read: Callable[[bytes], picture_files_graph.Header]
) -> None:
    header = read(tf.constant(READ[name]))
    assert header.reason.numpy() == b""
    height, width = picture_files.decode(READ[name])[0].shape[:2]
    assert (int(header.height), int(header.width), int(header.depth)) == (height, width, 8)
    assert bool(header.is_png) == READ[name].startswith(b"\x89PNG")
