# SPDX-License-Identifier: MIT
"""Keeps what is finished of a long prediction beside its output, so that it can go on."""

import contextlib
import csv
import hashlib
import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from preprocessing.contract import cells, lock
from preprocessing.contract.errors import DataError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.process.stopping import StopRequests
from trainer.inference import rows
from trainer.inference.rows import Row

_NOTE = "note.json"
_OTHER = (
    "is from another command, model or set of films: give --output another name, or replace it by "
    "--overwrite"
)

_ELSE = "give --output a name that differs by more than its ending"

Unusable = tuple[str, str, str, str]


def beside(output: str, ending: str) -> str:
    """Returns the path of a file beside an output, named after it.

    >>> beside("gs://b/out.d/films.csv", ".unusable.csv")
    'gs://b/out.d/films.unusable.csv'
    """
    folder, slash, name = output.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0]}{ending}"


class Parts:
    """The finished parts of one output.

    Attributes:
        complete: whether the output is finished, by a run of the same identity.
        done: ids of the films that are finished.
        salt: secret of the run, the same after a restart.

    Args:
        output: path of the predictions file.
        identity: what the output is made of.
    """

    def __init__(self, output: str, identity: Mapping[str, Any]) -> None:
        self.output, self._folder = output, f"{output}.parts"
        self._identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self.unusable_file = beside(output, ".unusable.csv")
        self._note_file = beside(output, ".run.json")
        self.complete, self.done, self.salt = False, set[str](), b""
        self._count = 0

    @property
    def note(self) -> dict[str, Any]:
        """What the run that finished the output said of it; empty if none did."""
        return _json(self._note_file)

    @contextlib.contextmanager
    def opened(self, stops: StopRequests, *, overwrite: bool) -> Iterator[None]:
        """Holds the output for the length of a block, and finds out what is finished.

        Raises:
            UsageError: there is something of another identity, which is not to be replaced.
            StoppedError: another process works on it.
        """
        note = self.note
        if note.get("identity") == self._identity and note.get("output") == _digest(self.output):
            self.complete = True
            self._remove()
            yield
            return
        with lock.lease(self._folder, stops.end):
            self._begin(overwrite)
            yield
        storage.remove_empty_folder(self._folder)

    def _begin(self, overwrite: bool) -> None:
        begun = _json(storage.join(self._folder, _NOTE))
        if begun.get("identity") != self._identity:
            for path in self._paths():
                if not overwrite:
                    raise UsageError(f"{path}, which is not finished, {_OTHER}")
                storage.delete(path)
            if storage.exists(self.output) and not overwrite:
                raise UsageError(f"{self.output} is there and {_OTHER}")
            named = self.note.get("file", "")
            if named != storage.basename(self.output) and storage.exists(self._note_file):
                # films.csv and films.parquet share their notes, and so do not go together.
                raise UsageError(f"{self._note_file} is of {named or 'something else'}: {_ELSE}")
            begun = {"identity": self._identity, "salt": secrets.token_hex(16)}
            text = json.dumps(begun)
            storage.write_text(storage.join(self._folder, _NOTE), text, private=True)
        # Nothing of another run may look like this one's.
        storage.delete(self._note_file)
        self.salt = bytes.fromhex(begun["salt"])
        for part in self._parts():
            self.done |= {row["id"] for row in part["rows"]}
            self.done |= {row[0] for row in part["unusable"]}
        # Behind the last one, as one that was lost leaves a gap.
        names = [storage.basename(path) for path in self._paths()]
        numbers = [int(name[5:11]) for name in names if name != _NOTE]
        self._count = max(numbers, default=-1) + 1

    def add(self, made: Sequence[Row], unusable: Sequence[Unusable]) -> None:
        """Writes a part; what it holds is finished from then on."""
        text = json.dumps({"rows": list(made), "unusable": list(unusable)})
        path = storage.join(self._folder, f"part-{self._count:06d}.json")
        storage.write_text(path, text, private=True)
        self._count += 1

    def read(self) -> tuple[list[Row], list[Unusable]]:
        """Returns all finished rows and all films that could not be used, in order."""
        made: list[Row] = []
        unusable: list[Unusable] = []
        for part in self._parts():
            made += part["rows"]
            unusable += [(row[0], row[1], row[2], row[3]) for row in part["unusable"]]
        return made, unusable

    def finish(self, note: Mapping[str, Any]) -> None:
        """Joins the parts to the output, which counts as finished once its note is written."""
        made, unusable = self.read()
        if unusable:
            lines = [("id", "path", "reason", "text"), *unusable]
            storage.write_text(self.unusable_file, _csv(lines), private=True)
        else:
            storage.delete(self.unusable_file)
        if not made:
            storage.delete(self.output)
        else:
            data = rows.content(self.output, rows.numbered(made))
            storage.write_bytes(self.output, data, private=True)
            about = {**note, "identity": self._identity, "output": hashlib.sha256(data).hexdigest()}
            storage.write_text(self._note_file, json.dumps(about, indent=2) + "\n")
        self._remove()

    def _parts(self) -> Iterator[dict[str, Any]]:
        for path in self._paths():
            if storage.basename(path) != _NOTE:
                yield _json(path)

    def _paths(self) -> list[str]:
        """The files of the folder but for its lease, the note last."""
        start = len(self._folder) + 1
        found = [path for path in storage.list_files(self._folder) if "/" not in path[start:]]
        for path in filter(storage.is_temporary, found):
            storage.delete(path)
        return sorted(
            (path for path in found if not storage.is_temporary(path)),
            key=lambda path: (storage.basename(path) == _NOTE, path),
        )

    def _remove(self) -> None:
        # The note goes last: it says of which command the rest is.
        for path in self._paths():
            storage.delete(path)
        storage.remove_empty_folder(self._folder)


def _json(path: str) -> dict[str, Any]:
    try:
        value = json.loads(storage.read_bytes(path))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise DataError(f"{path} is corrupt: move it away and start again with --overwrite")
    return value


def _digest(path: str) -> str:
    return storage.sha256_of(path) if storage.exists(path) else ""


def _csv(lines: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([cells.harmless(storage.shown(cell)) for cell in line] for line in lines)
    return buffer.getvalue()
