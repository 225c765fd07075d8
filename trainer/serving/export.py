# SPDX-License-Identifier: MIT
"""Writes the best network as a SavedModel, with what belongs to it beside its graph."""

from collections.abc import Mapping

import tensorflow as tf
from absl import logging

from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log
from trainer.checkpoints import bundle
from trainer.serving import golden, model_folder, onnx_file, served, warmup
from trainer.serving.names import EXTRA
from trainer.serving.signatures import Serving

FOLDER = "saved_model"


def export(
    output: str,
    serving: Serving,
    *,
    manifest: Manifest,
    assets: Mapping[str, str],
    onnx: bool = False,
) -> str:
    """Writes the SavedModel of a run, its golden pair and the requests that warm a server up.

    The note of an earlier export goes first: until the new one is written, nothing here is whole.

    Args:
        output: folder of the run.
        serving: what to export.
        manifest: of the data set that it was trained on.
        onnx: whether to write `model.onnx` too, into the folder of the run.
        assets: file name -> text, put into `assets.extra/`, where servers leave it alone.

    Returns:
        The SavedModel's folder.
    """
    folder = storage.join(output, FOLDER)
    if storage.exists(note := storage.join(folder, model_folder.NOTE)):
        storage.delete(note)
    faults.insist(lambda: tf.saved_model.save(serving, folder, signatures=serving.signatures()))
    pair = _golden_pair(folder, serving, manifest)
    beside = pair | {warmup.NAME: warmup.requests(pair[golden.PICTURE])}
    texts = {name: text.encode() for name, text in assets.items()}
    for name, content in (texts | beside).items():
        storage.write_bytes(storage.join(folder, EXTRA, name), content)
    if onnx:
        log.show(f"ONNX: {onnx_file.write(output, serving, manifest)}")
    return folder


def _golden_pair(folder: str, serving: Serving, manifest: Manifest) -> dict[str, bytes]:
    """Makes the pair by the graph as it was written, which proves that it loads."""
    if bundle.is_pattern(folder):
        loaded = None
        logging.warning(
            f"TensorFlow loads no SavedModel from a path with [, ] or \\: copy {folder} to a path "
            "without them before you serve it"
        )
    else:
        loaded = served.load(folder)
    return golden.pair(
        loaded.signatures if loaded else serving.signatures(),
        findings=manifest.findings,
        stored_size=manifest.stored_size,
    )
