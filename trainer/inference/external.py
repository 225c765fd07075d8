# SPDX-License-Identifier: MIT
"""The report of an external test: what a finished model does on somebody's labelled films.

Nothing is chosen here: the model brings its thresholds and its calibration, and both are judged.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import patients as people
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from trainer.inference import given
from trainer.predictions import data_entry, given_file, rules, table
from trainer.predictions.formats import first, frame_of, names, numbers, texts
from trainer.report import report as reports
from trainer.report.inputs import Inputs
from trainer.report.source import EXTERNAL
from trainer.serving.facts import Facts

_IDS, _PATIENTS = ("id", "Image Index"), ("patient", "Patient ID")
_SHOWN = 5
LEFT_OUT = ("films without labels", "labels without a scored film")

Texts = npt.NDArray[np.str_]


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """What somebody says of m films.

    Attributes:
        ids: names of the films, str [m].
        patients: str [m], or None where the file names none.
        findings: those of the model's findings that the file has, L of them.
        values: float32 [m, L]; 1, 0, or NaN for unknown.
        ignored: columns that are neither.
        is_data_entry: whether the file is ChestX-ray14's, which says more of each film.
    """

    ids: Texts
    patients: Texts | None
    findings: tuple[str, ...]
    values: npt.NDArray[np.float32]
    ignored: tuple[str, ...]
    is_data_entry: bool


def read_labels(path: str, facts: Facts) -> Labels:
    """Reads labels: to be called before films are scored, so that a wrong file is refused at once.

    Args:
        path: ChestX-ray14's Data_Entry CSV, or a CSV file with a column `id` (or `Image Index`) and
            for each finding one of its name, or `label:NAME`: 1, 0, or empty for unknown. A column
            `patient` (or `Patient ID`) is used if there is one. Local or gs://.
        facts: of the model.

    Raises:
        DataError: the file is missing or corrupt, names no finding of the model, names a film
            twice, or holds something else than labels.
    """
    data = given_file.read(path, "file for --labels")
    whole = data_entry.is_one(data) and b"Finding Labels" in data.partition(b"\n")[0]
    frame = data_entry.frame_of(path, data) if whole else frame_of(path, data, kind="csv")
    frame = frame.rename(columns=lambda name: str(name).removeprefix(table.LABEL_PREFIX))
    for ours, theirs in (("id", _IDS), ("patient", _PATIENTS)):
        there = [name for name in theirs if name in frame]
        frame = frame.rename(columns={there[0]: ours} if there else {})
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"{path}: columns {twice} and {table.LABEL_PREFIX}{twice}: keep one")
    if "id" not in frame:
        raise DataError(f"{path}: there is no column id or Image Index, which names the films")
    if whole:
        # Its list of findings is complete: what no row names is absent from all.
        absent = [
            name for name in facts.findings if name in CHESTXRAY14_FINDINGS and name not in frame
        ]
        frame = frame.assign(**dict.fromkeys(absent, 0.0))
    found = [name for name in facts.findings if name in frame]
    if not found:
        raise DataError(
            f"{path}: no column is a finding of the model: name columns "
            f"{', '.join(facts.findings[:_SHOWN])} and so on, as the model does"
        )
    columns = [numbers(path, name, frame, empty_is_nan=True) for name in found]
    patients = texts(frame, "patient") if "patient" in frame else None
    values = np.stack(columns, axis=1).astype(np.float32)
    ignored = () if whole else tuple({*names(frame)} - {*found, "id", "patient"})
    labels = Labels(texts(frame, "id"), patients, tuple(found), values, ignored, whole)
    for problem in _problems(labels):
        raise DataError(f"{path}: {problem}")
    return labels


def _problems(labels: Labels) -> Sequence[str]:
    if not len(labels.ids):
        return ["there is a header but no row"]
    twice = pd.Index(_keys(labels.ids)).duplicated()
    if (row := first(twice)) is not None:
        return [f"film {str(labels.ids[row])!r} is in more than one row; keep one row a film"]
    return list(rules.labels(labels.values, labels.findings, labels.ids))


def report(
    predictions_path: str,
    labels_path: str,
    facts: Facts,
    output_folder: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> reports.Report:
    """Joins labels to predictions and writes the report of them into `output_folder`/report.

    The predictions with their labels are left beside it, as `predictions.csv`.

    Args:
        predictions_path: .csv or .parquet with `id`, `patient`, `score:NAME` (calibrated where the
            model is) and `raw:NAME`.
        labels_path: as `read_labels` takes it.
        facts: of the model that made them.
        output_folder: local or gs://.
        resamples: of patients, behind every interval.
        seed: of the resamples.

    Returns:
        The content of report.json.

    Raises:
        DataError: a file cannot be used, or no film has a label.
    """
    labels = read_labels(labels_path, facts)
    made, left_out = _labelled(predictions_path, labels_path, labels)
    path = storage.join(output_folder, "predictions.csv")
    table.write(path, made)
    return reports.from_files(
        Inputs(path, labels_path if labels.is_data_entry else ""),
        output=output_folder,
        context={EXTERNAL: _context(facts, labels) | left_out},
        resamples=resamples,
        seed=seed,
    )


def _labelled(
    predictions_path: str, labels_path: str, labels: Labels
) -> tuple[table.Predictions, dict[str, str]]:
    """Joins predictions and labels; says too which films and which labels were left out."""
    frame = frame_of(predictions_path, given_file.read(predictions_path, "predictions file"))
    ids = texts(frame, "id")
    rows = _joined(ids, labels.ids)
    has = rows >= 0
    if not has.any():
        raise DataError(
            f"{labels_path}: no row is of a film that was scored: films are called as "
            f"{str(ids[0])!r}, the rows as {str(labels.ids[0])!r}"
        )
    taken, patients = rows[has], texts(frame, "patient")[has]
    if labels.patients is not None:
        named = labels.patients[taken]
        known = [not people.is_missing(name) for name in named.tolist()]
        patients = np.where(known, named, patients)

    def of_model(prefix: str) -> npt.NDArray[np.floating[Any]]:
        columns = [
            numbers(predictions_path, prefix + name, frame, empty_is_nan=False)[has]
            for name in labels.findings
        ]
        return np.stack(columns, axis=1)

    made = table.Predictions(
        ids=ids[has],
        patients=patients,
        splits=np.full(len(taken), "test"),
        labels=labels.values[taken],
        scores=of_model(table.SCORE_PREFIX),
        findings=labels.findings,
        raw=of_model(table.RAW_PREFIX),
    )
    lacking = np.setdiff1d(np.arange(len(labels.ids)), taken)
    return made, dict(zip(LEFT_OUT, map(_counted, (ids[~has], labels.ids[lacking])), strict=True))


def _context(facts: Facts, labels: Labels) -> dict[str, Any]:
    """What is known of the model and of what was chosen before the test."""
    own = {"thresholds": facts.thresholds, "calibration": facts.calibration}
    return {
        "model": facts.identity,
        "step": facts.step,
        "models that were averaged": facts.models,
        "findings of the model without labels": ", ".join(
            name for name in facts.findings if name not in labels.findings
        ),
        "columns of the labels that were not used": sorted(labels.ignored),
        **{
            key: {name: value[name] for name in labels.findings if value}
            for key, value in own.items()
        },
    }


def _joined(ids: Texts, known: Texts) -> npt.NDArray[np.intp]:
    """Finds the row of each film by its name, or else by the name without folders; -1 for none."""
    index = pd.Index(_keys(known))
    rows: npt.NDArray[np.intp] = index.get_indexer(pd.Index(_keys(ids)))
    bare = pd.Index([key.rpartition("/")[2] for key in index])
    ours = pd.Series([key.rpartition("/")[2] for key in _keys(ids)])
    # Two films of one name in different folders could be either.
    if not bare.has_duplicates:
        alone = ~ours.duplicated(keep=False).to_numpy()
        rows = np.where((rows < 0) & alone, bare.get_indexer(pd.Index(ours)), rows)
    return rows


def _keys(ids: Texts) -> list[str]:
    """Names without the suffix of a picture.

    >>> _keys(np.array(["a/00000013_004.png", "b.DCM", "c.1"]))
    ['a/00000013_004', 'b', 'c.1']
    """

    def bare(name: str) -> str:
        head, dot, end = name.rpartition(".")
        return head if f"{dot}{end}".lower() in given.SUFFIXES else name

    return [bare(name.strip()) for name in ids.tolist()]


def _counted(ids: Texts) -> str:
    more = f" ({', '.join(ids[:_SHOWN].tolist())}{' and more' * (len(ids) > _SHOWN)})"
    return f"{len(ids):,}{more if len(ids) else ''}"
