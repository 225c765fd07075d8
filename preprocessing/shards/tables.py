# SPDX-License-Identifier: MIT
"""The tables beside the shards: rejected images, warnings, and pictures equal pixel for pixel.

One film filed under two patients, or in train and in test, is a leak that no split by patient sees.
"""

import contextlib
import io
from collections.abc import Container, Iterable

import pandas as pd

from preprocessing.contract import cells, patients
from preprocessing.contract.files import storage

REJECTED, WARNINGS, DUPLICATES = "rejected.csv", "warnings.csv", "duplicates.csv"
_COLUMNS = {
    REJECTED: ["id", "reason", "text", "uri"],
    WARNINGS: ["id", "text"],
    DUPLICATES: ["digest", "id", "patient", "split"],
}


def frame(name: str, lines: Iterable[tuple[str, ...]]) -> pd.DataFrame:
    """Returns lines as the table of that name, all of it text."""
    return pd.DataFrame(list(lines), columns=_COLUMNS[name], dtype=object)


def write(output: str, name: str, table: pd.DataFrame) -> None:
    """Writes a table beside the shards, readable by its owner alone; an empty one is removed."""
    path = storage.join(output, name)
    if table.empty:
        storage.delete(path)
        return
    safe = table.map(lambda cell: cells.harmless(storage.shown(cell)))
    text = safe.to_csv(index=False, lineterminator="\n")
    storage.write_text(path, text, private=True)


def read(folder: str, name: str, there: Container[str]) -> pd.DataFrame:
    """Reads a table back, all of it text; what is missing or cannot be read has no rows.

    Args:
        folder: of the data set.
        name: of the table.
        there: files of the folder.
    """
    found = frame(name, ())
    if name in there:
        text = storage.read_bytes(storage.join(folder, name)).decode("utf-8", "replace")
        with contextlib.suppress(ValueError):  # also for what is not CSV
            found = pd.read_csv(
                io.StringIO(text),
                dtype=str,
                keep_default_na=False,
                # By default, pandas takes the first cell of lines that are too long for an index.
                index_col=False,
                # A choice of columns: without one, each such line is warned of.
                usecols=lambda column: column in _COLUMNS[name],
            )
    return found.reindex(columns=_COLUMNS[name]).fillna("").map(cells.original)


def duplicates(pictures: Iterable[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Returns the pictures whose pixels another one has, sorted.

    Args:
        pictures: digest of the pixels, id, patient, split; without a digest none is equal.
    """
    table = frame(DUPLICATES, pictures)
    equal = table.duplicated("digest", keep=False) & (table["digest"] != "")
    return table[equal].sort_values(_COLUMNS[DUPLICATES])


def count(table: pd.DataFrame) -> dict[str, int]:
    """Counts what the manifest says of pictures under more than one name, from `duplicates`."""
    groups = table.assign(patient=table["patient"].map(patients.value)).groupby("digest")
    across = (groups[["patient", "split"]].nunique() > 1).sum()
    return {
        "duplicate_pictures": len(table),
        "duplicate_groups": groups.ngroups,
        "duplicate_groups_across_patients": int(across["patient"]),
        "duplicate_groups_across_splits": int(across["split"]),
    }
