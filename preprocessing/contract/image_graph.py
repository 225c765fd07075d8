# SPDX-License-Identifier: MIT
"""The canonical picture and the model's view of it as TensorFlow operations.

`canonical` repeats the rules of `image.py` for serving; `fit` cuts the model's input out of a
stored picture, alike in evaluation and serving.
"""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract import image

_PNG_START = b"\x89PNG"


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
    return _resize(_square(pixels), size)


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
    return tf.cast((_luma(channels) + 128) // 257, tf.uint8)


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
