# SPDX-License-Identifier: MIT
"""Reads shards back on a Beam runner: checks every record, and keeps what is known of each."""

import contextlib
import dataclasses
import hashlib
import json
import tempfile
import uuid
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from preprocessing.contract import schema
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.manifest import Manifest, Shard
from preprocessing.contract.pictures import image
from preprocessing.contract.pictures.image import ImageError
from preprocessing.contract.schema import Facts, Record
from preprocessing.transforms import spread
from preprocessing.verify import record_checks
from preprocessing.workers import runner

AGAIN = "remove the file and preprocess the data again"

# Around the data of a TFRecord: length and its checksum before, checksum after.
_HEAD_BYTES, _TAIL_BYTES = 12, 4


@dataclasses.dataclass(frozen=True)
class ReadTask:
    """One shard to read: plain data, which travels to a worker.

    Attributes:
        folder: of the data set.
        split: that the shard belongs to.
        shard: what the manifest says of it.
        findings: number of findings.
        stored_size: side of the pictures in pixels.
        encoding: of the pictures, "png" or "raw".
        note: path to which the reading is written.
    """

    folder: str
    split: str
    shard: Shard
    findings: int
    stored_size: int
    encoding: str
    note: str

    @property
    def name(self) -> str:
        """File name of the shard."""
        return self.shard.name


@dataclasses.dataclass(frozen=True)
class Brief(Facts):
    """What is kept of one record.

    Attributes:
        digest: of the stored pixels; "" if they cannot be decoded.
        start: first byte of the record's data in the shard.
        length: of the record's data in bytes.
    """

    digest: str = ""
    start: int = 0
    length: int = 0


@dataclasses.dataclass(frozen=True)
class Reading:
    """What reading one shard showed.

    Attributes:
        split: that the shard belongs to.
        name: file name of the shard.
        whole: whether every record could be decoded: only then counts can be compared.
        briefs: of the records, in their order.
        problems: one sentence each.
    """

    split: str
    name: str
    whole: bool
    briefs: list[Brief]
    problems: list[str]

    def to_bytes(self) -> bytes:
        """Packs the reading: about 30 bytes a record travel back."""
        return zlib.compress(json.dumps(dataclasses.asdict(self)).encode())

    @staticmethod
    def from_bytes(data: bytes) -> "Reading":
        """Unpacks what `to_bytes` packed."""
        values: dict[str, Any] = json.loads(zlib.decompress(data))
        for brief in values["briefs"]:
            brief |= {name: tuple(brief[name]) for name in ("targets", "box_findings", "boxes")}
        return Reading(briefs=[Brief(**brief) for brief in values.pop("briefs")], **values)


def tasks(folder: str, manifest: Manifest, notes: str) -> list[ReadTask]:
    """Returns a task for each shard of a data set; their notes go into the folder `notes`."""
    return [
        ReadTask(
            folder=folder,
            split=split,
            findings=len(manifest.findings),
            stored_size=manifest.stored_size,
            encoding=manifest.encoding,
            note=storage.join(notes, f"{shard.name}.json.z"),
            shard=shard,
        )
        for split, of_split in manifest.splits.items()
        for shard in of_split.shards
    ]


def read(task: ReadTask) -> Reading:
    """Reads one shard, with no more than it in memory."""
    path = storage.join(task.folder, task.name)
    problems: list[str] = []
    briefs: list[Brief] = []
    try:
        data = storage.read_bytes(path)
    except FileNotFoundError:
        problems.append(f"{task.name} is missing: preprocess the data again")
        return Reading(task.split, task.name, False, briefs, problems)
    wrong = _content(task, data)
    whole = True
    position = 0
    try:
        for position, (start, serialized) in enumerate(_with_starts(data), start=1):
            brief = _brief(task, position - 1, start, serialized, problems)
            whole &= brief is not None
            briefs += [brief] if brief else []
    except DataError as error:
        whole = False
        wrong.append(str(error))
    if whole and position != task.shard.examples:
        wrong.append(f"it holds {position} records, the manifest says {task.shard.examples}")
    if wrong:
        problems.insert(0, f"{task.name} is damaged: {'; '.join(wrong)}; {AGAIN}")
    problems += _order(task, briefs)
    return Reading(task.split, task.name, whole, briefs, problems)


def _content(task: ReadTask, data: bytes) -> list[str]:
    if len(data) != task.shard.bytes:
        return [f"it has {len(data)} bytes, the manifest says {task.shard.bytes}"]
    if hashlib.sha256(data).hexdigest() != task.shard.sha256:
        return ["its SHA-256 is not the manifest's"]
    return []


def _with_starts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields each record with the position of its data in the file."""
    at = 0
    for serialized in tfrecord.read(data):
        yield at + _HEAD_BYTES, serialized
        at += _HEAD_BYTES + len(serialized) + _TAIL_BYTES


def _brief(
    task: ReadTask, number: int, start: int, serialized: bytes, problems: list[str]
) -> Brief | None:
    """Checks one record; None if it cannot be decoded."""
    try:
        record = schema.decode(serialized)
    except DataError as error:
        problems.append(f"{task.name}, record {number}: {error}; {AGAIN}")
        return None
    digest, wrong = _picture(task, record)
    wrong += record_checks.check(record, task.findings)
    where = f"{task.name}, record {number} ({record.id})"
    problems += [f"{where}: {text}; {AGAIN}" for text in wrong]
    kept = {field.name: getattr(record, field.name) for field in dataclasses.fields(Facts)}
    return Brief(digest=digest, start=start, length=len(serialized), **kept)


def _picture(task: ReadTask, record: Record) -> tuple[str, list[str]]:
    """Returns the digest of the pixels, and what is wrong with them."""
    try:
        pixels = image.decode_stored(record.image, task.stored_size, task.encoding)
    except ImageError as error:
        return "", [str(error)]
    digest = image.digest(pixels)
    if pixels.min() == pixels.max():
        return digest, [f"every pixel has the value {pixels[0, 0]}: the picture is empty"]
    return digest, []


def _order(task: ReadTask, briefs: Sequence[Brief]) -> list[str]:
    for before, brief in zip(briefs, briefs[1:], strict=False):
        if before.id > brief.id:
            return [f"{task.name} is not sorted: {brief.id} follows {before.id}; {AGAIN}"]
    return []


def read_shard(task: ReadTask) -> dict[str, int]:
    """Reads a shard and writes its reading; there is nothing to count."""
    storage.write_bytes(task.note, read(task).to_bytes(), private=True)
    return {}


def read_all(
    folder: str, manifest: Manifest, beam_arguments: Sequence[str], *, title: str
) -> list[Reading]:
    """Reads every shard of a data set.

    Nothing is written into the data set: the readings travel back through a temporary folder,
    Beam's own --temp_location where that is given.

    Args:
        folder: of the data set.
        manifest: of the data set.
        beam_arguments: Beam's own flags.
        title: what is done, for the line that shows progress.

    Returns:
        The readings, in the order of the manifest.

    Raises:
        UsageError: a flag that Beam does not know, or files that its workers cannot see.
    """
    images = sum(split.examples for split in manifest.splits.values())
    options = runner.options(beam_arguments, images=images)
    with _scratch(options) as scratch:
        runner.refuse_local_paths(options, {"DIR": folder, "temp_location": scratch})
        every = tasks(folder, manifest, scratch)
        if every:
            finished = {task.note: task.shard.examples for task in every}
            runner.run(
                spread(every, read_shard), options, title=title, unit="images", finished=finished
            )
        return [Reading.from_bytes(storage.read_bytes(task.note)) for task in every]


@contextlib.contextmanager
def _scratch(options: PipelineOptions) -> Iterator[str]:
    given = options.view_as(GoogleCloudOptions).temp_location
    if not given:
        with tempfile.TemporaryDirectory(prefix="cxr14-read-") as folder:
            yield folder
        return
    folder = storage.join(given, f"cxr14-read-{uuid.uuid4().hex[:12]}")
    try:
        yield folder
    finally:
        for path in storage.list_files(folder):
            storage.delete(path)
        storage.remove_empty_folder(folder)
