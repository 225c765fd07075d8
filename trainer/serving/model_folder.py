# SPDX-License-Identifier: MIT
"""Puts the SavedModel where Vertex AI looks for a job's model, too; imports no TensorFlow."""

from collections.abc import Mapping

from preprocessing.contract.files import storage

VARIABLE = "AIP_MODEL_DIR"
_GRAPH = "saved_model.pb"
NOTE = "assets.extra/export.json"


def fill(folder: str, environ: Mapping[str, str]) -> str:
    """Copies an export that is whole, unless it is there already.

    A store cannot put several files at once. So the old graph goes first and the new one comes last
    but for the note of the export: without the graph nothing can be loaded, and without the note
    the next start copies again.

    Args:
        folder: of the SavedModel, with its note.
        environ: the process's environment.

    Returns:
        The folder that was filled, or found filled; "" if none is named but the SavedModel's own.
    """
    target = environ.get(VARIABLE, "").rstrip("/")
    if not target or target == folder.rstrip("/"):
        return ""
    note = storage.read_bytes(storage.join(folder, NOTE))
    noted = storage.join(target, NOTE)
    if storage.exists(noted) and storage.read_bytes(noted) == note:
        return target
    start = len(folder.rstrip("/")) + 1
    names = [path[start:] for path in storage.list_files(folder)]
    last = [name for name in (_GRAPH, NOTE) if name in names]
    for name in reversed(last):
        storage.delete(storage.join(target, name))
    for name in [*(name for name in names if name not in last), *last]:
        data = storage.read_bytes(storage.join(folder, name))
        storage.write_bytes(storage.join(target, name), data)
    return target
