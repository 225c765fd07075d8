# SPDX-License-Identifier: MIT
"""Plans the shards of a data set from its index and writes one of them, whole, in one place.

Only the small index is shuffled: rows are ranked by a hash of the image name and cut into shards of
equal size, so a shard's content depends on nothing but the rows. One worker then reads, decodes and
writes a whole shard. Memory stays flat, and the shard is the unit of retry and of resume.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from preprocessing.contract import radiographs, schema
from preprocessing.contract.files import storage, tfrecord
from preprocessing.contract.pictures.image import ImageError
from preprocessing.contract.radiographs import Picture, Recipe
from preprocessing.sources.row import SIZE_OF_PICTURE, Row
from preprocessing.staging import pieces, staging

# Beside the shards while the job runs: what each finished shard holds.
NOTES = "_progress/shards"


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """One shard to write: plain data, which travels to a worker.

    Attributes:
        output: folder of the data set.
        name: file name of the shard.
        recipe: how its pictures are made.
        rows: what to write, in this order.
    """

    output: str
    name: str
    recipe: Recipe
    rows: tuple[Row, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides the shard's bytes but the pixels."""
        rows = tuple(row.known() for row in self.rows)
        decisive = dataclasses.asdict(dataclasses.replace(self, output="", rows=rows))
        decisive["schema_version"] = schema.SCHEMA_VERSION
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Rejection:
    """An image that could not be used: id, reason for counting, sentence, where it lies."""

    id: str
    reason: str
    text: str
    uri: str


@dataclasses.dataclass
class ShardNote:
    """What is known of a shard, kept beside it from its end until the manifest is written.

    Attributes:
        fingerprint: of the task that wrote it.
        examples: number of records.
        bytes: size of the file.
        sha256: of the file.
        rejected: images that could not be used.
        digests: of the pixels of each record in turn.
        turned: how many files stored their picture turned or mirrored.
        warnings: (id, text) of what loose files leave open.
    """

    fingerprint: str
    examples: int = 0
    bytes: int = 0
    sha256: str = ""
    rejected: list[Rejection] = dataclasses.field(default_factory=list)
    digests: list[str] = dataclasses.field(default_factory=list)
    turned: int = 0
    warnings: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def plan(
    rows: Sequence[Row],
    *,
    split: str,
    output: str,
    recipe: Recipe,
    examples_per_shard: int,
) -> list[ShardTask]:
    """Cuts the rows of a split into shards whose sizes differ by one at most."""
    ranked = sorted(rows, key=lambda row: staging.rank(row.id))
    count = -(-len(ranked) // examples_per_shard)
    bounds = [len(ranked) * at // count for at in range(count + 1)]
    return [
        ShardTask(
            output=output,
            name=f"{split}-{at:05d}-of-{count:05d}.tfrecord",
            recipe=recipe,
            rows=tuple(sorted(ranked[bounds[at] : bounds[at + 1]], key=lambda row: row.id)),
        )
        for at in range(count)
    ]


def write(task: ShardTask) -> ShardNote:
    """Writes one shard, or finds it finished by an earlier run that was stopped.

    A finished shard that lacks rejected images is written again: they may have been fixed since.
    """
    finished = read_note(task)
    if finished is not None and not finished.rejected and _is_whole(task, finished):
        return finished
    note = ShardNote(task.fingerprint)
    digest = hashlib.sha256()
    with storage.open_write(storage.join(task.output, task.name)) as file:
        for serialized in _records(task, note):
            for piece in tfrecord.framed(serialized):
                file.write(piece)
                digest.update(piece)
                note.bytes += len(piece)
    note.sha256 = digest.hexdigest()
    storage.write_text(note_path(task), json.dumps(dataclasses.asdict(note)), private=True)
    return note


def read_note(task: ShardTask) -> ShardNote | None:
    """Returns the note of a shard that this same task finished, None if there is none."""
    try:
        values: dict[str, Any] = json.loads(storage.read_text(note_path(task)))
        values["rejected"] = [Rejection(**item) for item in values["rejected"]]
        values["warnings"] = [(name, text) for name, text in values["warnings"]]
        note = ShardNote(**values)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return note if note.fingerprint == task.fingerprint else None


def note_path(task: ShardTask) -> str:
    """Returns where a task keeps its note."""
    return storage.join(task.output, NOTES, f"{task.name}.json")


def _is_whole(task: ShardTask, note: ShardNote) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return storage.sha256_of(storage.join(task.output, task.name)) == note.sha256
    return False


def _records(task: ShardTask, note: ShardNote) -> Iterator[bytes]:
    """Yields the serialized records of a task; notes what its files turned out to be."""
    ready = pieces.read([row for row in task.rows if row.piece])
    loose = radiographs.read_all(
        [row.uri for row in task.rows if not row.piece and not row.refused]
    )
    for row in task.rows:
        try:
            picture = _picture(row, ready, loose, task.recipe)
        except ImageError as error:
            note.rejected.append(Rejection(row.id, error.reason, str(error), row.uri))
            continue
        note.examples += 1
        note.digests.append(picture.digest)
        note.turned += picture.turned
        note.warnings += [(row.id, text) for text in picture.warnings]
        yield schema.encode(_record(row, picture))


def _picture(
    row: Row, ready: dict[str, bytes], loose: Iterator[bytes | ImageError], recipe: Recipe
) -> Picture:
    if row.refused:
        raise ImageError(*row.refused)
    if row.piece:
        return Picture(ready.pop(row.id), row.digest, row.width, row.height)
    data = next(loose)
    if isinstance(data, ImageError):
        raise data
    return radiographs.from_file(data, recipe)


def _record(row: Row, picture: Picture) -> schema.Record:
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(schema.Facts)}
    if row.width == SIZE_OF_PICTURE:
        fields |= {"width": picture.width, "height": picture.height}
    return schema.Record(image=picture.data, **fields)
