# SPDX-License-Identifier: MIT
"""Lets compiled steps tell the process when a moment has come; see `pulse`."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

from trainer.monitoring.pulse import PULSE

_Values = TypeVar("_Values")
_Sums = TypeVar("_Sums")


def tell(moment: Callable[[], float], after: Any = ()) -> tf.Tensor:
    """Calls a function of the host when tensors are there; returns what it returns, float64 []."""
    # Not tf.timestamp, which refuses to work where operations are deterministic.
    with tf.control_dependencies(tf.nest.flatten(after, expand_composites=True)):
        when = tf.numpy_function(moment, [], tf.float64)
    when.set_shape([])
    return when


def summed(values: _Values, reduce: Callable[[_Values], _Sums]) -> _Sums:
    """Returns what a function of all replicas makes of tensors.

    Of several processes, it tells when this one has done its part and when the result is there.
    """
    if not PULSE.replicas:
        return reduce(values)
    tell(PULSE.computed, values)
    every = reduce(values)
    tell(PULSE.summed, every)
    return every
