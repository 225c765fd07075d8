# SPDX-License-Identifier: MIT
"""What the baselines of the report learn from metadata, and which images are judged."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.contract import patients as people
from trainer.evaluation import baselines
from trainer.predictions import metadata
from trainer.report.source import Source

Numbers = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Lesson:
    """What there is to learn from.

    Attributes:
        known: metadata of m images.
        labels: of those, for the findings of the predictions, float32 [m, L].
        train: rows of the images to learn from.
        joined: the row of each image that is judged, [n]; -1 for none.
    """

    known: metadata.Metadata
    labels: npt.NDArray[np.float32]
    train: npt.NDArray[np.intp]
    joined: npt.NDArray[np.intp]

    def scores(self, judged: npt.NDArray[np.bool_]) -> dict[str, Numbers]:
        """What each baseline says of the judged images, [n, L]; NaN where it learned nothing."""
        levels = baselines.levels(self.known, self.train)
        return {
            key: baselines.learn_and_score(
                [levels[name] for name in facts], self.labels, self.train
            )[self.joined[judged]]
            for key, facts in baselines.FACTS.items()
        }

    def described(self) -> dict[str, Any]:
        """Returns `images` and `patients` to learn from, and by what they were `chosen_by`."""
        said = bool((self.known.splits != "").any())
        return {
            "images": len(self.train),
            "patients": people.count(self.known.patients[self.train]),
            "chosen_by": "split column" if said else "patients who are not judged here",
        }


def lesson_of(source: Source) -> Lesson | str:
    """Returns what there is to learn, or in words why there is nothing.

    Raises:
        DataError: the metadata say that an image is of another patient than the predictions do.
    """
    known, rows = source.metadata, source.rows(source.headline)
    if known is None:
        return "no metadata were given: add --metadata=Data_Entry_2017_v2020.csv"
    if known.labels is None or not set(known.findings) & set(rows.findings):
        return "the metadata hold no labels of these findings to learn from"
    joined = metadata.join(known, rows.ids, rows.patients)
    if not (joined >= 0).any():
        return f"none of the {source.headline} images is in the metadata by name"
    judged = np.isin(source.predictions.splits, ["validation", "test", source.headline])
    train = baselines.training_rows(
        known.patients, known.splits, source.predictions.patients[judged]
    )
    if not len(train):
        return (
            "the metadata hold no image of the train split to learn from: give those of the "
            "whole data set"
        )
    labels = np.full((len(known.ids), len(rows.findings)), np.nan, dtype=np.float32)
    for position, name in enumerate(rows.findings):
        if name in known.findings:
            labels[:, position] = known.labels[:, known.findings.index(name)]
    return Lesson(known, labels, train, joined)
