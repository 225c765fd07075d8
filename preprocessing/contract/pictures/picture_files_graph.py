# SPDX-License-Identifier: MIT
"""Tells in a graph from a file's bytes, before it is decoded, why it cannot be used.

The reasons and limits are those of `picture_files.py`. Three things differ. A PNG's end mark is
looked for, without walking the chunks to it. A JPEG counts as damaged after 4096 segments without a
size. What only decoding shows is left to TensorFlow's decoders, which refuse a PNG with a wrong
checksum or without all its pixels, both as "damaged", but decode a JPEG with a hole in its middle,
of which libjpeg merely warns: there preprocessing is stricter.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from preprocessing.contract.pictures.picture_files import MAX_BYTES, MAX_PIXELS, MAX_SIDE
from preprocessing.contract.pictures.picture_tags import JPEG, PNG

_PNG_END, _JPEG_END = b"IEND\xaeB`\x82", b"\xff\xd9"
_TAIL_BYTES = 1024
_TAGS_BYTES = 1 << 16
# A while loop takes 0.1 ms a segment: a file of fill bytes alone must not take minutes.
_MAX_SEGMENTS = 1 << 12
# JPEG markers (ITU-T T.81, table B.1): frames, those that are lossless, those without a length, and
# those behind which there is no frame.
_FRAMES = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC))
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_BARE = (0x01, *range(0xD0, 0xD9))
_LAST = (0xD9, 0xDA)


class Header(NamedTuple):
    """What a file says of its picture.

    Attributes:
        reason: string [], why it must not be decoded; empty if it may be.
        is_png: bool [], whether it is PNG.
        height: int64 [], in pixels.
        width: int64 [], in pixels.
        depth: int32 [], bits of a sample.
        colour: int32 [], colour type of a PNG, number of channels of a JPEG.
    """

    reason: tf.Tensor
    is_png: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    depth: tf.Tensor
    colour: tf.Tensor


def read(encoded: tf.Tensor) -> Header:
    """Reads the header of a file's content, string []; never fails."""
    is_png = tf.equal(tf.strings.substr(encoded, 0, len(PNG)), PNG)
    is_jpeg = tf.equal(tf.strings.substr(encoded, 0, len(JPEG)), JPEG)
    nothing = [tf.constant(0, kind) for kind in (tf.int64, tf.int64, tf.int32, tf.int32)]
    neither = Header(tf.constant("not_a_picture"), tf.constant(False), *nothing)
    header: Header = tf.cond(
        is_png,
        lambda: _of_png(encoded),
        lambda: tf.cond(is_jpeg, lambda: _of_jpeg(encoded), lambda: neither),
    )
    return header


def head(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the first 64 KiB of a file, int32 [n]."""
    start = tf.strings.substr(encoded, 0, _TAGS_BYTES)
    return tf.cast(tf.io.decode_raw(start, tf.uint8), tf.int32)


def first(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Returns where the first occurrence of a pattern in int32 [n] ends; n if there is none."""
    ends = tf.cast(tf.where(_hits(data, pattern))[:, 0], tf.int32) + len(pattern)
    return tf.concat([ends, [tf.size(data)]], 0)[0]


def has(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Tells whether a pattern occurs in bytes [n]."""
    return tf.reduce_any(_hits(data, pattern))


def _of_png(encoded: tf.Tensor) -> Header:
    start = _bytes(encoded, 0, 26)
    width, height = _number(start[16:20]), _number(start[20:24])
    reason = _first_true(
        (tf.strings.length(encoded) > MAX_BYTES, "too_large"),
        (~_lies_behind(encoded, 0, _PNG_END), "cut_short"),
        *_sizes(height, width),
    )
    return Header(reason, tf.constant(True), height, width, start[24], start[25])


def _of_jpeg(encoded: tf.Tensor) -> Header:
    # 1. From segment to segment up to the one that starts a frame (B.2.2).
    at = tf.while_loop(
        lambda at: ~_is_last(_bytes(encoded, at, 2)),
        lambda at: (at + _step(_bytes(encoded, at, 4)),),
        (tf.constant(2),),
        maximum_iterations=_MAX_SEGMENTS,
    )[0]
    frame = _bytes(encoded, at, 10)
    height, width, channels = _number(frame[5:7]), _number(frame[7:9]), frame[9]
    is_frame = _among(frame[1], _FRAMES) & (at + 10 <= tf.strings.length(encoded))
    # 2. In the order of `picture_files`. The picture of a thumbnail ends before the frame.
    reason = _first_true(
        (~is_frame | (frame[0] != 0xFF), "damaged"),
        (~_lies_behind(encoded, at, _JPEG_END), "cut_short"),
        *_sizes(height, width),
        ((channels != 1) & (channels != 3), "pixel_type"),
        (_among(frame[1], _LOSSLESS) | (frame[4] != 8), "pixel_type"),
    )
    return Header(reason, tf.constant(False), height, width, frame[4], channels)


def _is_last(segment: tf.Tensor) -> tf.Tensor:
    return (segment[0] != 0xFF) | _among(segment[1], (*_FRAMES, *_LAST))


def _step(segment: tf.Tensor) -> tf.Tensor:
    """Returns how many bytes a segment has; a fill byte is skipped alone (B.1.1.2)."""
    length = tf.where(_among(segment[1], _BARE), 0, segment[2] * 256 + segment[3])
    return tf.where(segment[1] == 0xFF, 1, 2 + length)


def _sizes(height: tf.Tensor, width: tf.Tensor) -> list[tuple[tf.Tensor, str]]:
    # The product of two sizes of 32 bits has 64, and the sign takes one.
    pixels = tf.cast(height, tf.float64) * tf.cast(width, tf.float64)
    is_giant = (pixels > MAX_PIXELS) | (tf.maximum(height, width) > MAX_SIDE)
    return [(pixels == 0, "damaged"), (is_giant, "too_large")]


def _first_true(*cases: tuple[tf.Tensor, str]) -> tf.Tensor:
    found = tf.constant("")
    for is_so, reason in reversed(cases):
        found = tf.where(is_so, reason, found)
    return found


def _among(value: tf.Tensor, values: Sequence[int]) -> tf.Tensor:
    return tf.reduce_any(value == tf.constant(values))


def _lies_behind(encoded: tf.Tensor, start: tf.Tensor | int, mark: bytes) -> tf.Tensor:
    """Tells whether a mark lies behind a start: at the end of the file, or anywhere."""
    size = tf.strings.length(encoded)

    def found(at: tf.Tensor) -> tf.Tensor:
        data = tf.strings.substr(encoded, tf.minimum(at, size), size)
        return has(tf.io.decode_raw(data, tf.uint8), mark)

    near = found(tf.maximum(start, size - _TAIL_BYTES))
    return tf.cond(near, lambda: tf.constant(True), lambda: found(tf.convert_to_tensor(start)))


def _hits(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    count = tf.maximum(tf.size(data) - len(pattern) + 1, 0)
    hits = tf.ones([count], tf.bool)
    for at, byte in enumerate(pattern):
        hits &= data[at : at + count] == byte
    return hits


def _bytes(encoded: tf.Tensor, at: tf.Tensor | int, count: int) -> tf.Tensor:
    """Returns int32 [count], zeros behind the end of the file."""
    start = tf.minimum(at, tf.strings.length(encoded))
    data = tf.strings.substr(encoded, start, count)
    return tf.cast(tf.io.decode_raw(data, tf.uint8, fixed_length=count), tf.int32)


def _number(data: tf.Tensor) -> tf.Tensor:
    """Returns what big-endian bytes, int32 [n], say: int64 []."""
    places = [256**place for place in reversed(range(data.shape[0]))]
    return tf.reduce_sum(tf.cast(data, tf.int64) * tf.constant(places, tf.int64))
