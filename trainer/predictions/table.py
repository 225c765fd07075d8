# SPDX-License-Identifier: MIT
"""The predictions file: what the model and what the labels say of each image.

One row an image with the columns `id`, `patient`, `split` and, per finding, `label:NAME` (0, 1 or
empty for unknown) and `score:NAME` (a probability from 0 to 1). CSV, or the same columns as `.npz`
or `.parquet`. Scores that were calibrated may have `raw:NAME` beside them, the scores before that,
on which a model's thresholds are. Everything statistical reads this file and nothing else, so a
report can be made again from it alone, and of anybody's model.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from trainer.predictions import given_file, rules
from trainer.predictions.formats import at, encode, first, frame_of, names, numbers, texts
from trainer.predictions.rules import SPLITS

LABEL_PREFIX = "label:"
SCORE_PREFIX = "score:"
RAW_PREFIX = "raw:"
_PREFIXES = (LABEL_PREFIX, SCORE_PREFIX)
_KEYS = ("id", "patient", "split")
_WHAT = ("predictions file", "evaluate first or name another")


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Scores and labels of n images for L findings, one row an image.

    Attributes:
        ids: image ids, str [n], unique.
        patients: patient ids, str [n].
        splits: train, validation or test, str [n].
        labels: float32 [n, L]; 0, 1, or NaN where the label is unknown.
        scores: float32 or float64 [n, L], probabilities from 0 to 1.
        findings: the L finding names, in the order of the file.
        ignored_columns: columns of the file that are neither keys, labels nor scores.
        raw: scores before they were calibrated, likewise, or None.
    """

    ids: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]
    splits: npt.NDArray[np.str_]
    labels: npt.NDArray[np.float32]
    scores: npt.NDArray[np.floating[Any]]
    findings: tuple[str, ...]
    ignored_columns: tuple[str, ...] = ()
    raw: npt.NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        """Refuses arrays that do not describe the same rows and findings."""
        rows, width = len(self.ids), len(self.findings)
        shapes = [self.patients.shape, self.splits.shape, self.labels.shape, self.scores.shape]
        if shapes != [(rows,), (rows,), (rows, width), (rows, width)]:
            raise ValueError(f"{rows} ids and {width} findings do not fit the shapes {shapes}")

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that have rows, in the order train, validation, test."""
        present = set(self.splits.tolist())
        return tuple(name for name in SPLITS if name in present)

    def select(self, split: str) -> "Predictions":
        """Returns the rows of one split, in the order of the file; none for an absent split."""
        rows = self.splits == split
        return dataclasses.replace(
            self,
            ids=self.ids[rows],
            patients=self.patients[rows],
            splits=self.splits[rows],
            labels=self.labels[rows],
            scores=self.scores[rows],
            raw=None if self.raw is None else self.raw[rows],
        )


def read(path: str) -> Predictions:
    """Reads and checks a predictions file.

    Args:
        path: a .csv, .npz or .parquet file, local or gs://.

    Raises:
        DataError: the file is missing, unreadable or breaks a rule of the format; the text names
            the file, the column, the row and what to do.
    """
    frame = frame_of(path, given_file.read(path, *_WHAT))
    findings = _findings(path, frame)
    if not len(frame):
        raise DataError(f"{path}: there are no rows; write at least one image")
    labels = [numbers(path, LABEL_PREFIX + name, frame, empty_is_nan=True) for name in findings]
    scores = [numbers(path, SCORE_PREFIX + name, frame, empty_is_nan=False) for name in findings]
    raw = [RAW_PREFIX + name for name in findings if RAW_PREFIX + name in frame]
    raw = raw if len(raw) == len(findings) else []
    used = {*_KEYS, *raw, *(prefix + name for name in findings for prefix in _PREFIXES)}
    predictions = Predictions(
        ids=texts(frame, "id"),
        patients=texts(frame, "patient"),
        splits=texts(frame, "split"),
        labels=np.stack(labels, axis=1).astype(np.float32),
        scores=np.stack(scores, axis=1),
        findings=findings,
        ignored_columns=tuple(name for name in names(frame) if name not in used),
        raw=np.stack([numbers(path, name, frame, empty_is_nan=False) for name in raw], axis=1)
        if raw
        else None,
    )
    check(predictions, source=path)
    return predictions


def write(path: str, predictions: Predictions) -> None:
    """Writes a predictions file; the same predictions give the same bytes.

    CSV holds float32 scores with 9 significant digits, which is what binary32 needs to come back
    bit for bit (IEEE 754-2019, 5.12.2), and float64 scores with as many as they need.

    Args:
        path: a .csv, .npz or .parquet file, local or gs://.
        predictions: what to write.

    Raises:
        DataError: the predictions break a rule of the format, as by a NaN score, or the suffix is
            not one of the three.
    """
    check(predictions, source=path)
    columns: dict[str, npt.NDArray[Any]] = {
        "id": predictions.ids,
        "patient": predictions.patients,
        "split": predictions.splits,
    }
    for position, name in enumerate(predictions.findings):
        columns[LABEL_PREFIX + name] = predictions.labels[:, position]
        columns[SCORE_PREFIX + name] = predictions.scores[:, position]
        if predictions.raw is not None:
            columns[RAW_PREFIX + name] = predictions.raw[:, position]
    storage.write_bytes(path, encode(path, columns), private=True)


def concatenated(parts: Sequence[Predictions]) -> Predictions:
    """Returns the rows of several predictions of the same findings, one after the other."""
    columns = ("ids", "patients", "splits", "labels", "scores")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in columns
    }
    return dataclasses.replace(parts[0], **joined)


def fingerprint(path: str) -> str:
    """Returns the SHA-256 of the file, as 64 hexadecimal digits.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    return given_file.sha256(path, *_WHAT)


def check(predictions: Predictions, *, source: str) -> None:
    """Raises DataError for the first rule of the format that the values break.

    Args:
        predictions: the values, of the right shapes.
        source: the file that the message names.
    """
    for problem in _problems(predictions):
        raise DataError(f"{source}: {problem}")


def _problems(predictions: Predictions) -> Iterator[str]:
    ids, findings = predictions.ids, predictions.findings
    yield from rules.rows(ids, predictions.patients, predictions.splits)
    yield from rules.labels(predictions.labels, findings, ids)
    for name, scores in zip(findings, predictions.scores.T, strict=True):
        if (row := first(~((scores >= 0) & (scores <= 1)))) is not None:
            yield (
                f"column {SCORE_PREFIX}{name}: {scores[row]:g} in {at(ids, row)} is not a "
                "probability from 0 to 1; apply the sigmoid to logits, and repair or leave out "
                "images without a score"
            )
    yield from rules.leaks(predictions.patients, predictions.splits)


def _findings(path: str, frame: pd.DataFrame) -> tuple[str, ...]:
    """The finding names in the order of their label columns; every one has both columns."""
    for name in _KEYS:
        if name not in frame:
            raise DataError(
                f"{path}: column {name} is missing; the columns must be id, patient, split and "
                "label:NAME and score:NAME for each finding"
            )
    labels, scores = (names(frame, prefix) for prefix in _PREFIXES)
    for name in (*labels, *scores):
        if (name in labels) != (name in scores):
            present, absent = _PREFIXES if name in labels else _PREFIXES[::-1]
            raise DataError(
                f"{path}: column {present}{name} has no column {absent}{name} beside it; "
                "add it, or leave the finding out"
            )
    if not labels or not all(name.strip() for name in labels):
        raise DataError(f"{path}: no finding is named; add label:NAME and score:NAME columns")
    return labels
