# SPDX-License-Identifier: MIT
"""Brings two predictions files into the same order, or says where they differ."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from preprocessing.contract.errors import DataError
from trainer.predictions.table import Predictions


def aligned(
    first: Predictions,
    second: Predictions,
    *,
    name: str,
    to: str = "the predictions",
    purpose: str = "compare",
) -> npt.NDArray[np.floating]:
    """Returns the scores of a second file in the order of rows and findings of the first.

    Args:
        first: the images.
        second: predictions for the same images, in any order of rows and of findings.
        name: of the second file, for messages.
        to: what the first is, likewise.
        purpose: what to do with both, likewise.

    Returns:
        float32 or float64 [n, L].

    Raises:
        DataError: the ids, patients, splits, labels or findings differ; the text says how many and
            which first.
    """
    said = _Said(name, to, purpose)
    _same_names(first.findings, second.findings, said, what="findings")
    _same_names(first.ids.tolist(), second.ids.tolist(), said, what="images")
    place = {image: row for row, image in enumerate(second.ids.tolist())}
    rows = np.array([place[image] for image in first.ids.tolist()], dtype=np.intp)
    columns = np.array([second.findings.index(finding) for finding in first.findings], np.intp)
    for what in ("patients", "splits"):
        own, others = getattr(first, what), getattr(second, what)[rows]
        values = people.values if what == "patients" else np.asarray
        if (other := values(others) != values(own)).any():
            at = int(np.flatnonzero(other)[0])
            raise DataError(
                f"{name}: {int(other.sum()):,} of {len(rows):,} images have another {what[:-1]} "
                f"than in {to}, the first {first.ids[at]} ({others[at]} instead of {own[at]}); "
                f"{purpose} predictions of one data set"
            )
    _same_labels(first, second.labels[np.ix_(rows, columns)], said)
    return second.scores[np.ix_(rows, columns)]


class _Said(NamedTuple):
    """The words of `aligned` that messages hold."""

    name: str
    to: str
    purpose: str


def _same_names(first: Sequence[str], second: Sequence[str], said: _Said, *, what: str) -> None:
    known, others = set(first), set(second)
    for one, two, where in (
        (first, others, f"only in {said.to}"),
        (second, known, "only in this file"),
    ):
        missing = [each for each in one if each not in two]
        if missing:
            raise DataError(
                f"{said.name}: {len(missing):,} {what} are {where}, the first {missing[0]!r}; "
                f"{said.purpose} predictions of the same {what}"
            )


def _same_labels(first: Predictions, labels: npt.NDArray[np.float32], said: _Said) -> None:
    # An unknown label equals an unknown label, which NaN does not.
    differ = (first.labels != labels) & ~(np.isnan(first.labels) & np.isnan(labels))
    if differ.any():
        row, column = (int(at[0]) for at in np.nonzero(differ))
        values = [
            "unknown" if np.isnan(value) else f"{value:.0f}"
            for value in (labels[row, column], first.labels[row, column])
        ]
        raise DataError(
            f"{said.name}: {int(differ.sum()):,} labels differ from those of {said.to}, the first "
            f"{first.findings[column]} of {first.ids[row]} ({values[0]} instead of {values[1]}); "
            f"{said.purpose} predictions that were scored against the same labels"
        )
