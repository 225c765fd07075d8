# SPDX-License-Identifier: MIT
"""Tests that a step which computes its gradients twice trains like one that does not."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks import corruption
from benchmarks.corruption import Trial
from trainer.network import batch_norm
from trainer.network.model import Model


def dense() -> Model:
    """A network without convolutions."""
    pixels = keras.Input([32, 32], dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255, dtype="float32")(pixels))
    hidden = keras.layers.Dense(8, activation="tanh", name="hidden")(flat)
    plain = keras.Model(pixels, keras.layers.BatchNormalization(name="norm")(hidden))
    features = batch_norm.replace_in(plain, momentum=0.9, synchronized=True)
    inner = keras.Input([8])
    head = keras.Model(inner, keras.layers.Dense(3, dtype="float32", name="logits")(inner))
    network = keras.Model(features.inputs[0], head(features.output))
    return Model(network=network, features=features, head=head, backbone=features, dropout=0.0)


def test_a_verified_run_has_the_weights_of_one_that_is_not(
    one_device: Any, tmp_path: pathlib.Path
) -> None:
    found = []
    for every in (0, 2):
        made = Trial(corruption.settings(every), one_device, str(tmp_path), dense)
        measured = made.take(0, 9)
        state = [one.numpy() for one in made.saver.variables().values()]
        found.append([measured.losses.numpy(), measured.norms.numpy(), *state])
    for one, other in zip(*found, strict=True):
        # Compiled into another graph, a last bit may be rounded otherwise.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_an_overflow_is_computed_twice_and_is_no_fault(
    one_device: Any, tmp_path: pathlib.Path, precision: Callable[[str], None]
) -> None:
    precision("mixed_float16")
    config = corruption.settings(
        1,
        runtime__precision="mixed_float16",
        optimizer__loss_scale=2.0**24,
        train__accumulation_steps=2,
    )
    made = Trial(config, one_device, str(tmp_path), dense)
    measured = made.take(0, 9)
    assert not np.isfinite(measured.norms[0])
    assert int(measured.scale.skipped) > 0
    assert made.progress.verified_step == 9
