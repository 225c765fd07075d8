# SPDX-License-Identifier: MIT
"""Training-only changes of the pictures: functions of (seed, step, position) on the accelerator.

Nothing here keeps state, so an interrupted run and one on another number of replicas see the same
pictures.
"""

import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph
from trainer.config import DataConfig
from trainer.recipe import AugmentationConfig


def augment(
    pixels: tf.Tensor,
    positions: tf.Tensor,
    *,
    key: tf.Tensor,
    global_batch: int,
    data: DataConfig,
    augmentation: AugmentationConfig,
) -> tf.Tensor:
    """Cuts a square of the evaluation's size anywhere from each picture, and mirrors half of them.

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
    stored = pixels.shape[1]
    side = image.crop_side(stored, data.crop_fraction)
    # Drawn for the whole global batch and then picked: the draw does not depend on the replicas.
    draws = tf.random.stateless_uniform([global_batch, 3], key)
    draws = tf.gather(draws, positions)
    room = tf.cast(stored - side + 1, tf.float32)
    top = tf.cast(draws[:, 0] * room, tf.int32)[:, tf.newaxis]
    left = tf.cast(draws[:, 1] * room, tf.int32)[:, tf.newaxis]
    run = tf.range(side)[tf.newaxis]
    columns = left + run
    if data.flip:
        columns = tf.where(draws[:, 2:] < 0.5, left + side - 1 - run, columns)
    cut = tf.gather(pixels, top + run, axis=1, batch_dims=1)
    cut = tf.gather(cut, columns, axis=2, batch_dims=1)
    return image_graph.scale(tf.ensure_shape(cut, [None, side, side]), data.image_size)
