# SPDX-License-Identifier: MIT
"""The trainer's command line with a residual network of three convolutions in ResNet-50's place.

For tests of everything around the network: it starts in a third of the time, and a checkpoint of it
is a thousandth. Input, step, loop, checkpoints, evaluation and export are the real ones.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest


def build(*, include_top: bool, weights: None, input_shape: tuple[int, ...] | None = None) -> Any:
    """Returns a network with the interface of `keras.applications.ResNet50`."""
    import keras

    assert not include_top and weights is None
    layers, pixels = keras.layers, keras.Input(input_shape or (None, None, 3))

    def convolved(x: Any, name: str, channels: int, side: int, stride: int) -> Any:
        x = layers.Conv2D(channels, side, stride, padding="same", name=f"{name}_conv")(x)
        return layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)

    first = layers.ReLU(name="first_relu")(convolved(pixels, "first", 8, 7, 4))
    beside, through = convolved(first, "beside", 16, 1, 4), convolved(first, "through", 16, 3, 4)
    return keras.Model(pixels, layers.ReLU(name="out")(beside + through), name="resnet50")


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Makes `trainer.network.model` build it instead of ResNet-50."""
    import keras

    real = keras.applications.ResNet50
    keras.applications.ResNet50 = build
    try:
        yield
    finally:
        keras.applications.ResNet50 = real


@pytest.fixture
def small_backbone() -> Iterator[None]:
    """Networks that are built during the test are small."""
    with used():
        yield


def main() -> None:
    """Runs the trainer; a first flag `--late=SECONDS` makes it write each checkpoint so late."""
    from trainer import task
    from trainer.checkpoints import bundle

    write = bundle.write
    if sys.argv[1:] and sys.argv[1].startswith("--late="):
        seconds = float(sys.argv.pop(1).partition("=")[2])
        bundle.write = lambda *given: time.sleep(seconds) or write(*given)
    with used():
        task.console()


if __name__ == "__main__":
    main()
