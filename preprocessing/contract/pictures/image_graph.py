# SPDX-License-Identifier: MIT
"""The canonical picture and the model's view of it as TensorFlow operations.

`canonical` repeats the rules of `image.py` for serving; `fit` cuts the model's input out of a
stored picture, alike in evaluation and serving. What a file says beside its pixels is looked for in
its first 64 KiB, where the standards of EXIF and PNG put it.
"""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.pictures import image

_PNG_START = b"\x89PNG"
_TAGS_BYTES = 1 << 16
# The entry Orientation (0x0112) of a TIFF directory: one SHORT, in either order of bytes.
_LITTLE, _BIG = b"\x12\x01\x03\0\x01\0\0\0", b"\x01\x12\0\x03\0\0\0\x01"


def canonical(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes one PNG or JPEG file to its canonical picture.

    Args:
        encoded: string [], the file's content.
        size: side of the result in pixels.

    Returns:
        uint8 [size, size].

    Raises:
        tf.errors.InvalidArgumentError: at run time, if the bytes cannot be decoded.
    """
    is_png = tf.equal(tf.strings.substr(encoded, 0, 4), _PNG_START)
    pixels = tf.cond(is_png, lambda: _decode_png(encoded), lambda: _decode_jpeg(encoded))
    return _resize(_square(_upright(pixels, _orientation(encoded, is_png))), size)


def stored(encoded: tf.Tensor, size: int, encoding: str = "png") -> tf.Tensor:
    """Decodes a picture as preprocessing stored it: string [] to uint8 [size, size].

    Raw ones also many at a time: string [n] to uint8 [n, size, size].

    Args:
        encoded: the record's picture.
        size: side of the stored pictures in pixels.
        encoding: "png" or "raw", as the manifest says.
    """
    if encoding == "raw":
        pixels = tf.io.decode_raw(encoded, tf.uint8)
        return tf.reshape(pixels, [*encoded.shape.as_list(), size, size])
    pixels = tf.io.decode_png(encoded, channels=1)
    return tf.ensure_shape(pixels[..., 0], [size, size])


def fit(pixels: tf.Tensor, *, image_size: int, crop_fraction: float) -> tf.Tensor:
    """Cuts the model's input out of stored pictures: centre square, then rule 4.

    Args:
        pixels: uint8 [n, stored_size, stored_size] with a static size.
        image_size: side of the model's input in pixels.
        crop_fraction: side of the centre square as a share of the stored side.

    Returns:
        uint8 [n, image_size, image_size].
    """
    stored_size = pixels.shape[1]
    side = image.crop_side(stored_size, crop_fraction)
    start = (stored_size - side) // 2
    return scale(pixels[:, start : start + side, start : start + side], image_size)


def scale(pixels: tf.Tensor, size: int) -> tf.Tensor:
    """Brings uint8 [n, side, side] to uint8 [n, size, size] by rule 4 of `image.py`.

    Two matrix products: unlike TensorFlow's area resize they run on every accelerator.
    """
    side = pixels.shape[1]
    if side == size:
        return pixels
    weights = tf.constant(_weights(side, size))
    resized = tf.einsum("ab,nbc,dc->nad", weights, tf.cast(pixels, tf.float32), weights)
    return tf.cast(tf.round(resized), tf.uint8)


def _weights(side: int, size: int) -> npt.NDArray[np.float32]:
    """Returns float32 [size, side]: how much each source pixel adds to each target pixel."""
    edges = np.arange(size + 1) * side / size
    source = np.arange(side)
    if size < side:
        low = np.maximum(edges[:-1, None], source)
        high = np.minimum(edges[1:, None], source + 1)
        overlaps = np.clip(high - low, 0, None) * size / side
        return np.asarray(overlaps, np.float32)
    centres = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, side - 1)
    return np.asarray(np.clip(1 - np.abs(centres[:, None] - source), 0, None), np.float32)


def _decode_png(encoded: tf.Tensor) -> tf.Tensor:
    # Four channels of 16 bits hold every PNG without loss: grey v is (v, v, v), 8 bits are v * 257,
    # and the luma of those goes back to the luma of the 8 bits for every colour.
    channels = tf.cast(tf.io.decode_png(encoded, channels=4, dtype=tf.uint16), tf.int32)
    return tf.cast((_luma(_spread(encoded, channels[..., :3])) + 128) // 257, tf.uint8)


def _spread(encoded: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
    """Spreads the low bits of int32 [height, width, 3] by sBIT over the whole range (rule 0)."""
    # 1. The bits that the file names, and whether it may: not of a palette, fewer than are stored.
    head = _head(encoded)
    depth, colour = head[24], head[25]
    kind = _first(head, b"sBIT")
    length = tf.where(colour % 4 >= 2, 3, 1)
    bits = tf.reduce_max(tf.pad(head, [[0, 3]])[kind : kind + length])
    named = (kind < tf.size(head)) & (colour != 3) & (depth >= 8) & (bits > 0) & (bits < depth)
    bits = tf.where(named, bits, depth)  # equal ones change nothing
    # 2. Samples as they are stored; decoding has multiplied those of fewer than 16 bits.
    full, top = tf.pow(2, depth) - 1, tf.pow(2, bits) - 1
    samples = colours // (65535 // full)

    def spread() -> tf.Tensor:
        wide = tf.cast(samples, tf.int64) * tf.cast(full, tf.int64) + tf.cast(top // 2, tf.int64)
        return tf.cast(wide // tf.cast(top, tf.int64), tf.int32) * (65535 // full)

    # 3. Only where the low bits are used: high ones leave the lowest empty.
    low = samples % ((full + 1) // (top + 1))
    is_low = (tf.reduce_max(samples) <= top) & tf.reduce_any(low > 0)
    return tf.cond(named & is_low, spread, lambda: colours)


def _orientation(encoded: tf.Tensor, is_png: tf.Tensor) -> tf.Tensor:
    """Returns the orientation that EXIF names, int32 [] from 1 to 8."""
    head = _head(encoded)
    exif = tf.where(is_png, _first(head, b"eXIf"), _first(head, b"Exif\0\0"))
    # The first directory comes first, before that of a thumbnail.
    little, big = (_first(head[exif:], entry) for entry in (_LITTLE, _BIG))
    value = tf.pad(head, [[0, 2]])[exif + tf.minimum(little, big + 1)]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _head(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the first bytes of a file, int32 [n]."""
    head = tf.strings.substr(encoded, 0, _TAGS_BYTES)
    return tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)


def _first(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Returns where the first occurrence of a pattern in int32 [n] ends; n if there is none."""
    count = tf.maximum(tf.size(data) - len(pattern) + 1, 0)
    hits = tf.ones([count], tf.bool)
    for at, byte in enumerate(pattern):
        hits &= data[at : at + count] == byte
    ends = tf.cast(tf.where(hits)[:, 0], tf.int32) + len(pattern)
    return tf.concat([ends, [tf.size(data)]], 0)[0]


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors [height, width] from an EXIF orientation to upright."""
    turned = tf.cond(orientation >= 5, lambda: tf.transpose(pixels), lambda: pixels)
    for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        is_so = tf.reduce_any(orientation == tf.constant(mirrored))
        turned = tf.reverse(turned, tf.boolean_mask([axis], [is_so]))
    return turned


def _luma(channels: tf.Tensor) -> tf.Tensor:
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def _decode_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    colours = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.cast(_luma(tf.cast(colours, tf.int32)), tf.uint8)


def _square(pixels: tf.Tensor) -> tf.Tensor:
    height, width = tf.unstack(tf.shape(pixels))
    side = tf.maximum(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return tf.pad(pixels, [[top, side - height - top], [left, side - width - left]])


def _resize(pixels: tf.Tensor, size: int) -> tf.Tensor:
    side = tf.shape(pixels)[0]
    resized = tf.cond(
        side > size,
        lambda: tf.image.resize(pixels[..., tf.newaxis], [size, size], method="area"),
        lambda: tf.image.resize(pixels[..., tf.newaxis], [size, size], method="bilinear"),
    )
    return tf.ensure_shape(tf.cast(tf.round(resized[..., 0]), tf.uint8), [size, size])
