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
from preprocessing.contract.pictures import picture_files_graph as files
from preprocessing.contract.pictures.picture_files_graph import Header

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
    return resize(decode(encoded, files.read(encoded))[tf.newaxis], size)[0]


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


def decode(encoded: tf.Tensor, header: Header) -> tf.Tensor:
    """Decodes a file, string [], to grey uint8 [height, width] by rules 0 to 2.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if the bytes cannot be decoded.
    """
    pixels = tf.cond(
        header.is_png,
        lambda: _decode_png(encoded, header),
        lambda: _decode_jpeg(encoded, header),
    )
    return _upright(pixels, _orientation(encoded, header.is_png))


def _decode_png(encoded: tf.Tensor, header: Header) -> tf.Tensor:
    is_grey = header.colour == 0
    has_bits = files.has(files.head(encoded), b"sBIT")
    return tf.cond(
        is_grey & (header.depth <= 8) & ~has_bits,
        lambda: tf.io.decode_png(encoded, channels=1)[..., 0],
        lambda: tf.cond(
            is_grey, lambda: _decode_deep(encoded, 1), lambda: _decode_deep(encoded, 3)
        ),
    )


def _decode_deep(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    # 16 bits hold every PNG without loss: 8 bits are v * 257, and the luma of those goes back to
    # the luma of the 8 bits for every colour.
    samples = tf.io.decode_png(encoded, channels=channels, dtype=tf.uint16)
    return tf.cast((_luma(_spread(encoded, tf.cast(samples, tf.int32))) + 128) // 257, tf.uint8)


def _spread(encoded: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
    """Spreads the low bits of int32 [height, width, channels] by sBIT over all (rule 0)."""
    # 1. The bits that the file names, and whether it may: not of a palette, fewer than are stored.
    head = files.head(encoded)
    depth, colour = head[24], head[25]
    kind = files.first(head, b"sBIT")
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
    head = files.head(encoded)
    exif = tf.where(is_png, files.first(head, b"eXIf"), files.first(head, b"Exif\0\0"))
    # The first directory comes first, before that of a thumbnail.
    little, big = (files.first(head[exif:], entry) for entry in (_LITTLE, _BIG))
    value = tf.pad(head, [[0, 2]])[exif + tf.minimum(little, big + 1)]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors [height, width] from an EXIF orientation to upright."""
    turned = tf.cond(orientation >= 5, lambda: _transposed(pixels), lambda: pixels)
    for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        is_so = tf.reduce_any(orientation == tf.constant(mirrored))
        turned = tf.reverse(turned, tf.boolean_mask([axis], [is_so]))
    return turned


def _transposed(pixels: tf.Tensor) -> tf.Tensor:
    """Swaps the axes of uint8 [height, width] by the place of each pixel.

    Of a transpose of integers, oneDNN prints an error on some processors, and does it.
    """
    height, width = tf.unstack(tf.shape(pixels))
    places = tf.range(width)[:, tf.newaxis] + width * tf.range(height)
    return tf.gather(tf.reshape(pixels, [-1]), places)


def _luma(channels: tf.Tensor) -> tf.Tensor:
    if channels.shape[-1] == 1:
        return channels[..., 0]
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def _decode_jpeg(encoded: tf.Tensor, header: Header) -> tf.Tensor:
    def decoded(channels: int) -> tf.Tensor:
        colours = tf.io.decode_jpeg(encoded, channels=channels, dct_method="INTEGER_ACCURATE")
        return tf.cast(_luma(tf.cast(colours, tf.int32)), tf.uint8)

    return tf.cond(header.colour == 1, lambda: decoded(1), lambda: decoded(3))


def resize(pixels: tf.Tensor, size: int) -> tf.Tensor:
    """Brings uint8 [n, height, width] to uint8 [n, size, size] by rules 3 and 4."""
    # 3. Black borders on the shorter side.
    height, width = tf.unstack(tf.shape(pixels)[1:])
    side = tf.maximum(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    squares = tf.pad(pixels, [[0, 0], [top, side - height - top], [left, side - width - left]])
    # 4. The mean over each target pixel's area when shrinking, bilinear otherwise.
    resized = tf.cond(side > size, lambda: _shrunk(squares, size), lambda: _enlarged(squares, size))
    return tf.ensure_shape(resized, [None, size, size])


def _shrunk(squares: tf.Tensor, size: int) -> tf.Tensor:
    means = tf.image.resize(squares[..., tf.newaxis], [size, size], method="area")[..., 0]
    # OpenCV rounds halves up where it takes the mean of 2 x 2 pixels, and to even elsewhere.
    is_half = tf.shape(squares)[1] == 2 * size
    return tf.cast(tf.where(is_half, tf.floor(means + 0.5), tf.round(means)), tf.uint8)


def _enlarged(squares: tf.Tensor, size: int) -> tf.Tensor:
    """Interpolates in the whole numbers of OpenCV, whose weights have 11 bits."""
    side = tf.shape(squares)[1]
    step = 1 / (size / tf.cast(side, tf.float64))
    at = tf.cast((tf.range(size, dtype=tf.float64) + 0.5) * step - 0.5, tf.float32)
    first = tf.floor(at)
    places = [tf.clip_by_value(tf.cast(first, tf.int32) + more, 0, side - 1) for more in (0, 1)]
    shares = [tf.cast(tf.round(2048 * part), tf.int32) for part in (1 - (at - first), at - first)]
    taps = list(zip(places, shares, strict=True))
    wide = tf.cast(squares, tf.int32)
    rows = tf.add_n([tf.gather(wide, place, axis=2) * share for place, share in taps]) // 16
    parts = [tf.gather(rows, place, axis=1) * share[:, None] // 65536 for place, share in taps]
    return tf.cast((tf.add_n(parts) + 2) // 4, tf.uint8)
