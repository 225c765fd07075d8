# SPDX-License-Identifier: MIT
"""What a run has left, as a test compares it: weights, losses, predictions."""

import csv
import math
import pathlib
import warnings
from collections.abc import Mapping

import numpy as np
import pytest
from cxr14_workers import newest_step


def tensors(output: pathlib.Path, folder: str = "checkpoints") -> dict[str, np.ndarray]:
    """Returns the weights, statistics and optimiser state of a run's newest or best checkpoint."""
    import tensorflow as tf

    path = output / folder / f"ckpt-{newest_step(output, folder)}"
    reader = tf.train.load_checkpoint(str(path))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("network/", "optimizer/"))
    }


def different(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the names of the tensors that are not the same to the bit."""
    assert one.keys() == other.keys()
    return [name for name in one if one[name].tobytes() != other[name].tobytes()]


def distance(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """Returns the largest difference between two sets of tensors, and where it is.

    It is relative to the largest number of its tensor, but to 0.01 where all are smaller: biases in
    front of a batch normalisation do nothing, and what they are is rounding noise.
    """
    assert one.keys() == other.keys()
    floats = [name for name in one if np.issubdtype(one[name].dtype, np.floating)]
    return max(
        (float(np.abs(one[n] - other[n]).max() / max(np.abs(one[n]).max(), 0.01)), n)
        for n in floats
        if one[n].size
    )


def losses(output: pathlib.Path) -> dict[int, float]:
    """Returns step -> loss, by TensorBoard's own reader."""
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(output / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    return {
        event.step: float(tf.make_ndarray(event.tensor_proto))
        for event in events.Tensors("train/loss")
    }


def scores(output: pathlib.Path) -> tuple[list[str], np.ndarray]:
    """Returns the ids of the predictions file, as they come, and the scores of each."""
    with (output / "predictions" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith("score:")]
    return [row["id"] for row in rows], np.array([[float(row[n]) for n in names] for row in rows])


@pytest.fixture(scope="session")
def calm_backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A weights file from which rounding errors stay small, as in a network that has learned.

    From Keras's random weights, a change of 1e-7 in the pixels changes the gradients by 4e-2 (32
    pixels, 6 pictures), and no two ways of adding numbers up can be told from a wrong one. With
    residual branches that begin weak it is 3e-6.
    """
    import keras

    generator = np.random.default_rng(7)
    backbone = keras.applications.ResNet50(include_top=False, weights=None)
    for variable in backbone.weights:
        if variable.path.endswith("kernel"):
            height, width, inputs, outputs = variable.shape
            limit = math.sqrt(6 / (height * width * (inputs + outputs)))
            variable.assign(generator.uniform(-limit, limit, variable.shape))
        if variable.path.endswith("_3_bn/gamma"):
            variable.assign(np.full(variable.shape, 0.05))
    path = tmp_path_factory.mktemp("backbone") / "calm.weights.h5"
    with warnings.catch_warnings():
        # Keras's own, for how it reads variables as NumPy 2 arrays.
        warnings.simplefilter("ignore", DeprecationWarning)
        backbone.save_weights(path)
    return str(path)
