# SPDX-License-Identifier: MIT
"""Reads several predictions files of the same images as one, with the mean of their scores.

The mean of the probabilities of models that were trained apart is a better score than any of theirs
as a rule (Lakshminarayanan et al., NeurIPS 2017), and a teacher that a student learns more from.
"""

import dataclasses

import numpy as np

from preprocessing.contract.errors import DataError
from trainer.predictions import listed, pairing, table
from trainer.predictions.table import Predictions


def read(text: str) -> Predictions:
    """Reads predictions files and averages their scores.

    Args:
        text: what names them, see `listed.paths`.

    Returns:
        The rows and findings of the first file, in its order; of several, float64 scores. A mean
        has no `raw` scores, since thresholds are of one model.

    Raises:
        DataError: a file cannot be used, or differs from the first in images, patients, splits,
            labels or findings; the sentence names the file and the first difference.
        UsageError: as `listed.paths`.
    """
    paths = listed.paths(text)
    first = table.read(paths[0])
    if len(paths) == 1:
        return first
    total, ignored = first.scores.astype(np.float64), list(first.ignored_columns)
    for path in paths[1:]:
        other = table.read(path)
        total += pairing.aligned(first, other, name=path, to=paths[0], purpose="average")
        _same_splits(first, other, path, paths[0])
        ignored += [name for name in other.ignored_columns if name not in ignored]
    return dataclasses.replace(
        first, scores=total / len(paths), ignored_columns=tuple(ignored), raw=None
    )


def _same_splits(first: Predictions, other: Predictions, path: str, to: str) -> None:
    split = dict(zip(other.ids.tolist(), other.splits.tolist(), strict=True))
    for name, own in zip(first.ids.tolist(), first.splits.tolist(), strict=True):
        if split[name] != own:
            raise DataError(
                f"{path}: image {name!r} is in {split[name]}, and in {own} in {to}; average "
                "predictions of one split by patients"
            )
