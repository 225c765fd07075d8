# SPDX-License-Identifier: MIT
"""Training-only changes of the pictures: functions of (seed, step, position) on the accelerator.

Nothing here keeps state, so an interrupted run and one on another number of replicas see the same
pictures.
"""

import math

import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph
from trainer.config import DataConfig
from trainer.recipe import AugmentationConfig
from trainer.training import augment_resampling


def augment(
    pixels: tf.Tensor,
    positions: tf.Tensor,
    *,
    key: tf.Tensor,
    global_batch: int,
    data: DataConfig,
    augmentation: AugmentationConfig,
) -> tf.Tensor:
    """Cuts a part out of each picture, mirrors half of them, and turns and tones them if asked.

    By default the part is a square of the evaluation's size, anywhere. All else of the geometry is
    one resampling; then come contrast, about the mean of what was cut out, brightness and rounding.

    Args:
        pixels: uint8 [b, stored, stored] with static sizes.
        positions: int64 [b], each example's place in the global batch.
        key: int [2], seed and step.
        global_batch: examples in the global batch.
        data: side of the result, side of the square that evaluation looks at, whether to mirror.
        augmentation: what else is done.

    Returns:
        uint8 [b, image_size, image_size].
    """
    # Drawn for the whole global batch and then picked: the draw does not depend on the replicas.
    more = 2 * _uniform([global_batch, 5], tf.random.experimental.stateless_fold_in(key, 1)) - 1
    factors = 1 + augmentation.contrast * more[:, 3]
    summands = 255 * augmentation.brightness * more[:, 4]
    tones = tf.gather(tf.stack([factors, summands], axis=1), positions)
    if augmentation.min_area or augmentation.rotation:
        # Sines and roots too: of vectors they may round otherwise than of a single number.
        draws = _uniform([global_batch, 3], key)
        frames = _frames(draws, more, pixels.shape[1], data, augmentation)
        taps = _taps(pixels.shape[1], data, augmentation)
        at = tf.gather(frames, positions)
        return augment_resampling.resampled(pixels, at, tones, size=data.image_size, taps=taps)
    draws = tf.random.stateless_uniform([global_batch, 3], key)
    cut = _square(pixels, tf.gather(draws, positions), data)
    if augmentation.brightness or augmentation.contrast:
        return augment_resampling.toned(tf.cast(cut, tf.float32), tones)
    return cut


def _uniform(shape: list[int], key: tf.Tensor) -> tf.Tensor:
    # What the operation gives without bounds, but XLA makes other fractions of the same bits.
    bits = tf.random.stateless_uniform(shape, key, None, None, tf.int32, alg="philox")
    return tf.cast(tf.bitwise.bitwise_and(bits, 2**23 - 1), tf.float32) / 2**23


def _square(pixels: tf.Tensor, draws: tf.Tensor, data: DataConfig) -> tf.Tensor:
    """Cuts squares of the evaluation's size, exact to the pixel, by draws [b, 3]."""
    side = image.crop_side(pixels.shape[1], data.crop_fraction)
    room = pixels.shape[1] - side + 1.0
    top, left = tf.split(tf.cast(draws[:, :2] * room, tf.int32), 2, axis=1)
    run = tf.range(side)[tf.newaxis]
    columns = left + run
    if data.flip:
        columns = tf.where(draws[:, 2:] < 0.5, left + side - 1 - run, columns)
    cut = tf.gather(pixels, top + run, axis=1, batch_dims=1)
    cut = tf.gather(cut, columns, axis=2, batch_dims=1)
    return image_graph.scale(tf.ensure_shape(cut, [None, side, side]), data.image_size)


def _frames(
    draws: tf.Tensor,
    more: tf.Tensor,
    stored: int,
    data: DataConfig,
    augmentation: AugmentationConfig,
) -> tf.Tensor:
    """Returns float32 [global batch, 2, 4], where results lie, for `augment_resampling`."""
    # 1. Height and width of the crop, and its upper left corner, in pixels of the picture.
    if augmentation.min_area:
        share = (more[:, 0] + 1) / 2
        area = augmentation.min_area * (1 - share) + augmentation.max_area * share
        # Of the ratios, those with which a crop of this area lies in the picture.
        most = tf.minimum(math.log(augmentation.max_ratio), -tf.math.log(area))
        ratio = tf.exp(most * more[:, 1])
        areas = tf.stack([area / ratio, area * ratio], axis=1)
        size = tf.minimum(stored * tf.sqrt(areas), float(stored))
        corner = draws[:, :2] * (stored - size)
    else:
        side = image.crop_side(stored, data.crop_fraction)
        corner = tf.floor(draws[:, :2] * (stored - side + 1.0))
        size = tf.fill(tf.shape(corner), float(side))
    # 2. Steps of one pixel along a row of the result and down a column, each as x and y in the
    # picture: scaled, mirrored, turned.
    height, width = tf.unstack(size / data.image_size, axis=1)
    width = tf.where(draws[:, 2] < 0.5, -width, width) if data.flip else width
    angle = math.radians(augmentation.rotation) * more[:, 2]
    along = tf.stack([tf.cos(angle) * width, tf.sin(angle) * width], axis=1)
    down = tf.stack([-tf.sin(angle) * height, tf.cos(angle) * height], axis=1)
    # 3. By the root of the squares where both shrink, so that a turn alone does not blur.
    radius = tf.maximum(1.0, tf.sqrt(along**2 + down**2))
    return tf.stack([along, down, (corner + size / 2)[:, ::-1], radius], axis=2)


def _taps(stored: int, data: DataConfig, augmentation: AugmentationConfig) -> int:
    """Returns how many pixels of an axis the widest kernel covers."""
    side = float(image.crop_side(stored, data.crop_fraction))
    if augmentation.min_area:
        side = stored * min(1.0, math.sqrt(augmentation.max_area * augmentation.max_ratio))
    return math.ceil(2 * max(1.0, side / data.image_size))
