# SPDX-License-Identifier: MIT
"""What the patients of a file of images must be: somebody, and nobody of two splits."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.predictions.formats import at

_SHOWN = 3
Texts = npt.NDArray[np.str_]


def nobodies(ids: Texts, patients: Texts) -> Iterator[str]:
    """Names a patient that is none: the images of all such rows would count as one patient's.

    Args:
        ids: names of the images, str [n].
        patients: str [n].

    Yields:
        One sentence, or none.
    """
    missing = [name for name in np.unique(patients).tolist() if people.is_missing(name)]
    rows = np.flatnonzero(np.isin(patients, missing))
    if len(rows):
        row = int(rows[0])
        yield (
            f"column patient: {str(patients[row])!r} in {at(ids, row)} names no patient "
            f"({len(rows)} such row(s) in all); give every image its patient, or leave such "
            "images out"
        )


def leaks(patients: Texts, splits: Texts) -> Iterator[str]:
    """Names patients that stand in two splits: any AUC of such a file would be too high.

    Args:
        patients: str [n].
        splits: str [n].

    Yields:
        One sentence, or none.
    """
    values = people.values(patients)
    pairs = np.unique(np.stack([values, splits]), axis=1)
    found, counts = np.unique(pairs[0], return_counts=True)
    leaked = found[counts > 1].tolist()
    if leaked:
        shown = ", ".join(
            f"{people.told(sorted(set(patients[values == patient].tolist())))} "
            f"({' and '.join(pairs[1][pairs[0] == patient])})"
            for patient in leaked[:_SHOWN]
        )
        yield (
            f"column patient: {len(leaked)} patient(s) are in more than one split, as {shown}; "
            "put all images of a patient into one split"
        )
