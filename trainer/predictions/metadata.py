# SPDX-License-Identifier: MIT
"""What is known of images beside their pixels: sex, age, view, follow-up, size, labels.

Read from `metadata.csv`, which evaluation writes next to the predictions, or from ChestX-ray14's
own Data_Entry file in any of its variants. Rows are joined to predictions by image and patient,
never by their order.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from preprocessing.contract import patients as people
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from trainer.predictions import data_entry, given_file, rules
from trainer.predictions.formats import encode, frame_of, names, texts
from trainer.predictions.metadata_columns import (
    LABEL_PREFIX,
    UNKNOWN,
    coded,
    integers,
    labels,
)
from trainer.predictions.names import image_stems, proven_rows

NAME = "metadata.csv"

Texts = npt.NDArray[np.str_]
Integers = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class Metadata:
    """What is known of m images; one row an image.

    Attributes:
        ids: names of the images, str [m], unique.
        patients: str [m].
        splits: train, validation or test, or "" where that is unknown; str [m].
        sex: "M", "F" or ""; str [m].
        view: "AP", "PA" or ""; str [m].
        age: years, -1 unknown; int64 [m].
        follow_up: number of the examination in the patient's series from 0, -1 unknown; int64 [m].
        width: of the original image in pixels, 0 unknown; int64 [m].
        height: likewise.
        labels: float32 [m, L]; 1, 0 or NaN for unknown. None where the file holds no labels.
        findings: the L names of the labels.
        refused: what was made unknown because it cannot be, such as `age`: how many values; and
            `age_bounds`: how many ages are bounds, such as 85 or more, of which the least counts.
    """

    ids: Texts
    patients: Texts
    splits: Texts
    sex: Texts
    view: Texts
    age: Integers
    follow_up: Integers
    width: Integers
    height: Integers
    labels: npt.NDArray[np.float32] | None = None
    findings: tuple[str, ...] = ()
    refused: Mapping[str, int] = dataclasses.field(default_factory=dict)


def read(path: str) -> Metadata:
    """Reads metadata.csv or a Data_Entry file of ChestX-ray14.

    Args:
        path: a CSV file, local or gs://. With a column `Image Index` it is read as ChestX-ray14's;
            otherwise it needs the columns `id` and `patient` and may have `split`, `sex`, `view`,
            `age`, `follow_up`, `width`, `height` and `label:NAME`.

    Returns:
        All rows. An age over 120 years or not a number, a sex or a view that is not known
        here is made unknown and counted in `refused`.

    Raises:
        DataError: the file is missing or cannot be read; a column is missing; an id is empty or
            given twice; a field is not a number; a label is not one.
    """
    data = given_file.read(path, "metadata file")
    if data_entry.is_one(data):
        return _metadata(path, data_entry.frame_of(path, data))
    frame = frame_of(path, data, kind="csv")
    for name in ("id", "patient"):
        if name not in frame:
            raise DataError(
                f"{path}: there is no column {name!r}; give ChestX-ray14's "
                f"Data_Entry_2017_v2020.csv or the {NAME} that evaluation writes"
            )
    if not len(frame):
        raise DataError(f"{path}: there is a header but no row; give the complete file")
    return _metadata(path, frame)


def write(path: str, metadata: Metadata) -> None:
    """Writes metadata.csv; `read` brings the same rows back, unknown values as empty fields.

    Args:
        path: where to, ending in .csv.
        metadata: what to write.
    """
    columns: dict[str, npt.NDArray[Any]] = {
        "id": metadata.ids,
        "patient": metadata.patients,
        "split": metadata.splits,
        "sex": metadata.sex,
        "view": metadata.view,
    }
    for name, unknown in UNKNOWN.items():
        values = getattr(metadata, name)
        columns[name] = np.where(values == unknown, "", values.astype(np.str_))
    if metadata.labels is not None:
        for position, name in enumerate(metadata.findings):
            columns[LABEL_PREFIX + name] = metadata.labels[:, position]
    storage.write_bytes(path, encode(path, columns), private=True)


def join(metadata: Metadata, ids: Texts, patients: Texts) -> npt.NDArray[np.intp]:
    """Finds the row of each image, and proves it: the same image is of the same patient.

    Args:
        metadata: m rows.
        ids: names of images, str [n], with or without `.png`.
        patients: str [n]; numbers with or without leading zeros.

    Returns:
        Rows of the metadata, [n]; -1 where there is none.

    Raises:
        DataError: an image is of another patient in the metadata.
    """
    return proven_rows((metadata.ids, metadata.patients), (ids, patients), "metadata")


def sex_of_patients(metadata: Metadata, patients: Texts) -> Texts:
    """Finds the sex of each patient where images cannot be joined.

    Sex is the one fact here that does not change from image to image of a patient.

    Args:
        metadata: m rows.
        patients: str [n].

    Returns:
        "M", "F" or "", str [n]; "" too where images of the patient name both.
    """
    known = pd.DataFrame({"patient": people.values(metadata.patients), "sex": metadata.sex})
    known = known[known["sex"] != ""].drop_duplicates()
    certain = known.drop_duplicates("patient", keep=False).set_index("patient")["sex"]
    return certain.reindex(people.values(patients), fill_value="").to_numpy().astype("<U1")


def label_disagreements(
    metadata: Metadata,
    rows: npt.NDArray[np.intp],
    findings: tuple[str, ...],
    labels: npt.NDArray[np.float32],
) -> dict[str, int] | None:
    """Counts where joined metadata and predictions know a label and differ.

    Args:
        metadata: m rows.
        rows: what `join` returned, [n].
        findings: the L findings of the predictions.
        labels: of the predictions, [n, L].

    Returns:
        finding -> labels that differ, for the findings that both name; None where there is none,
        or no image is joined.
    """
    found = np.flatnonzero(rows >= 0)
    shared = [name for name in findings if name in metadata.findings]
    if metadata.labels is None or not shared or not len(found):
        return None
    differing = {}
    for name in shared:
        theirs = metadata.labels[rows[found], metadata.findings.index(name)]
        ours = labels[found, findings.index(name)]
        known = ~(np.isnan(theirs) | np.isnan(ours))
        differing[name] = int((theirs != ours)[known].sum())
    return differing


def _metadata(path: str, frame: pd.DataFrame) -> Metadata:
    if "split" not in frame:
        frame["split"] = ""
    ids, patients, splits = (texts(frame, name) for name in ("id", "patient", "split"))
    for problem in rules.rows(ids, patients, splits, images=image_stems(ids), unknown_split=True):
        raise DataError(f"{path}: {problem}")
    findings = names(frame, LABEL_PREFIX)
    refused: dict[str, int] = {}
    return Metadata(
        ids=ids,
        patients=patients,
        splits=splits,
        sex=coded("sex", frame, refused),
        view=coded("view", frame, refused),
        age=integers(path, "age", frame, refused),
        follow_up=integers(path, "follow_up", frame, refused),
        width=integers(path, "width", frame, refused),
        height=integers(path, "height", frame, refused),
        labels=labels(path, frame, findings),
        findings=findings,
        refused=refused,
    )
