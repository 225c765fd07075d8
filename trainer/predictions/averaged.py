# SPDX-License-Identifier: MIT
"""Reads several predictions files of the same images as one, with the mean of their scores.

The mean of the probabilities of models that were trained apart is a better score than any of theirs
as a rule (Lakshminarayanan et al., NeurIPS 2017), and a teacher that a student learns more from.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from trainer.predictions import listed, pairing, table
from trainer.predictions.table import Predictions


def read(text: str) -> Predictions:
    """Reads predictions files and averages their scores.

    Args:
        text: what names them, see `listed.paths`.

    Returns:
        The file, if it is one; else their `mean`.

    Raises:
        DataError: a file cannot be used, or as `mean`.
        UsageError: as `listed.paths`.
    """
    paths = listed.paths(text)
    return mean([table.read(path) for path in paths], paths)


def mean(several: Sequence[Predictions], names: Sequence[str]) -> Predictions:
    """Returns predictions with the mean of the scores of several.

    Args:
        several: of the same images, in any order of rows and of findings.
        names: of each, for messages.

    Returns:
        The rows and findings of the first, in its order; of several, float64 scores. A mean has no
        `raw` scores, since thresholds are of one model.

    Raises:
        DataError: they differ in images, patients, splits, labels or findings; the sentence names
            the first difference.
    """
    first, *others = several
    if not others:
        return first
    scores = [first.scores]
    for other, name in zip(others, names[1:], strict=True):
        scores.append(pairing.aligned(first, other, name=name, to=names[0], purpose="average"))
    return dataclasses.replace(
        first,
        scores=np.mean(scores, axis=0, dtype=np.float64),
        ignored_columns=tuple(
            dict.fromkeys(each for one in several for each in one.ignored_columns)
        ),
        raw=None,
    )
