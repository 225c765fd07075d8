# SPDX-License-Identifier: MIT
"""Shows training pictures beside what augmentation makes of them."""

import functools

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import Config
from trainer.training.augment import augment

_STEPS, _MOST_SIDE = 5, 160


def sheet(stored: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """Returns a row for each picture: as it is stored, then as the first five steps would have it.

    From uint8 [n, stored, stored] to uint8 [n * side, 6 * side]; side is 160 pixels at most.
    """
    columns = [stored]
    for step in range(_STEPS):
        with tf.device("/cpu:0"):
            changed = augment(
                tf.constant(stored),
                tf.range(len(stored), dtype=tf.int64),
                key=tf.constant([config.seed, 2 * step], tf.int64),
                global_batch=len(stored),
                data=config.data,
                augmentation=config.augmentation,
            )
        columns.append(changed.numpy())
    tile = (min(config.data.image_size, _MOST_SIDE),) * 2
    small = functools.partial(cv2.resize, dsize=tile, interpolation=cv2.INTER_AREA)
    return np.hstack([np.vstack([*map(small, column)]) for column in columns])
