# SPDX-License-Identifier: MIT
"""Grad-CAM of every finding at once, as operations of the SavedModel's graph.

Like `trainer.explanation.gradcam`, which explains one finding a picture and gives cells; here maps
have the size of the network's input.
"""

import tensorflow as tf

from trainer.config import DataConfig
from trainer.explanation import gradcam
from trainer.network.model import Model


class Maps:
    """Computes heat maps of all findings.

    Args:
        model: the network; its `features` end in a layer "pool" and what follows it.
        image_size: side of its input in pixels.
    """

    def __init__(self, model: Model, *, image_size: int) -> None:
        self._front, (_, *self._tail) = gradcam.at_pool(model)
        self._head, self._image_size = model.head, image_size
        # On the input itself, of which nothing is cut.
        self._placement = gradcam.placement(
            image_size, DataConfig(image_size=image_size, crop_fraction=1.0)
        )

    def __call__(self, fitted: tf.Tensor) -> tf.Tensor:
        """Returns float32 [n, F, image_size, image_size], 0 to 1; a map without heat is zero.

        Args:
            fitted: uint8 [n, image_size, image_size].
        """
        cells = tf.cast(self._front(fitted, training=False), tf.float32)
        pooled = tf.reduce_mean(cells, [1, 2])
        with tf.GradientTape() as tape:
            tape.watch(pooled)
            hidden = pooled
            for layer in self._tail:
                hidden = layer(hidden)
            logits = self._head(hidden, training=False)
        # The mean over the cells has the same gradient in each: 1 / cells of that of the pool,
        # which is left out, as every map is scaled.
        weights = tape.batch_jacobian(logits, pooled)
        heat = tf.nn.relu(tf.einsum("bijc,bfc->bfij", cells, weights))
        laid = tf.constant(self._placement.weights(cells.shape[1], self._image_size))
        maps = tf.einsum("yi,bfij,xj->bfyx", laid, heat, laid)
        peaks = tf.reduce_max(maps, [2, 3], keepdims=True)
        return tf.math.divide_no_nan(maps, peaks)
