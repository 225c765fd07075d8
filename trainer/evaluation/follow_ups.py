# SPDX-License-Identifier: MIT
"""Divides labels by the order of films: into new findings and repeated ones."""

import numpy as np
import numpy.typing as npt

from trainer.evaluation.auc import Floats

Integers = npt.NDArray[np.int64]


def complete(number: Integers, patient_of: Integers) -> npt.NDArray[np.bool_]:
    """Returns whether an image is of a patient whose films are all numbered, the first one too.

    Args:
        number: of the film in the series of its patient from 0, -1 unknown, int [n].
        patient_of: number of the patient of each image, int [n], from 0.
    """
    lowest = np.full(int(patient_of.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, patient_of, number)
    return np.asarray((lowest == 0)[patient_of])


def appearances(
    labels: Floats, number: Integers, patient_of: Integers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns labels whose positives are a finding's first appearances, or its repeated ones.

    A first appearance is the earliest film of a patient that is labelled with the finding, a
    repeated one any later such film. Only patients with both count as positives; the negatives are
    those of all images, in both.

    Args:
        labels: [n, L] of images that are `complete`; 1, 0 or NaN.
        number: int [n].
        patient_of: int [n].
    """
    positive, never = labels == 1, np.iinfo(np.int64).max
    earliest = np.full((int(patient_of.max(initial=-1)) + 1, labels.shape[1]), never)
    np.minimum.at(earliest, patient_of, np.where(positive, number[:, None], never))
    first = positive & (number[:, None] == earliest[patient_of])
    again = np.zeros(earliest.shape, dtype=bool)
    np.logical_or.at(again, patient_of, positive & ~first)
    both = again[patient_of]
    negatives = np.where(labels == 0, 0.0, np.nan)
    return np.where(first & both, 1, negatives), np.where(positive & ~first, 1, negatives)
