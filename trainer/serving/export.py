# SPDX-License-Identifier: MIT
"""Writes the best network as a SavedModel, with what belongs to it beside its graph."""

from collections.abc import Mapping

import tensorflow as tf
from absl import logging

from preprocessing.contract.files import faults, storage
from trainer.checkpoints import bundle
from trainer.serving.names import EXTRA
from trainer.serving.signatures import Serving

FOLDER = "saved_model"


def export(output: str, serving: Serving, *, assets: Mapping[str, str]) -> str:
    """Writes the SavedModel of a run.

    Args:
        output: folder of the run.
        serving: what to export.
        assets: file name -> text, put into `assets.extra/`, where servers leave it alone.

    Returns:
        The SavedModel's folder.
    """
    folder = storage.join(output, FOLDER)
    faults.insist(lambda: tf.saved_model.save(serving, folder, signatures=serving.signatures()))
    if bundle.is_pattern(folder):
        logging.warning(
            f"TensorFlow loads no SavedModel from a path with [, ] or \\: copy {folder} to a path "
            "without them before you serve it"
        )
    for name, text in assets.items():
        storage.write_text(storage.join(folder, EXTRA, name), text)
    return folder
