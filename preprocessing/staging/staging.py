# SPDX-License-Identifier: MIT
"""Plans and remembers what must be read before shards can be planned: archives and DICOM files.

An archive can only be read from front to back, and a DICOM file alone knows its patient. Each is
read once (by `unpacking.py`); the small stored pictures, not the originals, wait in run files
beside the shards, sorted by the hash by which shards are cut, so that a shard's pictures are
together in every run. A run is the unit of resume: its note is written after it.
"""

import dataclasses
import functools
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from preprocessing.contract.files import storage
from preprocessing.contract.radiographs import Recipe
from preprocessing.sources import places

FOLDER = "_progress/staged"
WANTED = "_progress/wanted.json.gz"


@dataclasses.dataclass(frozen=True)
class StageTask:
    """Files to read: plain data, which travels to a worker.

    Attributes:
        output: folder of the data set.
        name: of the task, unique in the plan.
        archive: the archive to stream; empty for loose files.
        files: (id, path) of loose files.
        kind: "picture" or "dicom".
        recipe: how pictures are made.
        identity: changes when the input changes, such as its size in bytes.
        check_md5: check the archive against its published sum.
    """

    output: str
    name: str
    archive: str
    files: tuple[tuple[str, str], ...]
    kind: str
    recipe: Recipe
    identity: str
    check_md5: bool = False

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides the runs but the files' content."""
        decisive = dataclasses.asdict(dataclasses.replace(self, output=""))
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Staged:
    """What became of one image.

    Attributes:
        id: of the image.
        origin: where it came from, for people.
        uri: run file that holds the stored picture; empty if it was refused.
        offset: first byte in the run.
        bytes: number of bytes.
        refused: (reason, text), or empty.
        facts: attributes of `Picture` but its data.
    """

    id: str
    origin: str
    uri: str = ""
    offset: int = 0
    bytes: int = 0
    refused: tuple[str, ...] = ()
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


def write_wanted(output: str, ids: Iterable[str]) -> None:
    """Leaves the names of the index where every worker can read them."""
    data = gzip.compress(json.dumps(sorted(ids)).encode(), 6, mtime=0)
    storage.write_bytes(storage.join(output, WANTED), data, private=True)


def read_wanted(output: str) -> places.Wanted:
    """Returns the names that `write_wanted` left."""
    return _wanted(storage.read_bytes(storage.join(output, WANTED)))


@functools.lru_cache(maxsize=1)
def _wanted(data: bytes) -> places.Wanted:
    """Parses the names once for all tasks of a process."""
    return places.Wanted(json.loads(gzip.decompress(data)))


def failures(tasks: Sequence[StageTask]) -> list[str]:
    """Returns what went wrong with tasks, and forgets it: the next run tries again."""
    texts = []
    for task in tasks:
        note = read_note(task, note_path(task, "failed"))
        if note is not None:
            texts.append(str(note["text"]))
            storage.delete(note_path(task, "failed"))
    return texts


@dataclasses.dataclass(frozen=True)
class Done:
    """What a finished task found.

    Attributes:
        images: what became of each.
        not_needed: how many other files its archive holds.
        near: id -> member of the archive whose name differs in suffix or case alone.
    """

    images: list[Staged]
    not_needed: int
    near: dict[str, str]


def read_staged(task: StageTask) -> Done | None:
    """Returns what a finished task found, None if it is not finished."""
    end = read_note(task, end_path(task))
    if end is None:
        return None
    images = [staged for run in finished_runs(task) for staged in run]
    return Done(images, int(end["not_needed"]), dict(end.get("near", {})))


def end_path(task: StageTask) -> str:
    """Returns the path of the note that says that a task is finished."""
    return note_path(task, "end")


def rank(name: str) -> bytes:
    """Returns the hash of an image's name that orders all images, and so decides their shards."""
    return hashlib.sha256(name.encode()).digest()


def finished_runs(task: StageTask) -> list[list[Staged]]:
    """Returns the images of each run that a task has finished, in order."""
    runs: list[list[Staged]] = []
    while True:
        note = read_note(task, note_path(task, f"{len(runs):04d}"))
        if note is None:
            return runs
        runs.append([_staged(task, values) for values in note["images"]])


def _staged(task: StageTask, values: dict[str, Any]) -> Staged:
    values["refused"] = tuple(values["refused"])
    if values["uri"]:
        values["uri"] = storage.join(task.output, FOLDER, values["uri"])
    return Staged(**values)


def read_note(task: StageTask, path: str) -> dict[str, Any] | None:
    """Returns a note that this same task wrote, None if there is none."""
    try:
        note: dict[str, Any] = json.loads(storage.read_text(path))
        return note if note.get("fingerprint") == task.fingerprint else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def note_path(task: StageTask, part: str) -> str:
    """Returns the path of a note: of run "0000" and so on, of the "end", or what has "failed"."""
    return storage.join(task.output, FOLDER, f"{task.name}-{part}.json")
