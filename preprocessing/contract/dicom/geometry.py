# SPDX-License-Identifier: MIT
"""Makes the pixels of a radiograph square and turns it upright, where the file says so.

The first of four spacings that is there decides; each holds the distance of rows, then that of
columns (PS3.3, C.7.6.3.1.7 and 10.7.1.3), as numbers or, PixelAspectRatio, as their ratio.

PatientOrientation (0020,0020) names the directions of the patient in which the rows and the columns
run (PS3.3, C.7.6.1.1.1): L and R, H(ead) and F(oot), A(nterior) and P(osterior). Later letters of a
value are deviations of less than 45 degrees and are left.
"""

import math

import cv2
import numpy as np
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import tags
from preprocessing.contract.pictures.picture_files import MAX_PIXELS, Pixels

_SPACINGS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelAspectRatio",
)
# Rounding in the file is below, and nothing that a detector or a scanner makes is above.
_LEAST, _GREATEST = 1.01, 8.0
_ORIENTATION = "PatientOrientation"


def squared(pixels: Pixels, dataset: Dataset, warnings: list[str]) -> Pixels:
    """Rescales uint8 [height, width] along one side.

    Args:
        pixels: with rows and columns as in the file.
        dataset: of the file.
        warnings: gains that it was rescaled, or that the file's numbers cannot be.

    Returns:
        The pixels as they are, or with the side of the greater distance enlarged.
    """
    for keyword in _SPACINGS:
        found = tags.numbers(dataset, keyword)
        if len(found) != 2 or not all(0 < number < math.inf for number in found):
            continue  # some write a lone 1 or zeros for nothing
        ratio = found[0] / found[1]
        if not 1 / _GREATEST <= ratio <= _GREATEST:
            tags.warn(warnings, keyword, "is not that of pixels: ignored")
            continue
        if 1 / _LEAST <= ratio <= _LEAST:
            return pixels
        tags.warn(warnings, keyword, "is not square: rescaled to square pixels")
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


def upright(pixels: Pixels, dataset: Dataset, view: str, warnings: list[str]) -> Pixels:
    """Turns uint8 [height, width] by flips and quarter turns.

    Args:
        pixels: as the file has them.
        dataset: with PatientOrientation, or the picture is taken as upright.
        view: "AP", "PA" or "".
        warnings: gains what was assumed.

    Returns:
        uint8 [height, width], or [width, height] of the file after a quarter turn.

    Raises:
        ImageError: the directions are those of a lateral view, and nothing says otherwise.
    """
    along_row, along_column = _directions(dataset)
    if {along_row, along_column} & {"A", "P"} and not view:
        text = "is that of a lateral view: use frontal ones"
        raise tags.refusal("not_frontal", _ORIENTATION, text)
    if not is_oriented(dataset):
        state = "missing" if not tags.text(dataset, _ORIENTATION) else "not that of a frontal view"
        tags.warn(warnings, _ORIENTATION, f"is {state}: taken as upright")
        return pixels
    if along_row in "HF":
        pixels, along_row, along_column = pixels.T, along_column, along_row
    if along_row == "R":
        pixels = pixels[:, ::-1]
    if along_column == "H":
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def is_oriented(dataset: Dataset) -> bool:
    """Tells whether a file says which way up its frontal picture is, so that `upright` knows."""
    return set(_directions(dataset)) in ({"L", "F"}, {"L", "H"}, {"R", "F"}, {"R", "H"})


def _directions(dataset: Dataset) -> tuple[str, str]:
    found = [value.upper()[:1] for value in tags.texts(dataset, _ORIENTATION)]
    return (found[0], found[1]) if len(found) == 2 else ("", "")
