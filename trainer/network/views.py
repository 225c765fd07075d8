# SPDX-License-Identifier: MIT
"""Scores pictures by the mean over several views of each, for evaluation and the SavedModel alike.

Both take it from here, so that thresholds and calibration, chosen on the scores of the first, hold
for those of the second. What is averaged are probabilities, not logits, as in the published
benchmarks of ten crops on ChestX-ray14 (Hosseinzadeh Taher et al., 2021; Ma et al., 2022).
"""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph
from trainer.config import DataConfig

_Places = npt.NDArray[np.int32]


def places(views: str, *, stored_size: int, crop_fraction: float) -> tuple[_Places, _Places]:
    """Returns rows and columns of a stored picture, each int32 [V, side], that make up the V views.

    They are those of torchvision's TenCrop, in another order: the centre comes first, then the
    corners, and each is followed by its mirror image, whose columns run from right to left.

    Args:
        views: "one", "flip" or "ten_crop".
        stored_size: side of the stored picture in pixels.
        crop_fraction: side of a view as a share of it.
    """
    side = image.crop_side(stored_size, crop_fraction)
    last = stored_size - side
    corners = [(top, left) for top in (0, last) for left in (0, last)]
    starts = [(last // 2, last // 2), *(corners if views == "ten_crop" else [])]
    along = np.arange(side, dtype=np.int32)
    ways = [along] if views == "one" else [along, along[::-1]]
    rows = np.stack([top + along for top, _ in starts for _ in ways])
    return rows, np.stack([left + way for _, left in starts for way in ways])


def score(
    network: keras.Model, squares: tf.Tensor, *, data: DataConfig, views: str
) -> tuple[tf.Tensor, ...]:
    """Scores stored pictures.

    One view is computed after the other, so that a batch takes no more memory than one view of it.
    All at once were no faster for batches of 8 and 32 on a CPU.

    Args:
        network: uint8 [n, size, size] -> logits [n, F], and maybe more.
        squares: uint8 [n, stored_size, stored_size] with a static size.
        data: how a view is cut out and scaled.
        views: "one", "flip" or "ten_crop".

    Returns:
        Scores float32 [n, F], the mean of the views' sigmoids; then what else the network gives, of
        the centre alone.
    """
    size = data.image_size
    if views == "one":
        fitted = image_graph.fit(squares, image_size=size, crop_fraction=data.crop_fraction)
        logits, *more = tf.nest.flatten(network(fitted, training=False))
        return tf.sigmoid(logits), *more

    def one(place: tuple[tf.Tensor, tf.Tensor]) -> list[tf.Tensor]:
        cut = tf.gather(tf.gather(squares, place[0], axis=1), place[1], axis=2)
        found: list[tf.Tensor] = tf.nest.flatten(
            network(image_graph.scale(cut, size), training=False)
        )
        return found

    # A loop: ten networks in a row would make the graph of every signature ten times as large.
    of_views = tf.map_fn(
        one,
        places(views, stored_size=squares.shape[1], crop_fraction=data.crop_fraction),
        parallel_iterations=1,
        fn_output_signature=[tf.TensorSpec(each.shape, each.dtype) for each in network.outputs],
    )
    scores = tf.reduce_mean(tf.sigmoid(of_views[0]), axis=0)
    return scores, *(each[0] for each in of_views[1:])
