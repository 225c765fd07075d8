# SPDX-License-Identifier: MIT
"""Canonical pictures out of what the SavedModel's signatures take, some of which may be unusable.

Each of those gets one of the reasons of `picture_files.py` and fails no other.
"""

from collections.abc import Callable

import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph, picture_files_graph

Read = tuple[tf.Tensor, tf.Tensor]


def read_all(encoded: tf.Tensor, size: int, one: Callable[[tf.Tensor], Read]) -> Read:
    """Decodes many files at once, on all cores; one that cannot be used fails no other.

    Args:
        encoded: string [n].
        size: side of the results in pixels.
        one: makes a picture, uint8 [size, size], and its reason out of one of them.

    Returns:
        Pictures uint8 [n, size, size], and string [n], why one cannot be used: "" if it can be,
        "damaged" where `one` failed. The pixels of such a picture mean nothing.
    """
    count = tf.size(encoded, tf.int64)
    made = (
        tf.data.Dataset.from_tensor_slices(encoded)
        .enumerate()
        .map(lambda at, content: (at, *one(content)), num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
    )
    # One more, as a data set without elements has no batch.
    nothing = (count, tf.zeros([size, size], tf.uint8), "")
    whole = made.concatenate(tf.data.Dataset.from_tensors(nothing)).batch(count + 1)
    at, squares, reasons = whole.get_single_element()
    at, rows = at[:, tf.newaxis], tf.stack([count + 1])
    black = tf.zeros(tf.concat([rows, [size, size]], 0), tf.uint8)
    squares = tf.tensor_scatter_nd_update(black, at, squares)
    reasons = tf.tensor_scatter_nd_update(tf.fill(rows, "damaged"), at, reasons)
    return tf.ensure_shape(squares[:-1], [None, size, size]), reasons[:-1]


def read(encoded: tf.Tensor, size: int) -> Read:
    """Decodes a file, string [], to its canonical picture and the reason why it cannot be used.

    Raises:
        tf.errors.OpError: at run time, where a file is damaged in a way that its header hides.
    """
    header = picture_files_graph.read(encoded)
    is_sound = tf.equal(header.reason, "")
    pixels = tf.cond(
        is_sound,
        lambda: image_graph.decode(encoded, header),
        lambda: tf.zeros([1, 1], tf.uint8),
    )
    reason = tf.where(is_sound, _unseen(pixels), header.reason)
    return image_graph.resize(pixels[tf.newaxis], size)[0], reason


def read_stored(encoded: tf.Tensor, size: int, encoding: str) -> Read:
    """Decodes a record's picture, string [], or says why it cannot be used; see `read`."""
    if encoding == "raw":
        reason = tf.where(tf.strings.length(encoded) == size * size, "", "wrong_size")
    else:
        header = picture_files_graph.read(encoded)
        fits = (header.height == size) & (header.width == size)
        reason = tf.where(tf.equal(header.reason, "") & ~fits, "wrong_size", header.reason)
    made = tf.cond(
        tf.equal(reason, ""),
        lambda: image_graph.stored(encoded, size, encoding),
        lambda: tf.zeros([size, size], tf.uint8),
    )
    return made, reason


def read_pixels(pixels: tf.Tensor, size: int) -> Read:
    """Brings grey pictures of one size, uint8 [n, height, width], to canonical ones.

    Those of the size already are left as they are. See `read_all` for what is returned.
    """
    count, shape = tf.shape(pixels)[0], tf.shape(pixels)[1:]
    is_stored = tf.reduce_all(shape == size)
    is_seen = tf.reduce_all((shape >= image.MIN_SIDE) & (shape <= image.MAX_SIDE))
    seen = tf.cond(is_seen, lambda: pixels, lambda: tf.zeros([count, 1, 1], tf.uint8))
    made = tf.cond(is_stored, lambda: pixels, lambda: image_graph.resize(seen, size))
    return tf.ensure_shape(made, [None, size, size]), _unseen(pixels)


def _unseen(pixels: tf.Tensor) -> tf.Tensor:
    """Returns why there is nothing to see in uint8 [..., height, width]: string [...]."""
    flat = tf.reduce_min(pixels, [-2, -1]) == tf.reduce_max(pixels, [-2, -1])
    shape = tf.shape(pixels)[-2:]
    reason = tf.where(flat, "constant", "")
    reason = tf.where(tf.reduce_any(shape < image.MIN_SIDE), "too_small", reason)
    return tf.where(tf.reduce_any(shape > image.MAX_SIDE), "too_large", reason)
