# SPDX-License-Identifier: MIT
"""Checks what the records say against the manifest and the tables beside it."""

import collections
import math
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from preprocessing.contract import manifest as manifests
from preprocessing.contract import patients as people
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest, Split
from preprocessing.shards import finalize, tables
from preprocessing.shards.finalize import PROGRESS
from preprocessing.shards.tables import DUPLICATES, REJECTED, WARNINGS
from preprocessing.splits.assignment import OFFICIAL_HASHES
from preprocessing.verify.shard_reading import Brief, Reading

AGAIN = "preprocess the data again"

CARD_FILES = ("dataset_card.md", "dataset_card.html", "contact_sheet.png")
_REJECTED_PREFIX = "rejected_"


def names(readings: Sequence[Reading]) -> Iterator[str]:
    """Finds images that are there twice."""
    places: dict[str, list[str]] = collections.defaultdict(list)
    for reading in readings:
        for brief in reading.briefs:
            places[brief.id].append(reading.name)
    for name, shards in places.items():
        if len(shards) > 1:
            yield f"{name} is there {len(shards)} times, in {', '.join(shards)}: {AGAIN}"


def patients(readings: Sequence[Reading]) -> Iterator[str]:
    """Finds patients who are in more than one split."""
    splits: dict[str, dict[str, str]] = collections.defaultdict(dict)
    spellings = people.spellings(brief.patient for one in readings for brief in one.briefs)
    value_of = {name: value for value, names in spellings.items() for name in names}
    for reading in readings:
        for brief in reading.briefs:
            splits[value_of[brief.patient]].setdefault(reading.split, reading.name)
    for value, shards in splits.items():
        if len(shards) > 1:
            patient = people.spelled(spellings[value])
            where = " and ".join(f"{split} ({name})" for split, name in shards.items())
            yield f"patient {patient} is in {where}: fix the lists of the split and {AGAIN}"


def splits(manifest: Manifest, readings: Sequence[Reading]) -> Iterator[str]:
    """Checks each split's counts against its records, unless a shard could not be read whole."""
    if list(manifest.splits) != list(manifests.SPLITS):
        yield (
            f"{manifests.NAME} has the splits {', '.join(manifest.splits) or 'none'}, not "
            f"{', '.join(manifests.SPLITS)}: {AGAIN}"
        )
    for name, stated in manifest.splits.items():
        own = [reading for reading in readings if reading.split == name]
        if all(reading.whole for reading in own):
            briefs = [brief for reading in own for brief in reading.briefs]
            yield from _split(name, stated, briefs, manifest.findings)


def _split(
    name: str, stated: Split, briefs: Sequence[Brief], findings: Sequence[str]
) -> Iterator[str]:
    head, read = f"{manifests.NAME}, split {name}", finalize.summary(briefs, findings, ())
    for what in ("examples", "patients"):
        said, found = getattr(stated, what), getattr(read, what)
        if said != found:
            yield f"{head} says {said} {what}, the shards hold {found}: {AGAIN}"
    columns = {"positives": "positives", "known": "known labels", "prevalence": "as prevalence"}
    for finding in findings:
        for column, what in columns.items():
            said = getattr(stated, column).get(finding, math.nan)
            found = getattr(read, column)[finding]
            if not math.isclose(said, found, rel_tol=1e-9):
                yield f"{head} says {said} {what} of {finding}, the shards {found}: {AGAIN}"
    strange = sorted({*stated.positives, *stated.known, *stated.prevalence} - set(findings))
    if strange:
        yield f"{head} counts {strange[0]}, which is not among the findings: {AGAIN}"


def official(manifest: Manifest) -> Iterator[str]:
    """Finds a split that is called ChestX-ray14's official one and was made by other lists."""
    if manifest.official_split and manifest.list_hashes != OFFICIAL_HASHES:
        yield (
            f"{manifests.NAME} calls the split ChestX-ray14's official one, its hashes are those "
            f"of other lists: {AGAIN}"
        )


def counters(
    folder: str, manifest: Manifest, readings: Sequence[Reading], there: Iterable[str]
) -> Iterator[str]:
    """Checks the manifest's counters against the shards and the tables."""
    stated = manifest.counters
    rejected, warned = (tables.read(folder, name, set(there)) for name in (REJECTED, WARNINGS))
    reasons = collections.Counter(rejected["reason"])
    found = {
        "images_rejected": (len(rejected), f"{REJECTED} lists"),
        "images_with_warnings": (warned["id"].nunique(), f"{WARNINGS} lists"),
    }
    prefixed = (name for name in stated if name.startswith(_REJECTED_PREFIX))
    for reason in sorted({*reasons, *(name.removeprefix(_REJECTED_PREFIX) for name in prefixed)}):
        found[_REJECTED_PREFIX + reason] = (reasons[reason], f"{REJECTED} lists")
    if all(reading.whole for reading in readings):
        written = sum(len(reading.briefs) for reading in readings)
        found["records_written"] = (written, "the shards hold")
    for name, (number, where) in found.items():
        if stated.get(name, 0) != number:
            yield f"{manifests.NAME} says {stated.get(name, 0)} {name}, {where} {number}: {AGAIN}"
    stored = {brief.id for reading in readings for brief in reading.briefs}
    for name in rejected["id"]:
        if name in stored:
            yield f"{name} is in {REJECTED} and in a shard: {AGAIN}"


def identical(
    folder: str, manifest: Manifest, readings: Sequence[Reading], there: Iterable[str]
) -> Iterator[str]:
    """Checks the pictures with identical pixels against duplicates.csv and the counters."""
    if not all(reading.whole for reading in readings):
        return
    twins = find_twins(readings)
    expected, listed = (
        set(table.itertuples(index=False, name=None))
        for table in (twins, tables.read(folder, DUPLICATES, set(there)))
    )
    for _, name, _, split in sorted(expected - listed):
        yield (
            f"{name} ({split}) has the pixels of another image, which {DUPLICATES} does not say: "
            f"{AGAIN}"
        )
    for _, name, _, _ in sorted(listed - expected):
        yield f"{DUPLICATES} lists {name}, whose pixels no other image has: {AGAIN}"
    for name, number in tables.count(twins).items():
        if manifest.counters.get(name, 0) != number:
            said = manifest.counters.get(name, 0)
            yield f"{manifests.NAME} says {said} {name}, the shards hold {number}: {AGAIN}"


def find_twins(readings: Sequence[Reading]) -> pd.DataFrame:
    """Returns the records whose pictures are equal pixel for pixel, as in duplicates.csv."""
    return tables.duplicates(
        (brief.digest, brief.id, brief.patient, reading.split)
        for reading in readings
        for brief in reading.briefs
    )


def strangers(manifest: Manifest, there: Iterable[str]) -> tuple[list[str], list[str]]:
    """Finds files that do not belong.

    Args:
        manifest: of the data set.
        there: files of the folder, relative to it.

    Returns:
        Problems, and remarks on files of which this program knows nothing.
    """
    shards = (shard.name for shard in manifest.shards)
    known = {manifests.NAME, REJECTED, WARNINGS, DUPLICATES, *CARD_FILES, *shards}
    problems, remarks, progress = [], [], 0
    for name in there:
        if name.startswith(f"{PROGRESS}/"):
            progress += 1
        elif storage.is_temporary(name):
            problems.append(f"{name} is what a stopped program left: delete it")
        elif ".tfrecord" in name and name not in known:
            problems.append(f"{name} is a shard that the manifest does not name: delete it")
        elif name not in known:
            remarks.append(f"{name} does not belong to the data set")
    if progress:
        problems.append(
            f"{PROGRESS} holds {progress} files, as while a job runs: if none does, run the same "
            "preprocessing command again, which removes them"
        )
    return problems, remarks
