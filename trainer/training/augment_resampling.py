# SPDX-License-Identifier: MIT
"""Resamples pictures by an affine map each, with antialiasing, and tones them; draws nothing."""

import functools
from collections.abc import Callable

import tensorflow as tf


def resampled(
    pixels: tf.Tensor, frames: tf.Tensor, tones: tf.Tensor, *, size: int, taps: int
) -> tf.Tensor:
    """Returns what pictures look like in their frames, uint8 [b, size, size].

    The value at a place is the mean of the `taps` x `taps` pixels around it, weighted by a tent of
    the given radius along each axis of the picture; with radius 1 that is bilinear. Beyond its edge
    a picture goes on as it is at the edge. Black corners would be edges that no film has, tell the
    angle to the network, and shift the mean; evaluation never has them.

    Of what was tried on a CPU, one gather of uint8 for each tap, compiled by XLA, was the fastest,
    six times as fast as operations one by one: one loop, and no large tensors in between. Two
    passes, one an axis, would have 6 taps for 9, but cannot turn by much. A TPU is slow at gathers.

    Args:
        pixels: uint8 [b, stored, stored].
        frames: float32 [b, 2, 4]; for x and y, in pixels of the picture: steps from column to
            column and from row to row of the result, its centre, and the radius, 1 or more.
        tones: see `toned`.
        size: side of the result.
        taps: twice the greatest radius, rounded up.
    """
    # XLA for GPUs needs parts of CUDA that not every installation has; `runtime.xla` is for those.
    on_cpu = not any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))
    return _compiled(size, taps, on_cpu)(pixels, frames, tones)


def toned(pixels: tf.Tensor, tones: tf.Tensor) -> tf.Tensor:
    """Stretches greys about each picture's mean, adds to them, and rounds to uint8, halves to even.

    Pixels are float32 [b, height, width], 0 to 255; tones [b, 2], a factor and a summand.
    """
    factor, summand = (one[:, tf.newaxis] for one in tf.split(tones, 2, axis=1))
    mean = tf.reduce_mean(pixels, axis=[1, 2], keepdims=True)
    changed = pixels * factor + (mean * (1 - factor) + summand)
    return tf.cast(tf.round(tf.clip_by_value(changed, 0.0, 255.0)), tf.uint8)


@functools.cache
def _compiled(size: int, taps: int, by_xla: bool) -> Callable[..., tf.Tensor]:
    def function(pixels: tf.Tensor, frames: tf.Tensor, tones: tf.Tensor) -> tf.Tensor:
        return toned(_gathered(pixels, frames, size, taps), tones)

    return tf.function(function, jit_compile=by_xla)  # type: ignore[no-any-return]


def _gathered(pixels: tf.Tensor, frames: tf.Tensor, size: int, taps: int) -> tf.Tensor:
    """Returns float32 [b, size, size]."""
    stored = pixels.shape[1]
    flat = tf.reshape(pixels, [-1, stored * stored])
    columns, across = _taps(frames[:, 0], size, stored, taps)
    rows, down = _taps(frames[:, 1], size, stored, taps)
    total = 0.0
    for row, by_row in zip(rows, down, strict=True):
        line = 0.0
        for column, by_column in zip(columns, across, strict=True):
            found = tf.gather(flat, row * stored + column, axis=1, batch_dims=1)
            line += by_column * tf.cast(found, tf.float32)
        total += by_row * line
    return total / (tf.add_n(across) * tf.add_n(down))


def _taps(frame: tf.Tensor, size: int, stored: int, taps: int) -> list[list[tf.Tensor]]:
    """Returns the index int32 and the weight float32 of each tap of an axis, [b, size, size]."""
    by_column, by_row, centre, radius = (one[:, tf.newaxis] for one in tf.split(frame, 4, axis=1))
    steps = tf.range(size, dtype=tf.float32) + (0.5 - size / 2)
    # The centre of a pixel is half a pixel from its edge. The first tap is the first pixel whose
    # centre is nearer than the radius.
    place = by_column * steps + by_row * steps[:, tf.newaxis] + (centre + 0.5 - radius)
    first = tf.floor(place)
    rest = place - first
    places = [tf.clip_by_value(first + tap, 0.0, stored - 1.0) for tap in range(taps)]
    weights = [tf.minimum(rest + (2 * radius - 1 - tap), 1 + tap - rest) for tap in range(taps)]
    return [[tf.cast(one, tf.int32) for one in places], [tf.maximum(one, 0.0) for one in weights]]
