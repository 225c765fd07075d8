# SPDX-License-Identifier: MIT
"""Makes the pixels of a radiograph square where the file says that they are not.

The first of these attributes that is there decides; each holds the distance of rows, then that of
columns (PS3.3, C.7.6.3.1.7 and 10.7.1.3), as numbers or, PixelAspectRatio, as their ratio.
"""

import math

import cv2
import numpy as np
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import tags
from preprocessing.contract.pictures.picture_files import MAX_PIXELS, Pixels

_KEYWORDS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelAspectRatio",
)
# Rounding in the file is below, and nothing that a detector or a scanner makes is above.
_LEAST, _GREATEST = 1.01, 8.0


def squared(pixels: Pixels, dataset: Dataset, warnings: list[str]) -> Pixels:
    """Rescales uint8 [height, width] along one side.

    Args:
        pixels: as the rows and columns lie in the file.
        dataset: of the file.
        warnings: gains that it was rescaled, or that the file's numbers cannot be.

    Returns:
        The pixels as they are, or with the side of the greater distance enlarged.
    """
    for keyword in _KEYWORDS:
        found = tags.numbers(dataset, keyword)
        if len(found) != 2 or not all(0 < number < math.inf for number in found):
            continue  # a lone 1, or zeros, stand there instead of nothing
        ratio = found[0] / found[1]
        if not 1 / _GREATEST <= ratio <= _GREATEST:
            warnings.append(f"{tags.title(keyword)} is not that of pixels: ignored")
            continue
        if 1 / _LEAST <= ratio <= _LEAST:
            return pixels
        warnings.append(f"{tags.title(keyword)} is not square: rescaled to square pixels")
        return _stretched(pixels, ratio)
    return pixels


def _stretched(pixels: Pixels, ratio: float) -> Pixels:
    """Makes the pixels square that are `ratio` times as high as wide."""
    height, width = pixels.shape
    tall, wide = max(ratio, 1.0), max(1 / ratio, 1.0)
    if height * width * tall * wide > MAX_PIXELS:
        # Nothing of what there is to see is lost at the sizes that are stored.
        tall, wide = tall / max(tall, wide), wide / max(tall, wide)
    size = max(1, round(width * wide)), max(1, round(height * tall))
    method = cv2.INTER_LINEAR if min(tall, wide) >= 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
