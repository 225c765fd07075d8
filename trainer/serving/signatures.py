# SPDX-License-Identifier: MIT
"""The graph of the SavedModel: from files, pixels or records to scores, flags and heat maps.

`trainer.serving.names` says what each signature takes and gives. Everything is computed in float32.
Scores are the mean over the views that evaluation averaged; heat maps, and the flag of what is
unlike the pictures of training, look at the centre alone.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from preprocessing.contract import schema
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.pictures import image_graph
from trainer.config import DataConfig
from trainer.network import views as views_of
from trainer.network.model import Model
from trainer.serving import calibrated, explained, names, pictures
from trainer.serving.familiarity import Familiarity, with_pooled


class Serving(tf.Module):
    """The network behind the signatures of the SavedModel.

    Args:
        model: the network and its parts.
        findings: names, in the order of the outputs.
        stored_size: side of the canonical picture in pixels.
        encoding: of the pictures in records, as the manifest says.
        data: how the model's input is cut out of it.
        thresholds: finding -> rule -> threshold on raw scores; empty for no flags.
        calibration: finding -> parameters of `recalibration`; empty for no probabilities.
        familiarity: what flags pictures unlike those of training; None for no such flags.
        views: whose scores are averaged, as `evaluation.views`.
    """

    def __init__(
        self,
        model: Model,
        *,
        findings: tuple[str, ...],
        stored_size: int,
        encoding: str,
        data: DataConfig,
        thresholds: Mapping[str, Mapping[str, float | None]],
        calibration: Mapping[str, Mapping[str, Any]],
        familiarity: Familiarity | None = None,
        views: str = "one",
    ) -> None:
        super().__init__()
        if clash := sorted({*findings} & {*names.OUTPUTS}):
            raise ConfigError(
                f"finding {clash[0]!r} has the name of an output of the SavedModel: name it "
                "differently in preprocessing's config"
            )
        # Not as attributes one by one: what training alone needs must not be saved.
        self._network = with_pooled(model)
        self._familiarity = familiarity
        self._findings, self._stored_size, self._data = findings, stored_size, data
        self._encoding, self._views = encoding, views
        self._answers = calibrated.Answers(findings, thresholds, calibration)
        self._maps = explained.Maps(model, image_size=data.image_size)

    def signatures(self) -> dict[str, Any]:
        """Returns the functions to save, by the names of `trainer.serving.names`."""
        files, records = (
            tf.TensorSpec([None], tf.string, name=name) for name in (names.BYTES, names.EXAMPLES)
        )
        arrays = tf.TensorSpec([None, None, None], tf.uint8, name=names.PIXELS)
        made = {
            names.DEFAULT: (self.by_finding, files),
            names.AS_ARRAY: (self.as_array, files),
            names.OF_PIXELS: (self.of_pixels, arrays),
            names.OF_EXAMPLES: (self.of_examples, records),
            names.EXPLAIN: (self.explain, files),
            names.EXPLAIN_PIXELS: (self.explain_pixels, arrays),
        }
        return {name: tf.function(f, input_signature=[spec]) for name, (f, spec) in made.items()}

    def by_finding(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores PNG or JPEG files, string [n], also under each finding's name."""
        answer = self.as_array(image_bytes)
        scores = answer[names.SCORES]
        return answer | {name: scores[:, at] for at, name in enumerate(self._findings)}

    def as_array(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores PNG or JPEG files, string [n]."""
        return self._answer(*self._of_files(image_bytes))

    def of_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores grey pictures of one size, uint8 [n, height, width]."""
        return self._answer(*pictures.read_pixels(pixels, self._stored_size))

    def of_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores records of a data set's shards, serialized tf.train.Example, string [n]."""
        count, size = len(self._findings), self._stored_size

        def one(example: tf.Tensor) -> pictures.Read:
            found = schema.parse(example, findings=count, attributes=("image",))
            return pictures.read_stored(found["image"], size, self._encoding)

        return self._answer(*pictures.read_all(examples, size, one))

    def explain(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns heat maps, float32 [n, F, image_size, image_size], of PNG or JPEG files."""
        return self._explained(*self._of_files(image_bytes))

    def explain_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns heat maps, float32 [n, F, image_size, image_size], of grey pictures."""
        return self._explained(*pictures.read_pixels(pixels, self._stored_size))

    def of_squares(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores canonical pictures, uint8 [n, stored_size, stored_size], by numbers alone."""
        return self._answers.numbers(self._scored(pixels)[0])

    def _of_files(self, files: tf.Tensor) -> pictures.Read:
        size = self._stored_size
        return pictures.read_all(files, size, lambda encoded: pictures.read(encoded, size))

    def _scored(self, squares: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns scores float32 [n, F] and the centre's pooled features float32 [n, channels]."""
        return views_of.score(self._network, squares, data=self._data, views=self._views)

    def _answer(self, squares: tf.Tensor, reason: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.size(reason)
        scores, pooled = self._scored(_not_empty(squares))
        answer = self._answers(scores[:count], reason)
        if self._familiarity is not None:
            answer |= self._familiarity(pooled[:count], squares[:count], reason)
        return answer

    def _explained(self, squares: tf.Tensor, reason: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = self._answers(tf.zeros([tf.size(reason), len(self._findings)]), reason)
        fitted = image_graph.fit(
            _not_empty(squares),
            image_size=self._data.image_size,
            crop_fraction=self._data.crop_fraction,
        )
        maps = self._maps(fitted)[: tf.size(reason)]
        usable = answer[names.USABLE][:, tf.newaxis, tf.newaxis, tf.newaxis]
        named = {name: answer[name] for name in (names.FINDINGS, names.USABLE, names.REASON)}
        return {names.HEAT_MAPS: tf.where(usable, maps, 0.0), **named}


def _not_empty(squares: tf.Tensor) -> tf.Tensor:
    """Gives an empty batch a picture, as the convolutions of a CPU fail on none."""
    missing = tf.cast(tf.shape(squares)[0] == 0, tf.int32)
    return tf.pad(squares, [[0, missing], [0, 0], [0, 0]])
