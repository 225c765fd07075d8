# SPDX-License-Identifier: MIT
"""Finds out before hours of work whether a folder lets files be written, read, renamed, deleted."""

import uuid

from preprocessing.contract.errors import JobError, UsageError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.process import tensorflow_notes

_CONTENT = b"cxr14"


def check(folder: str, *, tensorflow: bool = False) -> None:
    """Writes a tiny file, reads it, renames it and deletes it; leaves nothing behind if it may.

    Its name is that of a file half written, which counts as no content and is swept up.

    Args:
        folder: local or in a bucket; a local one is made.
        tensorflow: whether to try TensorFlow's own client for buckets too, which needs nothing
            more than the other, but finds credentials and certificates in its own way.

    Raises:
        UsageError: one of it is not allowed here.
        ResourceError: it cannot be done now.
    """
    path = storage.join(folder, f"probe.partial-{uuid.uuid4().hex[:12]}")
    with faults.explained():
        storage.write_bytes(path, _CONTENT)
    try:
        with faults.explained():
            found = storage.read_bytes(path)
            storage.rename(path, f"{path}-b")
            storage.delete(f"{path}-b")
    except UsageError as error:
        raise UsageError(f"{error}{_left_behind(path)}") from error
    if tensorflow and storage.scheme_of(path) == "gs":
        found = faults.insist(lambda: _by_tensorflow(path))
    if found != _CONTENT:
        raise UsageError(f"{folder} gives back other bytes than were written: name another folder")


def _left_behind(path: str) -> str:
    """Deletes what a refusal has left of the file; returns what may not be deleted, in words."""
    left = []
    for name in (path, f"{path}-b"):
        try:
            with faults.explained():
                storage.delete(name)
        except JobError:
            left.append(name)
    return f"; {' and '.join(left)} may be left there, a few bytes" if left else ""


def _by_tensorflow(path: str) -> bytes:
    # Imported here because it takes seconds, and only the trainer needs it.
    tensorflow_notes.load()
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(_CONTENT)
    with tf.io.gfile.GFile(path, "rb") as file:
        found: bytes = file.read()
    tf.io.gfile.rename(path, f"{path}-b", overwrite=True)
    tf.io.gfile.remove(f"{path}-b")
    return found
