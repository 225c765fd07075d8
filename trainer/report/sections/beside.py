# SPDX-License-Identifier: MIT
"""Checks what evaluation left beside the predictions against the predictions themselves."""

from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract.files import storage
from trainer.predictions.table import Predictions
from trainer.report.source import Source

# The files hold the very scores of the predictions, if in fewer digits.
_TOLERANCE = 1e-6


def path_of(source: Source, name: str) -> str:
    """Returns the path of a file beside the predictions; empty if there is none."""
    path = storage.join(source.beside, name) if source.beside else ""
    return path if path and storage.exists(path) else ""


def rows_of(
    rows: Predictions,
    ids: npt.NDArray[np.str_],
    findings: npt.NDArray[np.str_],
    scores: npt.NDArray[Any],
) -> npt.NDArray[np.intp] | None:
    """Finds the images of a file among the predictions.

    Args:
        rows: the predictions of the split that the file is about.
        ids: of the images, [k].
        findings: one for each of them, [k].
        scores: of that finding in that image, [k].

    Returns:
        int [k], their places in the split; None where an image or a finding is unknown or a score
        is another one: the file is of other predictions.
    """
    place = {str(name): at for at, name in enumerate(rows.ids)}
    column = {name: at for at, name in enumerate(rows.findings)}
    at = np.array([place.get(name, -1) for name in ids.tolist()], np.intp)
    of = np.array([column.get(name, -1) for name in findings.tolist()], np.intp)
    if (at < 0).any() or (of < 0).any():
        return None
    same = np.abs(rows.scores[at, of].astype(np.float64) - scores) <= _TOLERANCE
    return at if same.all() else None
