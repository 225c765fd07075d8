# SPDX-License-Identifier: MIT
"""Tests of what the meter makes of measurements; the steps here only report what a test says."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.training import optimizer
from trainer.training.calls import Calls, LoopParts
from trainer.training.optimizer import LossScale
from trainer.training.steps import Measured

PER_EPOCH = 8


@dataclasses.dataclass
class Script:
    """Reports what it is told and remembers what it was called with."""

    config: Config
    losses: Sequence[float] = ()
    norms: Sequence[float] = ()
    scale: tuple[float, int, int] = (1.0, 0, 0)
    waited: float = 0.0
    signals: tuple[float, float] = (0.0, 0.0)
    calls: list[tuple[bool, int, int, float, tuple[float, ...], list[float]]] = dataclasses.field(
        default_factory=list
    )
    logged: list[tuple[int, dict[str, float]]] = dataclasses.field(default_factory=list)
    explained: list[tuple[int, float, list[float]]] = dataclasses.field(default_factory=list)
    profiled: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    stop: bool = False

    def steps(self, frozen: bool) -> Callable[..., Measured]:
        def call(
            batches: Any, first: Any, count: Any, factor: Any, scale: Any, signals: Any
        ) -> Measured:
            numbers = tuple(float(part) for part in scale)
            at, number = int(first), int(count)
            self.calls.append(
                (frozen, at, number, float(factor), numbers, signals.numpy().tolist())
            )
            losses = np.asarray(self.losses or [0.5] * number, np.float32)
            norms = np.asarray(self.norms or [2.0] * number, np.float32)
            value, good, skipped = self.scale
            return Measured(
                losses=tf.constant(np.stack([losses, losses + 1], axis=1)),
                loss=tf.constant(losses),
                norms=tf.constant(norms),
                scale=LossScale(
                    tf.constant(value),
                    tf.constant(good, tf.int64),
                    tf.constant(skipped, tf.int64),
                ),
                waited=tf.constant(self.waited, tf.float64),
                signals=tf.constant(self.signals),
            )

        return call

    def explain(self, at: int, loss: float, losses: np.ndarray) -> Exception:
        self.explained.append((at, loss, losses.tolist()))
        return ConfigError(f"step {at} is no good")

    # What the meter asks of a monitor and of a profiler.
    def training(self, step: int, scalars: dict[str, float]) -> None:
        self.logged.append((step, dict(scalars)))

    def before(self, step: int) -> None:
        self.profiled.append(("before", step))

    def after(self, step: int) -> None:
        self.profiled.append(("after", step))

    def meter(self, progress: Progress | None = None) -> Calls:
        """Returns a meter over these steps."""
        schedule = optimizer.Schedule(self.config.optimizer, 100)
        self.run = LoopParts(
            config=self.config,
            steps=self.steps,
            batches=iter(()),
            per_epoch=PER_EPOCH,
            schedule=schedule,
            progress=progress or Progress(),
            checkpoints=None,
            monitor=self,
            profiler=self,
            evaluate=lambda at: {},
            explain=self.explain,
            should_stop=lambda: self.stop,
        )
        return Calls(self.run)


@pytest.fixture
def script(small_settings: Callable[[], Config]) -> Script:
    config = small_settings()
    config.train.log_every_steps = 4
    config.train.max_loss = 20.0
    return Script(config)


def test_steps_are_called_with_where_the_run_stands(script: Script) -> None:
    script.config.train.frozen_epochs = 2
    progress = Progress(step=15, rate_factor=0.25, loss_scale=512.0, good_steps=12, skipped_steps=3)
    meter = script.meter(progress)
    meter.steps(1)
    script.scale = (256.0, 0, 4)
    meter.steps(3)
    first, second = script.calls
    assert first[:5] == (True, 15, 1, 0.25, (512.0, 12.0, 3.0))
    assert second[:5] == (False, 16, 3, 0.25, (1.0, 0.0, 0.0))
    assert (progress.step, progress.loss_scale, progress.good_steps, progress.skipped_steps) == (
        19,
        256.0,
        0,
        4,
    )


def test_calls_of_any_length_take_one_trace(script: Script) -> None:
    """Numbers of Python would compile the steps anew for each value."""
    given: list[Any] = []
    original = script.steps

    def steps(frozen: bool) -> Callable[..., Measured]:
        def call(*arguments: Any) -> Measured:
            given.append(arguments[1:])
            return original(frozen)(*arguments)

        return call

    meter = script.meter()
    script.run.steps = steps
    for count in (1, 3, 4):
        meter.steps(count)
    kinds = [
        [(part.dtype, part.shape) for part in tf.nest.flatten(arguments)] for arguments in given
    ]
    assert kinds[0] == kinds[1] == kinds[2]
    assert kinds[0][:2] == [(tf.int64, []), (tf.int32, [])]


def test_a_wish_to_stop_goes_out_and_what_all_wish_comes_back(script: Script) -> None:
    meter = script.meter()
    meter.steps(1)
    assert script.calls[0][5] == [0.0, 0.0]
    assert not meter.stop
    script.stop, script.signals = True, (0.125, 0.75)
    meter.steps(2)
    wish, own = script.calls[1][5]
    assert wish == 1.0
    assert own > 0  # seconds of a step in the call before
    assert meter.stop
    assert meter.seconds_per_step == 0.75


def test_a_point_is_logged_where_the_settings_say_over_the_stretch_before(script: Script) -> None:
    script.config.optimizer.learning_rate = 0.5
    progress = Progress(rate_factor=0.5)
    meter = script.meter(progress)
    script.losses, script.norms, script.waited = [1.0], [4.0], 0.0
    meter.steps(1)
    script.losses, script.norms, script.scale = [2.0, 3.0, 6.0], [1.0, math.inf, 1.0], (8.0, 1, 5)
    script.config.runtime.precision = "mixed_float16"
    assert script.logged == []
    meter.steps(3)
    ((step, scalars),) = script.logged
    assert step == 4
    assert scalars["train/loss"] == 3.0
    assert meter.loss == pytest.approx(11 / 3)
    assert scalars["train/gradient_norm"] == 2.0
    assert scalars["train/learning_rate"] == 0.25
    assert (scalars["train/loss_scale"], scalars["train/skipped_steps"]) == (8.0, 5)
    assert scalars["train/images_per_second"] == pytest.approx(
        4 * scalars["train/steps_per_second"]
    )
    script.losses, script.norms = [7.0] * 4, [math.inf] * 4
    meter.steps(4)
    step, scalars = script.logged[1]
    assert (step, scalars["train/loss"]) == (8, 7.0)
    assert math.isnan(scalars["train/gradient_norm"])
    assert meter.summary().losses.tolist() == [1, 2, 3, 6, 7, 7, 7, 7]


def test_the_share_of_waiting_is_that_of_the_first_step_of_each_call(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 2.0, 10.0, 16.0])
    monkeypatch.setattr("trainer.training.calls.time.monotonic", lambda: next(clock))
    meter = script.meter()
    script.waited = 0.1
    meter.steps(1)
    script.waited = 0.3
    meter.steps(3)
    ((_, scalars),) = script.logged
    assert scalars["train/input_wait_share"] == pytest.approx(0.2 * 4 / 8)
    assert scalars["train/steps_per_second"] == pytest.approx(0.5)
    assert scalars["train/images_per_second"] == pytest.approx(2.0)
    summary = meter.summary()
    assert summary.images_per_second == pytest.approx(2.0)


def test_the_share_of_waiting_is_at_most_one(script: Script) -> None:
    script.waited = 1e6
    script.meter().steps(4)
    assert script.logged[0][1]["train/input_wait_share"] == 1.0


def test_the_summary_counts_from_where_the_call_began(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 8.0])
    monkeypatch.setattr("trainer.training.calls.time.monotonic", lambda: next(clock))
    progress = Progress(step=20, best_auc=0.75, best_step=16)
    meter = script.meter(progress)
    empty = meter.summary()
    assert (empty.step, empty.epochs, empty.losses.shape) == (20, 2, (0,))
    assert math.isnan(empty.images_per_second)
    meter.steps(4)
    summary = meter.summary()
    assert (summary.step, summary.epochs, len(summary.losses)) == (24, 3, 4)
    assert (summary.best_auc, summary.best_step) == (0.75, 16)
    assert summary.images_per_second == pytest.approx(16 / 8)


def test_calls_that_traced_say_nothing_of_the_speed_of_others(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 9.0, 10.0, 12.0])
    monkeypatch.setattr("trainer.training.calls.time.monotonic", lambda: next(clock))
    meter = script.meter()
    meter.steps(1)
    assert meter.summary().images_per_second == pytest.approx(4 / 9)
    meter.steps(3)
    summary = meter.summary()
    assert summary.images_per_second == pytest.approx(12 / 2)


def test_the_profiler_sees_where_each_call_begins_and_ends(script: Script) -> None:
    meter = script.meter(Progress(step=3))
    meter.steps(2)
    meter.steps(1)
    assert script.profiled == [("before", 3), ("after", 5), ("before", 5), ("after", 6)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 20.5])
@pytest.mark.parametrize("limit", [20.0, 0.0])
def test_a_loss_that_is_no_good_is_explained_by_its_own_step(
    script: Script, bad: float, limit: float
) -> None:
    script.config.train.max_loss = limit
    script.losses = [1.0, 20.0, bad, math.nan]
    meter = script.meter(Progress(step=8))
    at = 3 if bad == 20.5 and not limit else 2
    with pytest.raises(ConfigError, match=f"step {8 + at} is no good"):
        meter.steps(4)
    ((step, loss, losses),) = script.explained
    assert step == 8 + at
    np.testing.assert_array_equal(loss, script.losses[at])
    np.testing.assert_array_equal(losses, [script.losses[at], script.losses[at] + 1])
    assert (script.run.progress.step, script.logged) == (8, [])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_gradients_that_are_no_number_end_a_run_without_loss_scaling(
    script: Script, precision: str
) -> None:
    script.config.runtime.precision = precision
    script.norms = [1.0, math.nan]
    with pytest.raises(ConfigError, match="step 1 is no good"):
        script.meter().steps(2)


def test_overflows_of_float16_are_skipped_until_no_scale_is_left(script: Script) -> None:
    script.config.runtime.precision = "mixed_float16"
    script.norms, script.scale = [1.0, math.inf, 1.0], (2.0, 1, 1)
    meter = script.meter()
    meter.steps(3)
    assert script.run.progress.skipped_steps == 1
    script.scale = (1.0, 0, 2)
    with pytest.raises(ConfigError, match="gradients overflow float16 at step 4 even without"):
        meter.steps(3)
    script.norms = [1.0] * 3
    meter.steps(3)
    assert script.explained == []


def test_the_points_of_a_run_are_those_that_tensorboard_shows(
    script: Script, tmp_path: pathlib.Path
) -> None:
    """Through the real monitor into a log of TensorBoard's."""
    from trainer.monitoring.monitor import Monitor

    script.config.runtime.precision = "mixed_float16"
    meter = script.meter()
    script.run.monitor = Monitor(str(tmp_path))
    meter.steps(4)
    script.run.monitor.flush()
    found = set()
    for path in tmp_path.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found |= {value.tag for value in event.summary.value}
    assert {
        "train/loss",
        "train/learning_rate",
        "train/gradient_norm",
        "train/loss_scale",
        "train/skipped_steps",
        "train/images_per_second",
        "train/steps_per_second",
        "train/input_wait_share",
    } <= found
