# SPDX-License-Identifier: MIT
"""The rules that the rows of every file of images keep, one sentence for each that is broken."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import patients as people
from preprocessing.contract.labels import SPLITS as SPLITS
from trainer.predictions.formats import at, first

_SHOWN = 3
Texts = npt.NDArray[np.str_]


def rows(
    ids: Texts,
    patients: Texts,
    splits: Texts,
    *,
    images: Texts | None = None,
    unknown_split: bool = False,
) -> Iterator[str]:
    """Checks that every image has one row, a patient and a split.

    Args:
        ids: names of the images, str [n].
        patients: str [n].
        splits: str [n].
        images: what images are compared by, if not by their names, str [n].
        unknown_split: whether a split may be empty.

    Yields:
        A sentence for each rule that is broken, naming the first row that breaks it.
    """
    needed = {"id": ids, "patient": patients} | ({} if unknown_split else {"split": splits})
    for name, values in needed.items():
        if (row := first(np.char.strip(values) == "")) is not None:
            yield f"column {name} is empty in row {row + 1}; every image needs one"
    yield from _nobodies(ids, patients)
    images = ids if images is None else images
    repeated = pd.Index(images.astype(object)).duplicated()
    if (row := first(repeated)) is not None:
        yield (
            f"image {str(images[row])!r} is in more than one row (row {row + 1} repeats it; "
            f"{repeated.sum()} repeated row(s) in all); keep one row an image"
        )
    if (row := first(~np.isin(splits, [*SPLITS, ""] if unknown_split else SPLITS))) is not None:
        yield (
            f"column split: {str(splits[row])!r} in {at(ids, row)} is not a split; use "
            f"{', '.join(SPLITS)}{' or leave it empty for unknown' if unknown_split else ''}"
        )


def labels(
    values: npt.NDArray[np.floating[Any]], findings: Sequence[str], ids: Texts
) -> Iterator[str]:
    """Checks that labels [n, L] are 0, 1 or NaN for unknown."""
    for name, column in zip(findings, values.T, strict=True):
        if (row := first(~(np.isin(column, (0.0, 1.0)) | np.isnan(column)))) is not None:
            yield (
                f"column label:{name}: {column[row]:g} in {at(ids, row)} is not a label; "
                "use 0, 1 or leave it empty for unknown"
            )


def leaks(patients: Texts, splits: Texts) -> Iterator[str]:
    """Names patients that are in two splits: any AUC of such a file would be too high.

    Args:
        patients: str [n]; two spellings of one patient count as one.
        splits: str [n].

    Yields:
        One sentence, or none.
    """
    values = people.values(patients)
    pairs = pd.DataFrame({"patient": values, "split": splits}).drop_duplicates()
    found = pairs.groupby("patient")["split"].agg(sorted)
    leaked = found[found.map(len) > 1]
    if len(leaked):
        shown = ", ".join(
            f"{people.spelled(sorted(set(patients[values == patient].tolist())))} "
            f"({' and '.join(named)})"
            for patient, named in leaked.iloc[:_SHOWN].items()
        )
        yield (
            f"column patient: {len(leaked)} patient(s) are in more than one split, as {shown}; "
            "put all images of a patient into one split"
        )


def _nobodies(ids: Texts, patients: Texts) -> Iterator[str]:
    """Without this check the images of all rows that name nobody would count as one patient's."""
    missing = [name for name in np.unique(patients).tolist() if people.is_missing(name)]
    nobody = np.isin(patients, missing)
    if (row := first(nobody)) is not None:
        yield (
            f"column patient: {str(patients[row])!r} in {at(ids, row)} does not name a patient "
            f"({nobody.sum()} such row(s) in all); give every image its patient, or leave such "
            "images out"
        )
