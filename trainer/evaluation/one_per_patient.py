# SPDX-License-Identifier: MIT
"""The AUC with one image of each patient, so that no patient counts more than another.

A patient who was ill for long has many images, most of them alike, and an AUC over all images is
largely about such patients. Which image represents a patient must not depend on labels or scores,
and no visit is the right one: the first is the mildest, the last the gravest. So one image of every
patient is drawn at random, the AUC taken, and this repeated; what is reported is the mean, in which
the luck of the choice has mostly gone (within-cluster resampling: Hoffman, Sen and Weinberg,
Biometrika 2001; 88:1121-1134).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation.auc import Floats, aurocs
from trainer.evaluation.resamples import Resamples
from trainer.evaluation.summary import Summary

CHOICES = 10
# A choice without any positive has no AUC; below this share of usable choices there is no mean.
_MINIMUM_USABLE_SHARE = 0.5


def choose(patients: npt.NDArray[Any], *, choices: int, seed: int) -> list[npt.NDArray[np.intp]]:
    """Draws one image of every patient, each of a patient's images with the same chance.

    Args:
        patients: [n], the patient of each image.
        choices: how many times.
        seed: of the draws.

    Returns:
        As many lists of positions as choices, each as long as there are patients. One list where
        every patient has one image.
    """
    number, patient_of = people.numbered(patients)
    generator = np.random.Generator(np.random.PCG64(seed))
    if number == len(patients):
        choices = 1
    chosen = []
    for _ in range(choices):
        shuffled = generator.permutation(len(patients))
        # The first image of each patient in a random order is a random image of that patient.
        _, first = np.unique(patient_of[shuffled], return_index=True)
        chosen.append(shuffled[first])
    return chosen


def summary(
    labels: Floats, scores: Floats, patients: npt.NDArray[Any], draws: Resamples, *, seed: int
) -> Summary:
    """Returns the AUC of every finding and the mean, each with its interval.

    The interval is that of the mean over the choices: in every resample of patients, the AUCs of
    all choices are averaged.

    Args:
        labels: [n, L]; 1, 0 or NaN for unknown.
        scores: [n, L].
        patients: [n].
        draws: of the patients, for the same n images.
        seed: of the choices.
    """
    chosen = choose(patients, choices=CHOICES, seed=seed)
    points = np.array([aurocs(labels[images], scores[images]) for images in chosen])
    resampled = np.array(
        [
            [
                draws.select(images).aucs(labels[images, column], scores[images, column])
                for images in chosen
            ]
            for column in range(labels.shape[1])
        ]
    )
    return Summary.of(
        _mean_over_choices(points.T), _mean_over_choices(resampled.transpose(0, 2, 1))
    )


def _mean_over_choices(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean over the last axis, NaN where fewer than half of the choices have a value."""
    usable = (~np.isnan(values)).sum(axis=-1)
    enough = (usable > 0) & (usable >= _MINIMUM_USABLE_SHARE * values.shape[-1])
    mean = np.nansum(values, axis=-1) / np.maximum(usable, 1)
    return np.where(enough, mean, np.nan)
