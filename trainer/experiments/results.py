# SPDX-License-Identifier: MIT
"""Keeps the table of results beside runs: a CSV file with one line for each run that is whole.

Runs may end at the same time, here or elsewhere. On a file system the table is locked while a line
is put in; in a bucket it is replaced only in the version that was read. Stores that can neither
lock nor name the version that a write replaces are read again after each write, which leaves an
instant in which a line can be lost. Imports no TensorFlow.
"""

import csv
import io
import os
import random
import time
from collections.abc import Sequence

from absl import logging

from preprocessing.contract import cells
from preprocessing.contract.errors import DataError, JobError, StoppedError
from preprocessing.contract.files import buckets, faults, storage
from preprocessing.contract.lock import disk
from preprocessing.contract.lock.holder import HeldError
from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.runfolder import notes

NAME = "results.csv"
WAIT_S = 60.0
COLUMNS = (
    *("run", "finished", "config", "settings", "seed", "steps", "epochs"),
    *("validation_mean_auc", "test_mean_auc", "test_mean_auc_low", "test_mean_auc_high"),
    *("test_micro_auc", "test_mean_average_precision", "images_per_second", "identity"),
)
# Where figures stand in a report: in a split's part, its name, and which end of it.
_OF = {
    "validation_mean_auc": ("validation", "mean_auc", "value"),
    "test_mean_auc": ("test", "mean_auc", "value"),
    "test_mean_auc_low": ("test", "mean_auc", "low"),
    "test_mean_auc_high": ("test", "mean_auc", "high"),
    "test_micro_auc": ("test", "micro_auc", "value"),
    "test_mean_average_precision": ("test", "mean_average_precision", "value"),
}
Row = dict[str, str]


def note(output: str, files: Sequence[str] = ()) -> None:
    """Puts the line of a run that is whole into the table beside it, in the place of its old one.

    A table that cannot be written is only warned of: the run is worth more.

    Args:
        output: folder of the run.
        files: of settings, as given to --config, if known.
    """
    folder, name = place(output)
    path = storage.join(folder, NAME)
    try:
        if row := line(output, name, files):
            put(path, row)
    except (JobError, OSError) as error:
        found = faults.line(faults.explain(error) or error)
        logging.warning(f"{path} gets no line of the run {name} ({found})")


def place(output: str) -> tuple[str, str]:
    """Returns the folder of the table and the name of a run; a bucket's root holds its own table.

    >>> place("gs://bucket/runs/7/"), place("gs://bucket"), place("/runs/7")
    (('gs://bucket/runs', '7'), ('gs://bucket', 'bucket'), ('/runs', '7'))
    """
    path = (output if storage.scheme_of(output) else os.path.abspath(output)).rstrip("/")
    folder, _, name = path.rpartition("/")
    return (path if folder.endswith(":/") else folder or "/"), name


def line(output: str, name: str, files: Sequence[str] = ()) -> Row:
    """Returns the line of a run; empty unless its report is of the network that training left."""
    training = notes.read_note(output, notes.TRAINING)
    scored = notes.read_note(output, notes.PREDICTIONS_NOTE)
    splits = notes.read_note(output, notes.REPORT).get("splits", {})
    config = notes.scored_with(output)
    if config is None or not training or not splits:
        return {}
    if scored.get("step") != training.get("best_step"):
        return {}
    found = {
        **{key: training.get(key) for key in ("finished", "steps", "epochs", "identity")},
        "run": name,
        "config": " ".join(files),
        "settings": "; ".join(differing(config)),
        "seed": config.seed,
        **{key: splits.get(of, {}).get(what, {}).get(end) for key, (of, what, end) in _OF.items()},
        "images_per_second": training.get("images_per_second"),
    }
    return {key: _cell(found[key]) for key in COLUMNS}


def differing(config: Config) -> list[str]:
    """Returns `name=value` of each setting that is not the default, but the seed."""
    default = settings.flat(Config())
    given = settings.flat(config)
    names = [name for name in given if given[name] != default[name] and name != "seed"]
    return [f"{name}={given[name]}" for name in names]


def put(path: str, row: Row, *, wait_s: float = WAIT_S) -> None:
    """Puts a line into a table, in the place of the line of the same run.

    Args:
        path: of the table, local or in a bucket.
        row: a text for each of `COLUMNS`.
        wait_s: seconds for which others may be in the way.

    Raises:
        DataError: the file is another table.
        StoppedError: others were in the way all the time.
        UsageError: nothing can be written there.
    """
    deadline = time.monotonic() + wait_s
    while not (_put_in_bucket if storage.scheme_of(path) else _put_on_disk)(path, row):
        if time.monotonic() > deadline:
            raise StoppedError(f"{path} was being written by others all the time")
        time.sleep(random.uniform(0.02, 0.5))


def _put_on_disk(path: str, row: Row) -> bool:
    """Tells whether the line is there; not while another process, here or elsewhere, writes."""
    try:
        with disk.hold(f"{path}.lock", os.path.dirname(path) or ".", needed=False):
            before = storage.read_bytes(path) if storage.exists(path) else b""
            if (after := replaced(path, before, row)) != before:
                storage.write_bytes(path, after)
            return True
    except HeldError:
        return False


def _put_in_bucket(path: str, row: Row) -> bool:
    """Tells whether the line is there, as read: what was written is read again."""
    store: buckets.Versions = buckets.of(storage.scheme_of(path))
    while True:
        try:
            before, version = store.read_versioned(path)
        except FileNotFoundError:
            before, version = b"", ""
        if (after := replaced(path, before, row)) == before:
            return True
        if not store.write_version(path, after, version):
            return False


def replaced(path: str, data: bytes, row: Row) -> bytes:
    """Returns a table with a line more; columns of other versions of this program are kept.

    Raises:
        DataError: the file is another table.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        heads, lines = list(reader.fieldnames or []), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV ({error}): move it away") from error
    ragged = any(None in each or None in each.values() for each in lines)
    if data and (ragged or not {"run", "finished"} <= {*heads}):
        raise DataError(f"{path} is not a table of results: move it away")
    columns = [*COLUMNS, *(head for head in heads if head not in COLUMNS)]
    old = next((each for each in lines if cells.original(each["run"]) == row["run"]), {})
    new = {key: cells.harmless(text) for key, text in row.items()}
    new["config"] = new["config"] or old.get("config", "")
    rest = [each for each in lines if each is not old]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted([*rest, new], key=lambda each: (each["finished"], each["run"])))
    return buffer.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
