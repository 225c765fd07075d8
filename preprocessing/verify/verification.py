# SPDX-License-Identifier: MIT
"""Verifies a finished data set: reads it back whole and collects every problem."""

import dataclasses
from collections.abc import Sequence

from preprocessing.contract import manifest as manifests
from preprocessing.contract import patients
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from preprocessing.contract.invocation.config import ENCODINGS
from preprocessing.contract.manifest import Manifest
from preprocessing.verify import comparisons, shard_reading
from preprocessing.verify.shard_reading import Reading

_PRINTED = 20


@dataclasses.dataclass(frozen=True)
class SplitSummary:
    """What was read of one split: files, records, patients, bytes, problems in its shards."""

    split: str
    shards: int
    records: int
    patients: int
    bytes: int
    problems: int


@dataclasses.dataclass(frozen=True)
class Findings:
    """What verifying a data set showed.

    Attributes:
        folder: of the data set.
        splits: what was read.
        problems: one sentence each, which names the file and what to do; none if all is well.
        remarks: what is not a fault of the data set.
    """

    folder: str
    splits: tuple[SplitSummary, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def text(self) -> str:
        """Returns a short table and the first problems, or "clean"."""
        lines = [
            f"{'split':<12}{'shards':>8}{'records':>10}{'patients':>10}{'MB':>10}{'problems':>10}"
        ]
        for split in self.splits:
            lines.append(
                f"{split.split:<12}{split.shards:>8}{split.records:>10}{split.patients:>10}"
                f"{split.bytes / 1e6:>10.1f}{split.problems:>10}"
            )
        lines += [f"remark: {text}" for text in self.remarks[:_PRINTED]]
        lines += [f"problem: {text}" for text in self.problems[:_PRINTED]]
        if len(self.problems) > _PRINTED:
            lines.append(f"and {len(self.problems) - _PRINTED} more problems")
        return "\n".join([*lines, *(["clean"] if self.clean else [])])


def command(folder: str, beam_arguments: Sequence[str] = ()) -> str:
    """Verifies a data set for the command line.

    Returns:
        What to print of a clean one.

    Raises:
        DataError: there are problems; the text holds the table and the problems.
        UsageError: a flag that Beam does not know.
    """
    findings = verify(folder, beam_arguments)
    if not findings.clean:
        number = len(findings.problems)
        found = "1 problem" if number == 1 else f"{number} problems"
        raise DataError(f"{folder} has {found}\n{findings.text()}")
    return findings.text()


def verify(folder: str, beam_arguments: Sequence[str] = ()) -> Findings:
    """Reads a data set back: every file, every record, every picture, every count.

    Args:
        folder: of the data set, local or gs://.
        beam_arguments: Beam's own flags; without any, all cores of this machine are used.

    Raises:
        DataError: there is no manifest, or it cannot be used.
        UsageError: a flag that Beam does not know.
    """
    manifest = read_manifest(folder)
    sizes = storage.sizes(folder)
    start = len(storage.join(folder, ""))
    there = [path[start:] for path in sizes]
    readings = shard_reading.read_all(folder, manifest, beam_arguments, title="reading back")
    litter, remarks = comparisons.strangers(manifest, there)
    problems = [text for reading in readings for text in reading.problems]
    problems += comparisons.names(readings)
    problems += comparisons.patients(readings)
    problems += comparisons.splits(manifest, readings)
    problems += comparisons.official(manifest)
    problems += comparisons.counters(folder, manifest, readings, there)
    problems += comparisons.identical(folder, manifest, readings, there)
    return Findings(
        folder=folder,
        splits=tuple(_summaries(folder, manifest, readings, sizes)),
        problems=(*problems, *litter),
        remarks=tuple(remarks),
    )


def read_manifest(folder: str) -> Manifest:
    """Reads the manifest of a data set.

    Raises:
        DataError: there is none, or it cannot be used.
    """
    manifest = manifests.read(folder, whole=False)  # what it lacks is one problem of several
    path = storage.join(folder, manifests.NAME)
    if manifest.encoding not in ENCODINGS:
        raise DataError(
            f"{path} says that pictures are stored as {manifest.encoding!r}, this program reads "
            f"{' and '.join(ENCODINGS)}: preprocess the data again"
        )
    if manifest.stored_size < 1 or not manifest.findings:
        raise DataError(f"{path} states no size or no findings: preprocess the data again")
    names = [shard.name for shard in manifest.shards]
    strange = [name for name in names if not name or "/" in name]
    if strange or len(set(names)) != len(names):
        raise DataError(
            f"{path} names a shard twice, or one outside of its folder: preprocess the data again"
        )
    return manifest


def _summaries(
    folder: str, manifest: Manifest, readings: Sequence[Reading], sizes: dict[str, int]
) -> list[SplitSummary]:
    summaries = []
    for split in manifest.splits:
        own = [reading for reading in readings if reading.split == split]
        summaries.append(
            SplitSummary(
                split=split,
                shards=len(own),
                records=sum(len(reading.briefs) for reading in own),
                patients=patients.count(brief.patient for one in own for brief in one.briefs),
                bytes=sum(sizes.get(storage.join(folder, reading.name), 0) for reading in own),
                problems=sum(len(reading.problems) for reading in own),
            )
        )
    return summaries
