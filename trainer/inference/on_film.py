# SPDX-License-Identifier: MIT
"""Brings a heat map of the network's input back to the film that it belongs to."""

import cv2
import numpy as np
import numpy.typing as npt

from preprocessing.contract.pictures import image
from trainer.serving.facts import Facts


def laid_out(
    heat: npt.NDArray[np.float32], facts: Facts, height: int, width: int
) -> npt.NDArray[np.float32]:
    """Brings a heat map to the size of a film.

    The network looked at the centre square of the canonical picture, which is the film in a black
    square of its longer side: beyond it a map is zero.

    Args:
        heat: [image_size, image_size].
        facts: of the model.
        height: of the film in pixels, upright.
        width: of the film in pixels.

    Returns:
        float32 [height, width].
    """
    side = max(height, width)
    # 1. The centre square, by the stored pixels that `fit` cut, in pixels of the film.
    cut = image.crop_side(facts.stored_size, facts.crop_fraction)
    start = (facts.stored_size - cut) // 2
    first, last = (round(at * side / facts.stored_size) for at in (start, start + cut))
    square = np.zeros((side, side), np.float32)
    size = (last - first, last - first)
    square[first:last, first:last] = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    # 2. Without the black borders.
    top, left = (side - height) // 2, (side - width) // 2
    return square[top : top + height, left : left + width]
