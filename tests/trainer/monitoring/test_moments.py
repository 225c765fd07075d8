# SPDX-License-Identifier: MIT
"""Tests of what compiled steps tell the host."""

import pytest
import tensorflow as tf

from trainer.monitoring import moments
from trainer.monitoring.pulse import PULSE


def test_compiled_steps_tell_when_tensors_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def moment() -> float:
        told.append(0.0)
        return float(len(told))

    @tf.function
    def steps(count: tf.Tensor) -> tf.Tensor:
        last = tf.constant(0.0, tf.float64)
        for _ in tf.range(count):
            last = moments.tell(moment, {"a": last})
            moments.tell_of_sum(moment, last)
        return last

    monkeypatch.setattr(PULSE, "replicas", 0)
    assert float(steps(tf.constant(3))) == 3.0
    monkeypatch.setattr(PULSE, "replicas", 1)
    # Traced anew: what tells of sums is in it, also where nothing uses what it returns.
    steps.python_function(2)
    assert len(told) == 7
