# SPDX-License-Identifier: MIT
"""Divides the train and validation splits of a data set into folds by patient.

The records are copied once, into shards of each fold, so that a run on any of them reads shards as
ever: those of the others to train, those of its own to validate. `folds.json` is a manifest whose
splits are the folds and the test split; it is written last. Imports no TensorFlow.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract import labels, patients, schema
from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import ConfigError, DataError, UsageError
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.manifest import Manifest, Shard, Split
from preprocessing.contract.process.progress import Progress

FOLDER, NAME = "folds", "folds.json"
_KEY = "folds"


def fold_of(patient: str, *, salt: str, count: int) -> int:
    """Returns the fold of a patient, whatever other patients there are.

    >>> [fold_of(name, salt="cxr14", count=5) for name in ("13", "00000013", "14")]
    [1, 1, 3]
    """
    digest = hashlib.sha256(f"{salt}:{patients.value(patient)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % count


def make(data: str, manifest: Manifest, output: str, count: int) -> str:
    """Copies a data set into folds, unless that was done.

    Args:
        data: folder of the data set.
        manifest: of the data set, whose salt of the splits decides the folds too.
        output: folder of the runs.
        count: how many folds.

    Returns:
        The folder of the folds.

    Raises:
        ConfigError: other folds are there.
        DataError: a fold without a patient, or a shard that is missing or damaged.
    """
    folder = storage.join(output, FOLDER)
    salt = str(manifest.parameters.get("split_salt", "cxr14"))
    about = {"count": count, "salt": salt, "of": manifest.identity}
    if is_made(folder):
        if _read(folder).parameters[_KEY] != about:
            raise ConfigError(
                f"{folder} holds folds of another number or data set: give --folds and --data as "
                "before, or train in a new --output"
            )
        return folder
    for left in storage.list_files(folder):
        storage.delete(left)
    splits = _copied(data, manifest, folder, about)
    if empty := [name for name, split in splits.items() if not split.examples]:
        raise DataError(f"{empty[0]} of {data} has no patient: give fewer --folds")
    parameters = {**manifest.parameters, _KEY: about}
    whole = dataclasses.replace(manifest, splits=splits, parameters=parameters)
    storage.write_text(storage.join(folder, NAME), manifests.to_json(whole))
    return folder


def _copied(
    data: str, manifest: Manifest, folder: str, about: Mapping[str, Any]
) -> dict[str, Split]:
    """Writes the shards of every fold and of the test split."""
    names = _names(about["count"])
    size = max(shard.examples for shard in manifest.shards)
    parts = {name: _Part(folder, name, manifest.findings, size) for name in names}
    done = 0
    with Progress("copying into folds", len(manifest.shards), unit="shards") as progress:
        for split, of in manifest.splits.items():
            for shard, path in zip(of.shards, of.paths(data), strict=True):
                for serialized in _records(path, shard):
                    record = schema.decode(serialized)
                    fold = fold_of(record.patient, salt=about["salt"], count=about["count"])
                    parts["test" if split == "test" else names[fold]].add(record, serialized)
                progress.reach(done := done + 1)
    return {name: part.closed() for name, part in parts.items()}


def is_made(folder: str) -> bool:
    """Tells whether a folder holds all folds."""
    return storage.exists(storage.join(folder, NAME))


def manifest_of(folder: str, fold: int | None) -> Manifest:
    """Returns the manifest of a data set, or that by which a run validates on one of its folds.

    Raises:
        UsageError: there are no folds, or no such one; or there are, and none is named.
        DataError: there is no data set.
    """
    if fold is None:
        if is_made(folder):
            raise UsageError(f"{folder} holds folds: name the one that validates, as --fold=0")
        return manifests.read(folder)
    if not is_made(folder):
        raise UsageError(f"{folder} holds no {NAME}, which --fold needs: --folds makes it")
    whole = _read(folder)
    count = whole.parameters[_KEY]["count"]
    if fold >= count:
        raise UsageError(f"--fold={fold} is not there: {folder} has the folds 0 to {count - 1}")
    parts = [whole.splits[f"fold-{number}"] for number in range(count)]
    train = [part for number, part in enumerate(parts) if number != fold]
    splits = {"train": _joined(train), "validation": parts[fold], "test": whole.splits["test"]}
    method = f"fold {fold} of {count} by patient validates, the others train"
    return dataclasses.replace(
        whole, splits=splits, split_method=f"{method}; test: {whole.split_method or 'as given'}"
    )


def _read(folder: str) -> Manifest:
    path = storage.join(folder, NAME)
    try:
        found = manifests.from_json(storage.read_bytes(path).decode(), origin=path)
        count = found.parameters[_KEY]["count"]
        if [*found.splits] == _names(count):
            return found
    except (DataError, ValueError, KeyError, TypeError):
        pass
    raise DataError(
        f"{path} is damaged or of another version: bring it back from a copy, or give --folds "
        "with a new --output"
    )


def _names(count: int) -> list[str]:
    return [*(f"fold-{fold}" for fold in range(count)), "test"]


def _records(path: str, shard: Shard) -> list[bytes]:
    try:
        records = list(tfrecord.read(storage.read_bytes(path)))
    except (FileNotFoundError, DataError) as error:
        raise DataError(f"shard {path} is missing or damaged: copy the data set again") from error
    if len(records) != shard.examples:
        raise DataError(f"shard {path} is not the manifest's: copy the data set again, whole")
    return records


def _joined(parts: Sequence[Split]) -> Split:
    def total(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
        return {name: sum(each[name] for each in counts) for name in counts[0]}

    return _split(
        examples=sum(part.examples for part in parts),
        patients=sum(part.patients for part in parts),
        positives=total([part.positives for part in parts]),
        known=total([part.known for part in parts]),
        shards=[shard for part in parts for shard in part.shards],
    )


def _split(**given: Any) -> Split:
    positives, known = given["positives"], given["known"]
    shares = {name: positives[name] / known[name] if known[name] else 0.0 for name in positives}
    return Split(prevalence=shares, **given)


class _Part:
    """A fold, or the test split, as it is being written."""

    def __init__(self, folder: str, name: str, findings: Sequence[str], size: int) -> None:
        self._folder, self._name, self._size = folder, name, size
        self._waiting: list[bytes] = []
        self._patients: set[str] = set()
        self._shards: list[Shard] = []
        self._positives, self._known = dict.fromkeys(findings, 0), dict.fromkeys(findings, 0)

    def add(self, record: schema.Record, serialized: bytes) -> None:
        """Adds a record; a full shard is written."""
        self._patients.add(patients.value(record.patient))
        for name, target in zip(self._known, record.targets, strict=True):
            self._positives[name] += target == labels.PRESENT
            self._known[name] += target != labels.UNKNOWN
        self._waiting.append(serialized)
        if len(self._waiting) == self._size:
            self._write()

    def closed(self) -> Split:
        """Writes what is left and returns what was written."""
        if self._waiting:
            self._write()
        return _split(
            examples=sum(shard.examples for shard in self._shards),
            patients=len(self._patients),
            positives=self._positives,
            known=self._known,
            shards=self._shards,
        )

    def _write(self) -> None:
        data = b"".join(piece for one in self._waiting for piece in tfrecord.framed(one))
        name = f"{self._name}-{len(self._shards):05d}.tfrecord"
        storage.write_bytes(storage.join(self._folder, name), data)
        sha256 = hashlib.sha256(data).hexdigest()
        self._shards.append(Shard(name, len(self._waiting), len(data), sha256))
        self._waiting = []
