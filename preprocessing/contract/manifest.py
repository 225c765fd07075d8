# SPDX-License-Identifier: MIT
"""The manifest: what a finished data set says of itself, and the proof that it is finished.

`manifest.json` is written last. It holds nothing that differs between two runs on the same input
(no time, no absolute path), so that equal data sets have equal manifests.
"""

import dataclasses
import hashlib
import json
from typing import Any

import dacite

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.labels import SPLITS as SPLITS
from preprocessing.contract.schema import SCHEMA_VERSION

NAME = "manifest.json"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file: its name in the folder, number of records, bytes, SHA-256."""

    name: str
    examples: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of the data set.

    Attributes:
        examples: number of records.
        patients: number of patients, none of whom is in another split.
        positives: for each finding the number of records in which it is present.
        known: for each finding the number of records in which it is known, present or absent.
        prevalence: positives / known; 0.0 where nothing is known.
        shards: in the order in which evaluation reads them.
    """

    examples: int
    patients: int
    positives: dict[str, int]
    known: dict[str, int]
    prevalence: dict[str, float]
    shards: list[Shard]

    def paths(self, folder: str) -> list[str]:
        """Returns the path of each shard in the data set's folder, in the order of `shards`."""
        return [storage.join(folder, shard.name) for shard in self.shards]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A whole data set.

    Attributes:
        schema_version: version of the record table that wrote the shards.
        findings: names, in the order of `targets` in the records.
        stored_size: side of the stored pictures in pixels.
        encoding: how pictures are stored: "png" or "raw".
        splits: train, validation and test.
        official_split: whether test and train_val are ChestX-ray14's published lists, by hash.
        list_hashes: SHA-256 of the sorted names, joined by LF, of each given list.
        counters: what happened to the rows of the index (read, written, missing, ...).
        parameters: settings of the preprocessing job.
        sources: SHA-256 of each file that the records came from, but the images.
        writer: name and version of the program that wrote the data set.
        split_method: how images came to the splits, in words.
        phantom: how the phantom was made that the images are of, in words; empty for real images.
    """

    schema_version: int
    findings: list[str]
    stored_size: int
    encoding: str
    splits: dict[str, Split]
    official_split: bool
    list_hashes: dict[str, str]
    counters: dict[str, int]
    parameters: dict[str, Any]
    sources: dict[str, str]
    writer: str
    split_method: str = ""
    phantom: str = ""

    @property
    def shards(self) -> list[Shard]:
        """The shards of all splits, split by split."""
        return [shard for split in self.splits.values() for shard in split.shards]

    @property
    def identity(self) -> str:
        """SHA-256 over the manifest: two data sets with equal identity hold equal records."""
        return hashlib.sha256(to_json(self).encode()).hexdigest()


def to_json(manifest: Manifest) -> str:
    """Returns the text of manifest.json."""
    values = dataclasses.asdict(manifest)
    if not manifest.phantom:
        del values["phantom"]  # as in manifests that are older than this field
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, *, origin: str) -> Manifest:
    """Reads the text of manifest.json.

    Args:
        text: the file's content.
        origin: the path named in an error.

    Raises:
        DataError: not a manifest, or one of another schema version.
    """
    try:
        values = json.loads(text)
        version = values["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{origin} is not a manifest: preprocess the data again") from error
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{origin} has schema version {version}, this program reads {SCHEMA_VERSION}: "
            "preprocess the data again or use the program version that wrote it"
        )
    try:
        manifest = dacite.from_dict(Manifest, values, config=dacite.Config(strict=True))
    except (dacite.DaciteError, ValueError) as error:
        raise DataError(f"{origin} is damaged ({error}): preprocess the data again") from error
    return manifest


def _lacking(manifest: Manifest) -> str:
    """Returns the first thing that a manifest does not say, though a reader asks for it."""
    for name in SPLITS:
        if name not in manifest.splits:
            return f"split {name}"
        split = manifest.splits[name]
        for counts in ("positives", "known", "prevalence"):
            if absent := set(manifest.findings) - getattr(split, counts).keys():
                return f"{counts} of {min(absent)} in {name}"
    return ""


def read(folder: str, *, whole: bool = True) -> Manifest:
    """Reads the manifest of a data set.

    Args:
        folder: of the data set.
        whole: refuse one that lacks a split or counts, which nobody could train on.

    Raises:
        DataError: there is none, or it cannot be used.
    """
    path = storage.join(folder, NAME)
    try:
        text = storage.read_text(path)
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no {NAME}: the folder is not a data set, or its preprocessing has not "
            "finished; run cxr14-preprocess to the end"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a manifest: preprocess the data again") from error
    manifest = from_json(text, origin=path)
    if whole and (lacking := _lacking(manifest)):
        raise DataError(f"{path} is damaged (no {lacking}): preprocess the data again")
    return manifest


def write(folder: str, manifest: Manifest) -> None:
    """Writes the manifest, which declares the data set complete."""
    storage.write_text(storage.join(folder, NAME), to_json(manifest))
