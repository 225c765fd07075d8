# SPDX-License-Identifier: MIT
"""Turns a radiograph upright: head up, the patient's left on the right of the picture.

PatientOrientation (0020,0020) names the directions of the patient in which the rows and the columns
run (PS3.3, C.7.6.1.1.1): L and R, H(ead) and F(oot), A(nterior) and P(osterior). Later letters of a
value are deviations of less than 45 degrees and are left.
"""

import numpy as np
from pydicom.dataset import Dataset

from preprocessing.contract.dicom import tags
from preprocessing.contract.pictures.picture_files import ImageError, Pixels

_KEYWORD = "PatientOrientation"


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
        raise ImageError(
            "not_frontal", f"{tags.title(_KEYWORD)} is that of a lateral view: use frontal ones"
        )
    if {along_row, along_column} not in ({"L", "F"}, {"L", "H"}, {"R", "F"}, {"R", "H"}):
        state = "missing" if not tags.text(dataset, _KEYWORD) else "not that of a frontal view"
        warnings.append(f"{tags.title(_KEYWORD)} is {state}: taken as upright")
        return pixels
    if along_row in "HF":
        pixels, along_row, along_column = pixels.T, along_column, along_row
    if along_row == "R":
        pixels = pixels[:, ::-1]
    if along_column == "H":
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _directions(dataset: Dataset) -> tuple[str, str]:
    found = [value.upper()[:1] for value in tags.texts(dataset, _KEYWORD)]
    return (found[0], found[1]) if len(found) == 2 else ("", "")
