# SPDX-License-Identifier: MIT
"""The file phantom.json: what a phantom was made of, so that a second run recognises it.

It is written twice: before the first picture with the parameters alone, so that an interrupted run
can go on, and after the last file with the checksum of the label file and the counts.
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.phantom.labels import DATA_ENTRY
from preprocessing.phantom.population import Prevalence

NOTES = "phantom.json"
# Raise it when the same parameters begin to give other bytes.
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Parameters:
    """All that the bytes of a phantom depend on.

    Attributes:
        images: rows of the label file.
        seed: seed of everything drawn.
        prevalence: realistic or raised.
        size_px: side of the pictures in pixels.
        image_files: number of pictures on storage, the first by name.
        version: version of the drawing code.
    """

    images: int
    seed: int
    prevalence: Prevalence
    size_px: int
    image_files: int
    version: int = _VERSION


def claim(output: str, parameters: Parameters) -> dict[str, Any] | None:
    """Makes the output folder the phantom's own.

    Returns:
        The counts of a phantom of these parameters if it is there complete, else None.

    Raises:
        UsageError: something else is there.
    """
    path, table = storage.join(output, NOTES), storage.join(output, DATA_ENTRY)
    if not storage.exists(path):
        if storage.exists(table) or storage.exists(storage.join(output, "images_001")):
            raise UsageError(
                f"{output} holds a data set that is not a phantom: choose another output folder."
            )
        _write(output, parameters, sha256=None, counts=None)
        return None
    notes = _read(path)
    there = notes["parameters"]
    if there != dataclasses.asdict(parameters):
        raise UsageError(
            f"{output} holds a phantom of other parameters ({_in_words(there)}): "
            "choose another output folder or delete it."
        )
    if notes["counts"] is None or not storage.exists(table):
        return None
    if storage.sha256_of(table) != notes["sha256"]:
        raise UsageError(
            f"{table} was changed since the phantom was written: "
            "choose another output folder or delete this one."
        )
    counts: dict[str, Any] = notes["counts"]
    return counts


def finish(output: str, parameters: Parameters, counts: dict[str, Any]) -> None:
    """Notes that the phantom is complete, with the counts that `claim` will return for it."""
    sha256 = storage.sha256_of(storage.join(output, DATA_ENTRY))
    _write(output, parameters, sha256=sha256, counts=counts)


def made_from(folders: Iterable[str]) -> str:
    """Says how the phantom in one of the folders was made, by its notes; "" if none is there."""
    for folder in folders:
        try:
            notes = _read(storage.join(folder, NOTES))
        except (OSError, UsageError):
            continue
        return f"drawn by cxr14-preprocess phantom ({_in_words(notes['parameters'])})"
    return ""


def _write(
    output: str, parameters: Parameters, *, sha256: str | None, counts: dict[str, Any] | None
) -> None:
    notes = {"parameters": dataclasses.asdict(parameters), "sha256": sha256, "counts": counts}
    storage.write_text(storage.join(output, NOTES), json.dumps(notes, indent=2) + "\n")


def _read(path: str) -> dict[str, Any]:
    try:
        notes = json.loads(storage.read_text(path))
        if isinstance(notes, dict) and notes.keys() >= {"parameters", "sha256", "counts"}:
            return notes
    except ValueError:
        pass
    raise UsageError(f"{path} is not the note of a phantom: choose another output folder.")


def _in_words(parameters: object) -> str:
    if not isinstance(parameters, dict):
        return "unreadable"
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
