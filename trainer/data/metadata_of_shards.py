# SPDX-License-Identifier: MIT
"""Writes what the shards say of every image but its pixels, so that a report can be made of it.

It covers all splits: a report says of the test split what a model knows that sees no image but was
trained on the metadata of the train split. Pictures are passed over, never decoded.
"""

import concurrent.futures
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from preprocessing.contract import labels, schema
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.manifest import SPLITS, Manifest
from preprocessing.contract.process.progress import Progress
from preprocessing.contract.schema import Record
from trainer.predictions import metadata
from trainer.predictions.metadata import Metadata
from trainer.runfolder import notes

# Reading waits for the storage, and each reader holds one shard in memory.
_READERS = 4
PATH = f"predictions/{metadata.NAME}"
NOTE = "predictions/metadata.json"


def write(data: str, manifest: Manifest, output: str) -> str:
    """Writes `predictions/metadata.csv` of a run, unless it is there and of the same data set.

    Args:
        data: folder of the data set.
        manifest: of the data set.
        output: the run's output folder.

    Returns:
        The path of the file.

    Raises:
        DataError: a shard that is missing, damaged or not as the manifest says.
    """
    path = storage.join(output, PATH)
    note = {"data_set": manifest.identity}
    if storage.exists(path) and notes.read_note(output, NOTE) == note:
        return path
    metadata.write(path, of_data_set(data, manifest))
    notes.write_note(output, NOTE, note)
    return path


def of_data_set(data: str, manifest: Manifest) -> Metadata:
    """Reads the metadata of all records, in the order of the shards, train first.

    Args:
        data: folder of the data set.
        manifest: of the data set.

    Returns:
        As many rows as there are records; labels that a record does not know are NaN.

    Raises:
        DataError: a shard that is missing, damaged or not as the manifest says.
    """
    shards = [(split, shard) for split in SPLITS for shard in manifest.splits[split].shards]
    records: list[Record] = []
    total = sum(shard.examples for _, shard in shards)
    with (
        concurrent.futures.ThreadPoolExecutor(_READERS) as pool,
        Progress("metadata", total, unit="images") as progress,
    ):
        paths = [storage.join(data, shard.name) for _, shard in shards]
        for part, (_, shard) in zip(pool.map(_records, paths), shards, strict=True):
            if len(part) != shard.examples:
                raise DataError(
                    f"shard {storage.join(data, shard.name)} holds {len(part)} records, the "
                    f"manifest says {shard.examples}: copy the data set again, whole"
                )
            records += part
            progress.reach(len(records))
    splits = [split for split, shard in shards for _ in range(shard.examples)]
    return _metadata(records, splits, manifest.findings)


def records(path: str) -> Iterator[Record]:
    """Yields the records of a shard.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        yield from map(schema.decode, tfrecord.read(storage.read_bytes(path)))
    except FileNotFoundError as error:
        raise DataError(f"shard {path} is missing: copy the data set again, whole") from error
    except DataError as error:
        raise DataError(f"shard {path}: {error}; copy it again or preprocess again") from error


def _records(path: str) -> list[Record]:
    """The records of a shard without their pictures, which would fill the memory."""
    return [dataclasses.replace(record, image=b"") for record in records(path)]


def _metadata(records: Sequence[Record], splits: Sequence[str], findings: list[str]) -> Metadata:
    targets = np.array([record.targets for record in records], dtype=np.float32)
    targets = targets.reshape(len(records), len(findings))
    targets[targets == labels.UNKNOWN] = np.nan

    def texts(name: str) -> metadata.Texts:
        return np.array([getattr(record, name) for record in records], dtype=np.str_)

    def integers(name: str) -> metadata.Integers:
        return np.array([getattr(record, name) for record in records], dtype=np.int64)

    return Metadata(
        ids=texts("id"),
        patients=texts("patient"),
        splits=np.array(splits, dtype=np.str_),
        sex=texts("sex"),
        view=texts("view"),
        age=integers("age"),
        follow_up=integers("follow_up"),
        width=integers("width"),
        height=integers("height"),
        labels=targets,
        findings=tuple(findings),
    )
