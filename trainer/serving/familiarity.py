# SPDX-License-Identifier: MIT
"""How far a picture is from those of training, as operations of the SavedModel's graph.

Two views of a picture are measured, and the farther counts: the features that the network pools,
and the picture's layout. The network learned to tell findings, not films, from each other: of films
upside down it alone finds about half, and the layout nearly all. What has the right layout but a
strange texture or content is for the pooled features.
"""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.pictures import image_graph
from trainer.network.model import Model
from trainer.serving import names

Floats = npt.NDArray[np.float32]

# Sides of the small picture in pixels, and of the grid that is laid over it in cells.
_SIDE, _CELLS = 64, 8
# Of a picture without any contrast, as a share of full scale.
_LEAST_CONTRAST = 0.01


def with_pooled(model: Model) -> keras.Model:
    """Returns uint8 [n, size, size] -> logits [n, F] and pooled features [n, channels]."""
    pooled = model.features.get_layer("pool").output
    return keras.Model(model.network.input, [model.network.output, pooled])


def layout(squares: tf.Tensor) -> tf.Tensor:
    """Returns where a picture is bright and where it is rough, whatever its contrast.

    Args:
        squares: canonical pictures, uint8 [n, stored_size, stored_size].

    Returns:
        float32 [n, 130]: for each of 8 x 8 cells the mean, from the picture's own and in its own
        standard deviations, and the log of the share of contrast inside the cell; then the
        picture's mean and the log of its standard deviation.
    """
    small = tf.cast(image_graph.scale(squares, _SIDE), tf.float32) / 255.0
    pixels = _SIDE // _CELLS
    cells = tf.reshape(small, [-1, _CELLS, pixels, _CELLS, pixels])
    mean = tf.reduce_mean(small, [1, 2])[:, tf.newaxis]
    spread = tf.math.reduce_std(small, [1, 2])[:, tf.newaxis]
    contrast = tf.maximum(spread, _LEAST_CONTRAST)
    count = _CELLS * _CELLS
    bright = (tf.reshape(tf.reduce_mean(cells, [2, 4]), [-1, count]) - mean) / contrast
    rough = tf.reshape(tf.math.reduce_std(cells, [2, 4]), [-1, count]) / contrast
    # Logs of next to nothing would make much of noise.
    parts = [bright, tf.math.log(rough + 0.02), mean, tf.math.log(spread + _LEAST_CONTRAST)]
    return tf.concat(parts, 1)


class Spread:
    """How the pictures of training spread over d features: an ellipsoid around their mean.

    Args:
        mean: float32 [d].
        scale: float32 [d], more than 0.
        axes: float32 [d, k], orthonormal directions, of features divided by `scale`.
        gains: float32 [k], 1 / variance along each axis.
        rest: 1 / variance along all other directions.
    """

    def __init__(
        self, mean: Floats, scale: Floats, axes: Floats, gains: Floats, rest: float
    ) -> None:
        # Made outside of the signatures, which would each have a copy of an array.
        self._axes = tf.constant(axes)
        self._mean, self._scale, self._gains, self._rest = mean, scale, gains, rest

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Returns distances float32 [n] of float32 [n, d], about 1 for pictures of training."""
        apart = (features - self._mean) / self._scale
        along = tf.square(tf.matmul(apart, self._axes))
        left = tf.nn.relu(tf.reduce_sum(tf.square(apart), 1) - tf.reduce_sum(along, 1))
        total = tf.linalg.matvec(along, self._gains) + self._rest * left
        return tf.sqrt(total / len(self._mean))


class Familiarity:
    """Makes the outputs `distance` and `unfamiliar`.

    Args:
        pooled: spread of the pooled features.
        layout: spread of `layout`.
        units: what of each distance counts as 1.
        threshold: distance above which a picture is unfamiliar.
    """

    def __init__(
        self, pooled: Spread, layout: Spread, units: tuple[float, float], threshold: float
    ) -> None:
        self._pooled, self._layout, self._units, self._threshold = pooled, layout, units, threshold

    def __call__(
        self, pooled: tf.Tensor, squares: tf.Tensor, reason: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the outputs; of a picture that could not be used they are NaN and False.

        Args:
            pooled: features, float32 [n, channels].
            squares: canonical pictures, uint8 [n, stored_size, stored_size].
            reason: string [n], empty for what could be used.
        """
        of_network = self._pooled(pooled) / self._units[0]
        of_layout = self._layout(layout(squares)) / self._units[1]
        distance = tf.where(tf.equal(reason, ""), tf.maximum(of_network, of_layout), np.nan)
        return {names.DISTANCE: distance, names.UNFAMILIAR: distance > self._threshold}
