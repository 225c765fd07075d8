# SPDX-License-Identifier: MIT
"""Chooses the images that show best where a model is right and where it is wrong."""

import dataclasses

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.predictions.heat_map_files import KINDS
from trainer.predictions.table import Predictions


@dataclasses.dataclass(frozen=True)
class Choice:
    """One image, shown for one finding.

    Attributes:
        row: of the predictions.
        finding: column of the predictions.
        kind: false_alarm, miss or hit.
    """

    row: int
    finding: int
    kind: str


def choose(predictions: Predictions, count: int) -> list[Choice]:
    """Chooses for each finding the worst errors and the most confident hits.

    No threshold is involved: a false alarm is an image without the finding and with one of the
    highest scores of it, a miss one with the finding and one of the lowest scores, a hit one with
    the finding and one of the highest. Of those with the finding, the higher half may be hits and
    the lower half misses. A patient is shown once at most in a kind, so that one patient with many
    images does not fill it. Images whose label is unknown are not chosen.

    Args:
        predictions: of one split.
        count: images of each kind and finding, at most.

    Returns:
        By finding, then false alarms, misses, hits, the most extreme first; equal scores in the
        order of the rows.
    """
    chosen = []
    for finding in range(len(predictions.findings)):
        labels, scores = predictions.labels[:, finding], predictions.scores[:, finding]
        falling = np.argsort(-scores, kind="stable")
        positive = falling[labels[falling] == 1]
        higher = (len(positive) + 1) // 2
        orders = {
            "false_alarm": falling[labels[falling] == 0],
            "miss": positive[higher:][::-1],
            "hit": positive[:higher],
        }
        for kind in KINDS:
            rows = _one_a_patient(orders[kind], predictions.patients, count)
            chosen += [Choice(row, finding, kind) for row in rows]
    return chosen


def _one_a_patient(
    rows: npt.NDArray[np.intp], patients: npt.NDArray[np.str_], count: int
) -> list[int]:
    """Returns the first rows, at most `count`, each of another patient."""
    found: dict[str, int] = {}
    for row in rows.tolist():
        if len(found) == count:
            break
        found.setdefault(people.value(str(patients[row])), row)
    return list(found.values())
