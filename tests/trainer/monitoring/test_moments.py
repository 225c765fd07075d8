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
        return last

    assert float(steps(tf.constant(3))) == 3.0


def test_sums_tell_before_and_after_where_there_are_other_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    for name in ("computed", "summed"):
        monkeypatch.setattr(PULSE, name, lambda name=name: told.append(name) or 0.0)

    def reduce(values: list[tf.Tensor]) -> list[tf.Tensor]:
        with tf.control_dependencies([tf.numpy_function(lambda: told.append("sum"), [], [])]):
            return [2 * value for value in values]

    for replicas, expected in ((0, ["sum"]), (1, ["computed", "sum", "summed"])):
        told.clear()
        monkeypatch.setattr(PULSE, "replicas", replicas)
        found = tf.function(lambda: moments.summed([tf.constant(3.0)], reduce))()
        assert [float(value) for value in found] == [6.0]
        assert told == expected
