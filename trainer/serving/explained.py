# SPDX-License-Identifier: MIT
"""Grad-CAM of every finding at once, as operations of the SavedModel's graph.

Like `trainer.explanation.gradcam`, which explains one finding a picture and gives cells; here maps
have the size of the network's input.
"""

import keras
import tensorflow as tf

from trainer.network.model import Model
from trainer.predictions.placement import Placement

# Pixels of the input from one cell of ResNet-50's last maps to the next.
_STRIDE = 32


class Maps:
    """Computes heat maps of all findings.

    Args:
        model: the network; its `features` end in a layer "pool" and what follows it.
        image_size: side of its input in pixels.
    """

    def __init__(self, model: Model, *, image_size: int) -> None:
        layers = model.features.layers
        pool = [layer.name for layer in layers].index("pool")
        self._front = keras.Model(model.features.input, layers[pool].input)
        self._tail, self._head = layers[pool + 1 :], model.head
        self._image_size = image_size

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
        side = cells.shape[1]
        spread = Placement(0.5 / self._image_size, _STRIDE / self._image_size, 0.0, 1.0)
        laid = tf.constant(spread.weights(side, self._image_size))
        maps = tf.einsum("yi,bfij,xj->bfyx", laid, heat, laid)
        peaks = tf.reduce_max(maps, [2, 3], keepdims=True)
        return tf.math.divide_no_nan(maps, peaks)
