# SPDX-License-Identifier: MIT
"""Estimates the memory of a training step from its traced graph, without taking the step.

Operations are taken in the order in which the graph was made, forward and then backward. A tensor
takes memory from the operation that makes it to the last one that reads it; the peak of the sum is
the estimate. Operations that only pass a buffer on make no tensor. Not in it: workspaces of
libraries, fragmentation, and what a device's own order or layout of tensors costs.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.config import Config
from trainer.training.step import Step

# The batch that is traced: a prime larger than any side or width, so that in the tensors' shapes
# what grows with the batch can be separated from what does not.
TRACED_BATCH = 999_983
_PASSES_ON = {
    *("Const", "ExpandDims", "Identity", "IdentityN", "NoOp", "Placeholder", "PreventGradient"),
    *("ReadVariableOp", "Reshape", "Squeeze", "StopGradient"),
}
_BACKWARD = "gradient_tape/"


class Footprint:
    """The tensors of a step: when each is made and read last, and its size.

    Args:
        graph: of the step, traced for `TRACED_BATCH` examples.
    """

    def __init__(self, graph: tf.Graph) -> None:
        operations = graph.get_operations()
        source: dict[str, str] = {}
        made: dict[str, tuple[int, tf.Tensor]] = {}
        read: dict[str, int] = {}
        for at, operation in enumerate(operations):
            inputs = [source[tensor.name] for tensor in operation.inputs]
            read.update(dict.fromkeys(inputs, at))
            for tensor in operation.outputs:
                passed = operation.type in _PASSES_ON
                source[tensor.name] = inputs[0] if passed and inputs else tensor.name
                if not passed:
                    made[tensor.name] = (at, tensor)
        names = list(made)
        self._born = np.array([made[name][0] for name in names])
        self._dies = np.array([read.get(name, made[name][0]) for name in names])
        fixed = [_fixed_bytes(made[name][1]) for name in names]
        self._bytes = np.array([size for size, _ in fixed], np.float64)
        self._powers = np.array([power for _, power in fixed])
        backward = (at for at, one in enumerate(operations) if _BACKWARD in one.name)
        self._backward = next(backward, len(operations))

    def peak(self, batch: int) -> float:
        """Returns the most bytes that tensors of a step with so many examples take at a time."""
        sizes = self._sizes(batch)
        change = np.zeros(self._dies.max(initial=0) + 2)
        np.add.at(change, self._born, sizes)
        np.add.at(change, self._dies + 1, -sizes)
        return float(np.cumsum(change).max())

    def kept(self, batch: int) -> float:
        """Returns the bytes that the forward pass keeps for the backward pass."""
        across = (self._born < self._backward) & (self._dies >= self._backward)
        return float(self._sizes(batch)[across].sum())

    def _sizes(self, batch: int) -> np.ndarray:
        return self._bytes * np.float64(batch) ** self._powers


def trace(
    build: Callable[[Config], Step], config: Config, *, stored: int, findings: int
) -> Footprint:
    """Traces a step, which takes some ten seconds for ResNet-50.

    Args:
        build: makes the step from settings that have another batch size.
        config: all settings.
        stored: side of the stored pictures in pixels.
        findings: columns of the targets.
    """
    settings = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, global_batch_size=TRACED_BATCH),
        train=dataclasses.replace(config.train, accumulation_steps=1),
    )
    step = build(settings)
    batch = {
        "pixels": tf.TensorSpec([TRACED_BATCH, stored, stored], tf.uint8),
        "targets": tf.TensorSpec([TRACED_BATCH, findings], tf.int64),
        "positions": tf.TensorSpec([TRACED_BATCH], tf.int64),
    }
    scalars = [tf.TensorSpec([], kind) for kind in (tf.int64, tf.float32, tf.float32)]

    @tf.function
    def whole(*given: Any) -> Any:
        # Not compiled: XLA would hide the operations behind one.
        return step.strategy.run(step.compiled.python_function, args=given)

    return Footprint(whole.get_concrete_function(batch, *scalars).graph)


def _fixed_bytes(tensor: tf.Tensor) -> tuple[int, int]:
    """Returns a tensor's bytes without the traced batch, and the power in which that counts."""
    if tensor.shape.rank is None or tensor.dtype in (tf.resource, tf.variant, tf.string):
        return 0, 0
    size, power = tensor.dtype.size, 0
    for side in tensor.shape:
        side = side or 0
        while side and side % TRACED_BATCH == 0:
            side, power = side // TRACED_BATCH, power + 1
        size *= side
    return size, power
