# SPDX-License-Identifier: MIT
"""Reads what somebody says of films: a file of labels, or a data set of cxr14-preprocess."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from preprocessing.contract.manifest import Manifest
from trainer.inference import data_set, given, overlap
from trainer.predictions import data_entry, given_file, rules, table
from trainer.predictions.formats import first, frame_of, names, numbers, texts
from trainer.predictions.metadata import Metadata
from trainer.serving.facts import Facts

_IDS, _PATIENTS = ("id", "Image Index"), ("patient", "Patient ID")
_SHOWN = 5

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
        metadata: what else a data set says of the films; None for a file.
        naming: of the patients, as `overlap.naming` returns it; empty if it is not known.
        manifest: of a data set; None for a file.
    """

    ids: Texts
    patients: Texts | None
    findings: tuple[str, ...]
    values: npt.NDArray[np.float32]
    ignored: tuple[str, ...]
    is_data_entry: bool
    metadata: Metadata | None = None
    naming: tuple[str, ...] = ()
    manifest: Manifest | None = None


def read(path: str, facts: Facts, splits: Sequence[str] = ("test",)) -> Labels:
    """Reads labels: to be called before films are scored, so that a wrong file is refused at once.

    Args:
        path: ChestX-ray14's Data_Entry CSV, or a CSV file with a column `id` (or `Image Index`) and
            for each finding one of its name, or `label:NAME`: 1, 0, or empty for unknown. A column
            `patient` (or `Patient ID`) is used if there is one. Or the folder of a data set that
            cxr14-preprocess made. Local or gs://.
        facts: of the model.
        splits: of such a data set.

    Raises:
        DataError: the file is missing or corrupt, names no finding of the model, names a film
            twice, or holds something else than labels.
    """
    labels = _of_data_set(path, facts, splits) if data_set.is_one(path) else _of_file(path, facts)
    for problem in _problems(labels):
        raise DataError(f"{path}: {problem}")
    return labels


def _of_file(path: str, facts: Facts) -> Labels:
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
    return Labels(
        *(texts(frame, "id"), patients, tuple(found), values, ignored, whole),
        naming=("nih",) if whole else (),
    )


def _of_data_set(folder: str, facts: Facts, splits: Sequence[str]) -> Labels:
    manifest, known = data_set.metadata(folder, splits)
    found = tuple(name for name in facts.findings if name in known.findings)
    if not found or known.labels is None:
        raise DataError(
            f"{folder} shares no finding with the model: it has {', '.join(known.findings)}, the "
            f"model {', '.join(facts.findings)}; name them alike by preprocessing's table.names"
        )
    return Labels(
        known.ids,
        known.patients,
        found,
        known.labels[:, [known.findings.index(name) for name in found]],
        tuple(name for name in known.findings if name not in found),
        is_data_entry=False,
        metadata=known,
        naming=overlap.naming(manifest),
        manifest=manifest,
    )


def _problems(labels: Labels) -> Sequence[str]:
    if not len(labels.ids):
        return ["there is a header but no row"]
    twice = pd.Index(keys(labels.ids)).duplicated()
    if (row := first(twice)) is not None:
        return [f"film {str(labels.ids[row])!r} is in more than one row; keep one row a film"]
    return list(rules.labels(labels.values, labels.findings, labels.ids))


def keys(ids: Texts) -> list[str]:
    """Names without the suffix of a picture.

    >>> keys(np.array(["a/00000013_004.png", "b.DCM", "c.1"]))
    ['a/00000013_004', 'b', 'c.1']
    """

    def bare(name: str) -> str:
        head, dot, end = name.rpartition(".")
        return head if f"{dot}{end}".lower() in given.SUFFIXES else name

    return [bare(name.strip()) for name in ids.tolist()]
