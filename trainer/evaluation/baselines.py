# SPDX-License-Identifier: MIT
"""What can be said without any image: from age, sex, view and the like, or by chance.

Portable films are of sicker patients, and a patient with many films is a sick one. A model of such
facts alone reaches an AUC that owes nothing to lungs, and a network can pick the same facts up from
the look of a film. The model here is a ridge-penalised logistic regression (le Cessie and van
Houwelingen, Applied Statistics 1992; 41:191-201) on facts cut into levels, without interactions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation.auc import Floats
from trainer.evaluation.logistic import Numbers, newton
from trainer.predictions.metadata import Metadata

# The facts that each baseline knows, the later ones more than the former.
FACTS: Mapping[str, tuple[str, ...]] = {
    "view": ("view",),
    "patient": ("age", "sex", "view"),
    "acquisition": ("age", "sex", "view", "follow_up", "size"),
}

_YEARS, _OLDEST = 5, 90
_FOLLOW_UPS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50)
# An original size is a level of its own with this share of the training images, and this many.
_SIZE_SHARE, _SIZE_IMAGES = 0.01, 20
_RIDGE = 1.0

Integers = npt.NDArray[np.int64]


def levels(facts: Metadata, train: npt.NDArray[np.intp]) -> dict[str, Integers]:
    """Cuts every fact into numbered levels, 0 for unknown.

    Args:
        facts: of m images.
        train: the rows to learn from; they decide which original sizes are levels of their own.

    Returns:
        Name of the fact -> level of each image, int64 [m]. Ages go by five years, original sizes
        by their exact width and height, rare ones together.
    """
    bands = np.minimum(facts.age, _OLDEST) // _YEARS + 1
    follow_ups = np.searchsorted(_FOLLOW_UPS, facts.follow_up, side="right") + 1
    return {
        "age": np.where(facts.age < 0, 0, bands).astype(np.int64),
        "sex": (facts.sex == "F") * 1 + (facts.sex == "M") * 2,
        "view": (facts.view == "PA") * 1 + (facts.view == "AP") * 2,
        "follow_up": np.where(facts.follow_up < 0, 0, follow_ups).astype(np.int64),
        "size": _sizes(facts.width, facts.height, train),
    }


def training_rows(
    patients: npt.NDArray[np.str_],
    splits: npt.NDArray[np.str_],
    scored: npt.NDArray[np.str_],
) -> npt.NDArray[np.intp]:
    """Returns the images to learn from: of the train split, and of no patient that is judged.

    Args:
        patients: of m images, str [m].
        splits: of those, "" where it is unknown, str [m].
        scored: the patients whose images are judged, str [n].

    Returns:
        Positions, int. Where no split is known, the images of all patients who are not judged.
    """
    free = ~np.isin(people.values(patients), people.values(scored))
    return np.flatnonzero(free & (splits == "train") if (splits != "").any() else free)


def learn_and_score(
    codes: Sequence[Integers], labels: Floats, train: npt.NDArray[np.intp]
) -> Numbers:
    """Learns every finding from the levels of some images and scores all of them.

    Args:
        codes: for each fact the level of each image, int64 [m].
        labels: [m, L]; 1, 0 or NaN for unknown. Only those of `train` are looked at.
        train: positions of the images to learn from.

    Returns:
        Logits, float64 [m, L]. NaN throughout for a finding of which `train` holds no positive or
        no negative. Images with the same levels get the same score.
    """
    cells, cell_of = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    cell_of = cell_of.reshape(-1)
    design = _design(cells, [int(code.max(initial=0)) + 1 for code in codes])
    met = np.unique(cell_of[train])
    columns = []
    for finding in labels[train].T:
        known = ~np.isnan(finding)
        images = np.bincount(cell_of[train][known], minlength=len(cells))[met]
        positives = np.bincount(cell_of[train][finding == 1], minlength=len(cells))[met]
        columns.append(design @ _weights(design[met], images, positives))
    return np.stack(columns, axis=1)[cell_of]


def shuffled(labels: Floats, seed: int) -> Floats:
    """Deals the labels of the images out among them at random, each image's findings together.

    Args:
        labels: [n, L].
        seed: the same one gives the same deal.
    """
    return labels[np.random.Generator(np.random.PCG64(seed)).permutation(len(labels))]


def _sizes(width: Integers, height: Integers, train: npt.NDArray[np.intp]) -> Integers:
    """0 unknown, 1 rare, and one more for each size that is common in training."""
    known = (width > 0) & (height > 0)
    size = width * (int(height.max(initial=0)) + 1) + height
    found, counts = np.unique(size[train][known[train]], return_counts=True)
    common = found[counts >= max(_SIZE_IMAGES, _SIZE_SHARE * len(train))]
    place = np.searchsorted(common, size)
    is_common = np.isin(size, common)
    return np.where(known, np.where(is_common, place + 2, 1), 0).astype(np.int64)


def _design(cells: npt.NDArray[Any], sizes: Sequence[int]) -> Numbers:
    """A column of ones, and for each fact one column for each of its levels, float64 [cells, k]."""
    parts = [np.ones((len(cells), 1), dtype=np.float64)]
    for column, size in zip(cells.T, sizes, strict=True):
        parts.append((column[:, None] == np.arange(size)).astype(np.float64))
    return np.concatenate(parts, axis=1)


def _weights(design: Numbers, images: Integers, positives: Integers) -> Numbers:
    if not positives.sum() or positives.sum() == images.sum():
        return np.full(design.shape[1], np.nan)
    penalty = np.full(design.shape[1], _RIDGE)
    # The intercept, in the first column, is the prevalence: shrinking it would only bias it.
    penalty[0] = 0
    start = np.zeros(design.shape[1])
    start[0] = np.log(positives.sum() / (images.sum() - positives.sum()))
    return newton(design, positives, images=images, penalty=penalty, start=start)
