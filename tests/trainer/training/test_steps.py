# SPDX-License-Identifier: MIT
"""Tests of several steps in one call: what they report, and that two devices train like one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import Config
from trainer.data import dataset
from trainer.training import optimizer
from trainer.training.optimizer import LossScale
from trainer.training.step import Step
from trainer.training.steps import Measured, make_steps


class Calls:
    """Compiled steps of a tiny network on one device, from its first step on."""

    def __init__(self, tiny: Callable[..., Any], data_set: Any, runtime: Any, config: Config):
        model = tiny(seed=1)
        chosen = optimizer.build(config.optimizer)
        chosen.build(model.network.trainable_variables)
        self.network, self.config = model.network, config
        step = Step(runtime.strategy, model, chosen, config)
        schedule = optimizer.Schedule(config.optimizer, 100)
        self.steps = make_steps(step, schedule)
        batches = dataset.train_batches(
            runtime.strategy,
            folder=data_set.folder,
            manifest=data_set.manifest,
            config=config.data,
            seed=config.seed,
            start_step=0,
        )
        self.batches = iter(batches)

    def call(self, first: int, count: int, factor: float = 1.0) -> Measured:
        """Takes steps."""
        return self.steps(
            self.batches,
            tf.constant(first, tf.int64),
            tf.constant(count),
            tf.constant(factor),
            LossScale(tf.constant(8.0), tf.constant(1998, tf.int64), tf.constant(3, tf.int64)),
            tf.constant([1.0, 0.25, -3.0]),
        )


@pytest.fixture
def calls(
    make_tiny_model: Callable[..., Any],
    data_set: Any,
    one_device: Any,
    small_settings: Callable[[], Config],
) -> Callable[[], Calls]:
    return lambda: Calls(make_tiny_model, data_set, one_device, small_settings())


def test_a_call_reports_every_step_and_carries_the_loss_scale(calls: Callable[[], Calls]) -> None:
    made = calls()
    found = made.call(0, 3)
    assert (found.losses.shape, found.loss.shape, found.norms.shape) == ((3, 4), (3,), (3,))
    assert (found.norms.numpy() > 0).all()
    # The second of three good steps is the 2,000th.
    assert [float(part) for part in found.scale] == [16.0, 1.0, 3.0]
    assert found.signals.numpy().tolist() == [1.0, 0.25, -3.0]
    assert 0 <= float(found.waited) < 60


def test_one_call_of_many_steps_is_many_calls_of_one(calls: Callable[[], Calls]) -> None:
    whole, single = calls(), calls()
    expected = whole.call(0, 5)
    parts = [single.call(step, 1) for step in range(5)]
    for name in ("loss", "norms", "losses"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(expected, name))
    for one, other in zip(whole.network.variables, single.network.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_another_count_is_not_compiled_anew(calls: Callable[[], Calls]) -> None:
    made = calls()
    made.call(0, 1)
    traced = made.steps.experimental_get_tracing_count()
    made.call(1, 4, factor=0.5)
    made.call(5, 2)
    assert made.steps.experimental_get_tracing_count() == traced


@pytest.mark.distributed
@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        "accumulated",
        "averaged",
        "clipped",
        "grouped",
        "normalised",
        "half_known",
        "taught",
    ],
)
def test_two_devices_train_like_one_with_the_same_global_batch(
    two_devices: dict[str, Any], kind: str
) -> None:
    two, one = two_devices["trained"]["two"][kind], two_devices["trained"]["one"][kind]
    assert len(two["losses"]) == len(one["losses"]) == 9
    # Later steps agree only if the gradients of the replicas are summed, not averaged again.
    for measured in ("losses", "norms", "each", "weights", "average"):
        np.testing.assert_allclose(two[measured], one[measured], rtol=1e-5, atol=1e-5)
    assert np.ptp(two["losses"]) > 0.01


@pytest.mark.distributed
@pytest.mark.slow
def test_what_is_set_changes_what_two_devices_train(two_devices: dict[str, Any]) -> None:
    """Without it the comparisons above would compare one and the same run."""
    trained = two_devices["trained"]["two"]
    plain = trained["plain"]
    np.testing.assert_allclose(
        trained["accumulated"]["losses"], plain["losses"], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(trained["averaged"]["weights"], plain["weights"], atol=1e-6)
    assert not np.allclose(trained["averaged"]["average"], plain["weights"], atol=5e-4)
    for kind in ("clipped", "grouped", "normalised", "per_replica", "half_known", "taught"):
        assert not np.allclose(trained[kind]["losses"], plain["losses"], rtol=1e-3), kind
    assert not np.allclose(trained["per_replica"]["losses"], trained["normalised"]["losses"])


@pytest.mark.distributed
@pytest.mark.slow
def test_replicas_with_their_own_batch_statistics_remember_the_same(
    two_devices: dict[str, Any],
) -> None:
    for kind in ("normalised", "per_replica"):
        first, second = two_devices["trained"]["two"][kind]["moving"]
        assert first == second
        assert np.abs(first).max() > 0.01


@pytest.mark.distributed
@pytest.mark.slow
def test_two_devices_train_with_loss_scaling(two_devices: dict[str, Any]) -> None:
    trained = two_devices["trained"]
    half = trained["two"]["mixed_float16"]
    assert half["losses"] == pytest.approx(trained["one"]["plain"]["losses"], rel=2e-2)
    assert half["losses"] == pytest.approx(trained["one"]["mixed_float16"]["losses"], rel=1e-2)
    assert half["skipped"] == 0


@pytest.mark.distributed
@pytest.mark.slow
def test_two_devices_skip_a_step_together(two_devices: dict[str, Any]) -> None:
    """One device adds up more examples in float16, so that it may have to skip one step more."""
    two, one = (two_devices["trained"][name]["overflowing"] for name in ("two", "one"))
    for found in (two, one):
        assert 0 < found["skipped"] < 9
        assert found["scale"] == 2.0**21 / 2 ** found["skipped"]
        assert found["iterations"] == 9 - found["skipped"]
        assert np.isfinite(found["losses"]).all()
    assert abs(two["skipped"] - one["skipped"]) <= 1


@pytest.mark.distributed
@pytest.mark.slow
def test_the_variables_of_replicas_stay_the_same(two_devices: dict[str, Any]) -> None:
    trained = two_devices["trained"]["two"]
    assert {kind: found["apart"] for kind, found in trained.items()} == dict.fromkeys(trained, 0.0)
