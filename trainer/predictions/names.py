# SPDX-License-Identifier: MIT
"""Finds the same images and patients in two files that may write their names differently."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import patients as people
from preprocessing.contract.errors import DataError

Texts = npt.NDArray[np.str_]


def image_stems(ids: Texts) -> Texts:
    """Returns the names of images without `.png`.

    >>> image_stems(np.array(["00000013_004.png", "a.dcm"])).tolist()
    ['00000013_004', 'a.dcm']
    """
    stems = [name[:-4] if name[-4:].lower() == ".png" else name for name in ids.tolist()]
    return np.array(stems, dtype=np.str_)


def proven_rows(
    known: tuple[Texts, Texts], wanted: tuple[Texts, Texts], source: str
) -> npt.NDArray[np.intp]:
    """Finds images by their names, and proves each match: the same image is of the same patient.

    Args:
        known: ids and patients of a file, str [m] each; the ids are unique.
        wanted: ids and patients of the predictions, str [n] each.
        source: what the file is, for the message.

    Returns:
        Rows of the file, [n]; -1 where there is none.

    Raises:
        DataError: an image is of another patient in the file.
    """
    (known_ids, known_patients), (ids, patients) = known, wanted
    index = pd.Index(image_stems(known_ids).astype(object))
    rows: npt.NDArray[np.intp] = index.get_indexer(image_stems(ids).astype(object))
    found = np.flatnonzero(rows >= 0)
    theirs = people.values(known_patients)[rows[found]]
    wrong = np.flatnonzero(theirs != people.values(patients)[found])
    if len(wrong):
        at = found[wrong[0]]
        raise DataError(
            f"image {str(ids[at])!r} is of patient {str(patients[at])!r} in the predictions and "
            f"of patient {str(known_patients[rows[at]])!r} in the {source}, the first of "
            f"{len(wrong)} such images: give the {source} of the same data set"
        )
    return rows
