# SPDX-License-Identifier: MIT
"""Lets compiled steps tell the process when a moment has come; see `pulse`."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer.monitoring.pulse import PULSE


def tell(moment: Callable[[], float], after: Any = ()) -> tf.Tensor:
    """Calls a function of the host when tensors are there; returns what it returns, float64 []."""
    # Not tf.timestamp, which refuses to work where operations are deterministic.
    with tf.control_dependencies(tf.nest.flatten(after, expand_composites=True)):
        when = tf.numpy_function(moment, [], tf.float64)
    when.set_shape([])
    return when


def tell_of_sum(moment: Callable[[], float], after: Any) -> None:
    """Calls a function of `PULSE` when tensors are there, where there are other processes."""
    if PULSE.replicas:
        tell(moment, after)
