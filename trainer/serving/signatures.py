# SPDX-License-Identifier: MIT
"""The graph of the SavedModel: from files, pixels or records to scores, flags and heat maps.

`trainer.serving.names` says what each signature takes and gives. Everything is computed in float32.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.pictures import image_graph
from trainer.config import DataConfig
from trainer.network.model import Model
from trainer.serving import calibrated, explained, names


class Serving(tf.Module):
    """The network behind the signatures of the SavedModel.

    Args:
        model: the network and its parts.
        findings: names, in the order of the outputs.
        stored_size: side of the canonical picture in pixels.
        data: how the model's input is cut out of it.
        thresholds: finding -> rule -> threshold on raw scores; empty for no flags.
        calibration: finding -> parameters of `recalibration`; empty for no probabilities.
    """

    def __init__(
        self,
        model: Model,
        *,
        findings: tuple[str, ...],
        stored_size: int,
        data: DataConfig,
        thresholds: Mapping[str, Mapping[str, float | None]],
        calibration: Mapping[str, Mapping[str, Any]],
    ) -> None:
        super().__init__()
        if clash := sorted({*findings} & {*names.OUTPUTS}):
            raise ConfigError(
                f"finding {clash[0]!r} has the name of an output of the SavedModel: name it "
                "differently in preprocessing's config"
            )
        # Not as attributes one by one: what training alone needs must not be saved.
        self._network = model.network
        self._findings, self._stored_size, self._data = findings, stored_size, data
        self._answers = calibrated.Answers(findings, thresholds, calibration)
        self._maps = explained.Maps(model, image_size=data.image_size)

    def signatures(self) -> dict[str, Any]:
        """Returns the functions to save, by the names of `trainer.serving.names`."""
        files = tf.TensorSpec([None], tf.string, name=names.BYTES)
        pictures = tf.TensorSpec([None, None, None], tf.uint8, name=names.PIXELS)
        return {
            names.DEFAULT: tf.function(self.by_finding, input_signature=[files]),
            names.AS_ARRAY: tf.function(self.as_array, input_signature=[files]),
            names.OF_PIXELS: tf.function(self.of_pixels, input_signature=[pictures]),
            names.EXPLAIN_PIXELS: tf.function(self.explain_pixels, input_signature=[pictures]),
        }

    def by_finding(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores PNG or JPEG files, string [n], also under each finding's name."""
        answer = self.as_array(image_bytes)
        scores = answer[names.SCORES]
        return answer | {name: scores[:, at] for at, name in enumerate(self._findings)}

    def as_array(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores PNG or JPEG files, string [n]."""
        size = self._stored_size
        squares = tf.map_fn(
            lambda encoded: image_graph.canonical(encoded, size),
            image_bytes,
            fn_output_signature=tf.TensorSpec([size, size], tf.uint8),
        )
        reason = tf.fill(tf.shape(image_bytes), "")
        return self._answer(squares, reason)

    def of_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores grey pictures of one size, uint8 [n, height, width]."""
        return self._answer(self._squares(pixels), tf.fill(tf.shape(pixels)[:1], ""))

    def explain_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `heat_maps` float32 [n, F, image_size, image_size] of grey pictures."""
        return {names.HEAT_MAPS: self._maps(self._fitted(self._squares(pixels)))}

    def _squares(self, pixels: tf.Tensor) -> tf.Tensor:
        size = self._stored_size
        return tf.ensure_shape(pixels, [None, size, size])

    def _fitted(self, squares: tf.Tensor) -> tf.Tensor:
        return image_graph.fit(
            squares, image_size=self._data.image_size, crop_fraction=self._data.crop_fraction
        )

    def _answer(self, squares: tf.Tensor, reason: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.sigmoid(self._network(self._fitted(squares), training=False))
        return self._answers(scores, reason)
