# SPDX-License-Identifier: MIT
"""The network: normalise -> ResNet-50 -> average pool -> Dense ReLU -> Dropout -> logits.

Normalisation is the first layer, so evaluation and serving cannot differ from training. Dropout is
drawn from (seed, step, position) by the training step: the state that Keras's layer keeps for it is
never used, so nothing depends on a checkpoint carrying it.
"""

import contextlib
import dataclasses
import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.network import batch_norm, published, weights
from trainer.recipe import ModelConfig

# Of the first block of each stage that halves the side, the convolutions that can do that.
_STRIDING = re.compile(r"conv[345]_block1_([12])_conv")

# Mean of ImageNet's blue, green and red (He et al., 2016, as converted by Keras).
_MEANS = (103.939, 116.779, 123.68)
# Mean and standard deviation of its red, green and blue, as torchvision has them.
_RED_FIRST = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
# Factors and offsets of the three colours, by `model.normalization`. RadImageNet's authors divide
# what Keras's function returns by 255 (their training scripts, with ImageDataGenerator).
_COLOURS: dict[str, tuple[float | list[float], list[float]]] = {
    "caffe": (1.0, [-mean for mean in _MEANS]),
    "radimagenet": (1 / 255, [-mean / 255 for mean in _MEANS]),
    "torch": (
        [1 / (255 * deviation) for _, deviation in _RED_FIRST],
        [-mean / deviation for mean, deviation in _RED_FIRST],
    ),
}

# 2,048 pooled features, all positive, move a hidden unit by their sum at every step of Adam: at a
# rate of 0.001 by about 2, and nine of ten units were dead after 300 steps. Inputs made this much
# smaller, with weights as much larger, start from the same distribution; half of the units were
# alive after 490 steps of the demo.
_POOLED_SCALE = 2048**-0.5


@dataclasses.dataclass(frozen=True)
class Model:
    """One set of layers under three names.

    Attributes:
        network: uint8 [b, size, size] -> float32 logits [b, findings], for inference.
        features: uint8 [b, size, size] -> [b, hidden_units], what dropout acts on.
        head: [b, hidden_units] -> float32 logits [b, findings].
        backbone: the part that has pretrained weights, a layer of `network` and `features`.
        dropout: share of hidden units that training drops.
        keeps_statistics: whether training, too, normalises by the moving statistics, and leaves
            them as they are (`batch_norm`).
    """

    network: keras.Model
    features: keras.Model
    head: keras.Model
    backbone: keras.Model
    dropout: float
    keeps_statistics: bool = False

    def train_logits(
        self, pixels: tf.Tensor, positions: tf.Tensor, *, key: tf.Tensor, global_batch: int
    ) -> tf.Tensor:
        """Runs the network in training, with dropout and, unless it keeps them, batch statistics.

        Args:
            pixels: uint8 [b, size, size].
            positions: int64 [b], each example's place in the global batch.
            key: int [2], seed and step.
            global_batch: examples in the global batch.

        Returns:
            float32 [b, findings].
        """
        hidden = self.features(pixels, training=not self.keeps_statistics)
        if self.dropout:
            draws = tf.random.stateless_uniform([global_batch, hidden.shape[-1]], key)
            kept = tf.cast(tf.gather(draws, positions) >= self.dropout, hidden.dtype)
            hidden = hidden * kept / tf.cast(1.0 - self.dropout, hidden.dtype)
        logits: tf.Tensor = self.head(hidden, training=True)
        return logits


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes the starting weights of what a block builds depend on a seed alone.

    Keras draws the seed of each weight by `random.randint`, from a state that all threads share:
    each upload by Google's client draws from it too, such as those that renew a run's lease.
    """
    own, here, shared = random.Random(seed), threading.get_ident(), random.randint

    def draw(a: int, b: int) -> int:
        return own.randint(a, b) if threading.get_ident() == here else shared(a, b)

    random.randint = draw
    try:
        yield
    finally:
        random.randint = shared


def build(
    config: ModelConfig,
    *,
    image_size: int,
    findings: int,
    pretrained: bool = True,
    prevalence: Sequence[float] = (),
    strategy: tf.distribute.Strategy | None = None,
) -> Model:
    """Builds the network, with its starting weights.

    Args:
        config: weights, variant, normalisation, width, dropout, batch-norm momentum.
        image_size: side of the input in pixels.
        findings: number of outputs.
        pretrained: False leaves random weights, for a network that is restored anyway.
        prevalence: share of positives of each finding, from which the last biases start. Started
            at one half, the first steps would be spent on learning how rare findings are (the
            prior of Lin et al., 2017, section 4.1). Empty for one half.
        strategy: over whose replicas the variables are spread; the current one by default.

    Raises:
        ConfigError: weights that are not there, have another SHA-256 or do not fit; or none of
            whose batch statistics could be kept.
    """
    if pretrained:
        batch_norm.check(config)
        weights.check_settings(config)
    plain = _backbone(config, image_size, pretrained)
    with (strategy or tf.distribute.get_strategy()).scope():
        backbone = batch_norm.replace_in(
            plain,
            momentum=config.batch_norm_momentum,
            synchronized=config.batch_norm == "synchronized",
            random=pretrained,
        )
        if pretrained and config.weights != "none":
            backbone.set_weights(plain.get_weights())
        return _assemble(
            backbone, config, image_size=image_size, findings=findings, prevalence=prevalence
        )


def _assemble(
    backbone: keras.Model,
    config: ModelConfig,
    *,
    image_size: int,
    findings: int,
    prevalence: Sequence[float],
) -> Model:
    pixels = keras.Input([image_size, image_size], dtype="uint8", name="pixels")
    maps = backbone(_normalise(pixels, image_size, config.normalized))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    small = keras.layers.Rescaling(_POOLED_SCALE, name="pooled_scale")(pooled)
    dense = keras.layers.Dense(
        config.hidden_units,
        activation="relu",
        # He et al., 2015, for the inputs as they were before they were made smaller.
        kernel_initializer=keras.initializers.VarianceScaling(2.0 / _POOLED_SCALE**2),
        name="hidden",
    )
    features = keras.Model(pixels, dense(small), name="features")
    # float32 whatever the policy: a sigmoid near 0 or 1 has no room in 16 bits.
    start = _log_odds(prevalence) if prevalence else "zeros"
    logits = keras.layers.Dense(findings, bias_initializer=start, dtype="float32", name="logits")
    hidden = keras.Input([config.hidden_units], name="hidden_units")
    head = keras.Model(hidden, logits(hidden), name="head")
    dropped = keras.layers.Dropout(config.dropout, name="dropout")(features.output)
    network = keras.Model(pixels, logits(dropped), name="cxr14")
    return Model(
        network=network,
        features=features,
        head=head,
        backbone=backbone,
        dropout=config.dropout,
        keeps_statistics=config.batch_norm == "frozen",
    )


def _normalise(pixels: keras.KerasTensor, image_size: int, how: str) -> keras.KerasTensor:
    """Grey uint8 [b, size, size] to what ResNet-50 eats, float32 [b, size, size, 3]."""
    grey = keras.layers.Reshape([image_size, image_size, 1], dtype="uint8", name="grey")(pixels)
    colours = keras.layers.Concatenate(dtype="uint8", name="colours")([grey] * 3)
    factors, offsets = _COLOURS[how]
    return keras.layers.Rescaling(factors, offsets, dtype="float32", name="normalise")(colours)


def _log_odds(prevalence: Sequence[float]) -> Callable[..., npt.NDArray[np.float32]]:
    """Returns a Keras initializer; a finding that never or always occurs stays within reach."""
    shares = np.clip(np.asarray(prevalence, np.float64), 1e-4, 1 - 1e-4)
    odds = np.log(shares / (1 - shares)).astype(np.float32)
    return lambda shape, dtype=None: odds


def _backbone(config: ModelConfig, image_size: int, pretrained: bool) -> keras.Model:
    from_web = pretrained and config.weights == "imagenet"
    backbone = keras.applications.ResNet50(
        include_top=False,
        weights=published.cached() if from_web else None,
        input_shape=(image_size, image_size, 3),
    )
    if config.variant == "v1.5":
        backbone = _v1_5(backbone)
    if pretrained and config.weights not in ("imagenet", "none"):
        weights.load(backbone, config)
    return backbone


def _v1_5(backbone: keras.Model) -> keras.Model:
    """Returns a network like torchvision's out of Keras's ResNet-50, with new weights.

    Layers keep their names. Cells of the last maps are where they were (`gradcam.placement`): a
    3x3 convolution with stride two and one cell of padding on each side, as PyTorch pads, looks at
    every second place from the first one on. Keras's own `same` would pad only behind.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        settings = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            settings["epsilon"] = 1e-5
        if found := _STRIDING.fullmatch(layer.name):
            settings |= {"strides": 2 if found[1] == "2" else 1, "padding": "valid"}
        return layer.__class__.from_config(settings)

    def call(layer: keras.Layer, inputs: Any, **more: Any) -> Any:
        found = _STRIDING.fullmatch(layer.name)
        if found and found[1] == "2":
            pad = keras.layers.ZeroPadding2D(1, name=layer.name.replace("_conv", "_pad"))
            inputs = pad(inputs)
        return layer(inputs, **more)

    return keras.models.clone_model(backbone, clone_function=copy, call_function=call)
