# SPDX-License-Identifier: MIT
"""Writes the best network as a SavedModel that takes image files and returns named scores.

The SavedModel holds the whole way from encoded bytes: the canonical picture, the model's view of
it, normalisation, network, sigmoid. It computes in float32, whatever the precision of training.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from absl import logging

from preprocessing.contract.files import faults, storage
from preprocessing.contract.pictures import image_graph
from trainer.checkpoints import bundle
from trainer.config import DataConfig

FOLDER = "saved_model"
EXTRA = "assets.extra"


class Serving(tf.Module):
    """The network behind the signatures of the SavedModel.

    Args:
        network: uint8 [b, size, size] -> logits [b, findings].
        findings: names, in the order of the outputs.
        stored_size: side of the canonical picture in pixels.
        data: how the model's input is cut out of it.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        findings: Sequence[str],
        stored_size: int,
        data: DataConfig,
    ) -> None:
        super().__init__()
        self._network = network
        self._findings = list(findings)
        self._stored_size = stored_size
        self._data = data

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def by_finding(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores PNG or JPEG files: string [n] -> for each finding's name float32 [n], 0 to 1."""
        scores = self._scores(image_bytes)
        return {name: scores[:, at] for at, name in enumerate(self._findings)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def as_array(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores PNG or JPEG files: `scores` float32 [n, findings], `findings` string likewise."""
        scores = self._scores(image_bytes)
        names = tf.broadcast_to(tf.constant(self._findings), tf.shape(scores))
        return {"scores": scores, "findings": names}

    def _scores(self, image_bytes: tf.Tensor) -> tf.Tensor:
        size = self._stored_size
        pixels = tf.map_fn(
            lambda encoded: image_graph.canonical(encoded, size),
            image_bytes,
            fn_output_signature=tf.TensorSpec([size, size], tf.uint8),
        )
        fitted = image_graph.fit(
            tf.ensure_shape(pixels, [None, size, size]),
            image_size=self._data.image_size,
            crop_fraction=self._data.crop_fraction,
        )
        return tf.sigmoid(self._network(fitted, training=False))


def export(output: str, serving: Serving, *, assets: dict[str, str]) -> str:
    """Writes the SavedModel of a run.

    Args:
        output: folder of the run.
        serving: what to export.
        assets: file name -> text, put into `assets.extra/`, where servers leave it alone.

    Returns:
        The SavedModel's folder.
    """
    folder = storage.join(output, FOLDER)
    signatures = {"serving_default": serving.by_finding, "as_array": serving.as_array}
    faults.insist(lambda: tf.saved_model.save(serving, folder, signatures=signatures))
    if bundle.is_pattern(folder):
        logging.warning(
            f"TensorFlow loads no SavedModel from a path with [, ] or \\: copy {folder} to a path "
            "without them before you serve it"
        )
    for name, text in assets.items():
        storage.write_text(storage.join(folder, EXTRA, name), text)
    return folder
