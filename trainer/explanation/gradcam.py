# SPDX-License-Identifier: MIT
"""Grad-CAM: which parts of a picture speak for a finding (Selvaraju et al., ICCV 2017).

The last feature maps of the ResNet-50 are weighted by the mean gradient of the finding's logit with
respect to each, summed, and cut at zero. At 224 px that gives 7 x 7 cells.
"""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph
from trainer.config import DataConfig
from trainer.network.model import Model
from trainer.predictions.placement import Placement

# Pixels of the input from one cell of ResNet-50's last maps to the next.
_STRIDE = 32
# A gradient is a weight over 49 cells: made larger on its way through 16 bits, or it would vanish.
_GAIN = 1024.0


class GradCam:
    """Computes heat maps on this process's first device, in batches of one fixed shape.

    Args:
        model: the network; its `features` end in a layer "pool" and what follows it.
        stored_size: side of the stored pictures in pixels.
        data: how the model's input is cut out of them.
        batch: pictures at a time.
    """

    def __init__(
        self, model: Model, *, stored_size: int, data: DataConfig, batch: int = 16
    ) -> None:
        front, tail = at_pool(model)
        self._batch = batch
        self._stored_size = stored_size

        @tf.function(
            input_signature=[
                tf.TensorSpec([batch, stored_size, stored_size], tf.uint8),
                tf.TensorSpec([batch], tf.int32),
            ]
        )
        def heat(pixels: tf.Tensor, findings: tf.Tensor) -> tf.Tensor:
            fitted = image_graph.fit(
                pixels, image_size=data.image_size, crop_fraction=data.crop_fraction
            )
            maps = tf.cast(front(fitted, training=False), tf.float32)
            with tf.GradientTape() as tape:
                tape.watch(maps)
                hidden = maps
                for layer in tail:
                    hidden = layer(hidden)
                logits = model.head(hidden, training=False)
                wanted = _GAIN * tf.gather(logits, findings, batch_dims=1)
            weights = tf.reduce_mean(tape.gradient(wanted, maps), [1, 2]) / _GAIN
            return tf.nn.relu(tf.einsum("bijc,bc->bij", maps, weights))

        self._heat = heat

    def maps(
        self, pixels: npt.NDArray[np.uint8], findings: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.float32]:
        """Returns a heat map for each picture and finding.

        Args:
            pixels: stored pictures, uint8 [n, stored_size, stored_size].
            findings: which output of the network each is explained for, int [n].

        Returns:
            float32 [n, cells, cells], 0 or more, not scaled.
        """
        parts = []
        for start in range(0, len(pixels), self._batch):
            part = slice(start, start + self._batch)
            missing = self._batch - len(pixels[part])
            padded = np.pad(pixels[part], [(0, missing), (0, 0), (0, 0)])
            wanted = np.pad(findings[part], [(0, missing)]).astype(np.int32)
            heat = self._heat(tf.constant(padded), tf.constant(wanted)).numpy()
            parts.append(heat[: self._batch - missing])
        return np.concatenate(parts)


def at_pool(model: Model) -> tuple[keras.Model, list[keras.Layer]]:
    """Divides `features`: uint8 pixels -> its last maps, and the layers from the pool on."""
    layers = model.features.layers
    pool = [layer.name for layer in layers].index("pool")
    return keras.Model(model.features.input, layers[pool].input), layers[pool:]


def placement(stored_size: int, data: DataConfig) -> Placement:
    """Returns where the cells of a ResNet-50's maps lie on a stored picture.

    The receptive field of cell i is centred on pixel 32 i of the input, not on the middle of the
    i-th of equal parts: each stride of two takes the even places, from the first one on. Maps that
    are merely stretched over the picture, as is usual, show everything half a cell (16 of 224 px)
    too far right and down.

    Args:
        stored_size: side of the stored pictures in pixels.
        data: how the model's input is cut out of them.
    """
    side = image.crop_side(stored_size, data.crop_fraction)
    start = (stored_size - side) // 2
    # Of an input pixel, in stored ones.
    scale = side / data.image_size
    return Placement(
        first=(start + 0.5 * scale) / stored_size,
        step=_STRIDE * scale / stored_size,
        left=start / stored_size,
        side=side / stored_size,
    )
