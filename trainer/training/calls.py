# SPDX-License-Identifier: MIT
"""Runs training steps and measures them: losses, rates, what the other processes want."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from absl import logging

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.process import log
from trainer import course, limits
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.distribution.cluster import Cluster
from trainer.monitoring.clock import CLOCK
from trainer.monitoring.monitor import Monitor
from trainer.monitoring.outlook import Outlook
from trainer.monitoring.profiling import Profiler
from trainer.training.optimizer import LossScale, Schedule
from trainer.training.steps import Measured, Steps
from trainer.training.stragglers import Stragglers


class Validation(NamedTuple):
    """How good a network is on the validation split.

    Attributes:
        aucs: finding -> AUC, NaN where it is undefined.
        loss: mean binary cross-entropy over all known targets, whatever training minimises, in
            nats.
    """

    aucs: Mapping[str, float]
    loss: float


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a call of `train` measured.

    Attributes:
        step: optimiser steps of the run when the call ended.
        epochs: passes over the train split, full ones.
        best_auc: validation mean AUC of the run's best network.
        best_loss: its validation loss.
        best_step: the step that reached it.
        stale_epochs: epochs since then.
        losses: loss of each step of this call, float32 [steps of this call], in nats.
        images_per_second: over all replicas, without what traced where there was more; NaN if
            there was nothing to do.
    """

    step: int
    epochs: int
    best_auc: float
    best_loss: float
    best_step: int
    stale_epochs: int
    losses: np.ndarray
    images_per_second: float

    @property
    def best(self) -> dict[str, float]:
        """The best network's step and figures, by their tags in TensorBoard."""
        found = {"mean_auc": self.best_auc, "loss": self.best_loss, "step": float(self.best_step)}
        return {f"best/{name}": value for name, value in found.items()}


@dataclasses.dataclass
class LoopParts:
    """The parts that the loop drives.

    Attributes:
        config: all settings.
        steps: takes training steps, by whether the backbone is frozen.
        batches: the stream of training batches, from the run's step on.
        per_epoch: steps in an epoch.
        schedule: learning rate over the steps.
        progress: how far the run is.
        checkpoints: saves it.
        monitor: logs it.
        profiler: traces the steps that were asked for.
        evaluate: scores the validation split and logs it.
        explain: returns the error for a step whose loss is too large or not a number, from its
            number, its loss and the loss of each example.
        should_stop: tells whether somebody wants the process to end.
        alone: whether this is the only process of the run.
        peers: all processes of the run.
        outlook: says when the run ends.
        verify: raises an error if steps, their first and their number, found the machine wrong.
    """

    config: Config
    steps: Callable[[bool], Steps]
    batches: Iterator[Any]
    per_epoch: int
    schedule: Schedule
    progress: Progress
    checkpoints: Checkpoints
    monitor: Monitor
    profiler: Profiler
    evaluate: Callable[[int], Validation]
    explain: Callable[[int, float, npt.NDArray[np.float32]], Exception]
    should_stop: Callable[[], bool]
    alone: bool = True
    peers: Cluster = dataclasses.field(default_factory=Cluster)
    outlook: Outlook = dataclasses.field(default_factory=Outlook)
    verify: Callable[[int, int], None] = lambda first, count: None


class Calls:
    """Runs steps, measures them, and learns what the other processes want.

    Attributes:
        stop: whether any process has been asked to end.
        seconds_per_step: mean over the processes, of the call before the last; 0 if unknown.
        loss: mean of the last call, in nats.
    """

    def __init__(self, parts: LoopParts) -> None:
        self._parts = parts
        self._losses: list[npt.NDArray[np.float32]] = []
        self._stretch: list[tuple[Measured, int, float]] = []  # since the last log
        self._own = 0.0
        self._work = np.zeros([2, 2])  # steps and seconds; of calls that did not trace, and did
        self._traced: set[bool] = set()
        self._stragglers = Stragglers(parts.peers)
        self.stop, self.seconds_per_step, self.loss = False, 0.0, math.nan

    def steps(self, count: int) -> None:
        """Runs `count` steps.

        Raises:
            ConfigError: the loss is no longer a number, or too large.
        """
        parts, step = self._parts, self._parts.progress.step
        if text := course.turn(parts.config, per_epoch=parts.per_epoch, step=step):
            logging.info(text)
        frozen = step < parts.config.train.frozen_epochs * parts.per_epoch
        parts.profiler.before(step)
        self._stragglers.begin()
        start = time.monotonic()
        with CLOCK.phase(
            "steps" if frozen in self._traced else "trace", f"steps {step + 1} to {step + count}"
        ):
            measured = parts.steps(frozen)(
                parts.batches,
                tf.constant(step, tf.int64),
                tf.constant(count),
                tf.constant(parts.progress.rate_factor, tf.float32),
                _scale(parts.progress),
                tf.constant(
                    [float(parts.should_stop()), self._own, *self._stragglers.signals], tf.float32
                ),
            )
            measured = tf.nest.map_structure(lambda one: one.numpy(), measured)
        seconds = time.monotonic() - start
        traced = frozen not in self._traced
        self._count_waits(float(measured.waited) * count, seconds, traced=traced)
        self._traced.add(frozen)
        self._work[int(traced)] += count, seconds
        parts.profiler.after(step + count)
        parts.verify(step, count)
        self._check(step, measured)
        self._remember(measured, count, seconds)
        if parts.progress.step % parts.config.train.log_every_steps == 0:
            self._log()

    def _count_waits(self, for_input: float, seconds: float, *, traced: bool) -> None:
        for_peers = self._stragglers.measured(seconds, for_input)
        # No more than this call took: one batch that came late says little of the others.
        for_input = min(for_input, seconds - for_peers)
        for name, waited in (("peers", for_peers), ("input", for_input)):
            CLOCK.reassign(0.0 if traced else waited, source="steps", to=name)

    def _remember(self, measured: Measured, count: int, seconds: float) -> None:
        progress = self._parts.progress
        progress.step += count
        log.at_step(progress.step)
        progress.loss_scale = float(measured.scale.value)
        progress.good_steps = int(measured.scale.good_steps)
        progress.skipped_steps = int(measured.scale.skipped)
        self.stop = bool(measured.signals[0] > 0)
        self.seconds_per_step = float(measured.signals[1])
        self._stragglers.heard(measured.signals[2:])
        self._own = seconds / count
        self._losses.append(np.asarray(measured.loss))
        self._stretch.append((measured, count, seconds))
        self.loss = float(np.mean(measured.loss))

    def _check(self, step: int, measured: Measured) -> None:
        limit = self._parts.config.train.max_loss or math.inf
        loss = np.asarray(measured.loss)
        bad = ~np.isfinite(loss) | (loss > limit)
        overflow = ~np.isfinite(measured.norms)
        if self._parts.config.runtime.precision != "mixed_float16":
            bad |= overflow
        elif overflow.any() and measured.scale.value <= 1:
            raise ConfigError(
                f"gradients overflow float16 at step {step + int(np.argmax(overflow))} even "
                "without loss scaling: lower optimizer.learning_rate, or set runtime.precision to "
                f"mixed_bfloat16, {limits.ELSEWHERE}"
            )
        if bad.any():
            at = int(np.argmax(bad))
            raise self._parts.explain(step + at, float(measured.loss[at]), measured.losses[at])

    def _log(self) -> None:
        parts, stretch = self._parts, self._stretch
        self._stretch = []
        step = parts.progress.step
        count = sum(steps for _, steps, _ in stretch)
        seconds = sum(part for _, _, part in stretch)
        norms = np.concatenate([measured.norms for measured, _, _ in stretch])
        finite = norms[np.isfinite(norms)]
        waited = sum(float(measured.waited) for measured, _, _ in stretch) / len(stretch)
        scalars = {
            "train/loss": float(np.mean(np.concatenate(self._losses)[-count:])),
            "train/learning_rate": float(parts.schedule(step - 1)) * parts.progress.rate_factor,
            "train/gradient_norm": float(np.mean(finite)) if finite.size else math.nan,
            "train/images_per_second": count * parts.config.data.global_batch_size / seconds,
            "train/steps_per_second": count / seconds,
            "train/input_wait_share": min(1.0, waited * count / seconds),
            "train/seconds_left": parts.outlook.left(),
        }
        if parts.config.runtime.precision == "mixed_float16":
            scalars["train/loss_scale"] = parts.progress.loss_scale
            scalars["train/skipped_steps"] = parts.progress.skipped_steps
        parts.monitor.training(step, scalars | self._stragglers.scalars())

    def summary(self) -> Summary:
        """Returns what was measured since the beginning."""
        progress = self._parts.progress
        steps, seconds = self._work[0] if self._work[0].any() else self._work[1]
        images = steps * self._parts.config.data.global_batch_size
        return Summary(
            step=progress.step,
            epochs=progress.step // self._parts.per_epoch,
            best_auc=progress.best_auc,
            best_loss=progress.best_loss,
            best_step=progress.best_step,
            stale_epochs=progress.stale_epochs,
            losses=np.concatenate(self._losses) if self._losses else np.zeros([0], np.float32),
            images_per_second=float(images / seconds) if seconds else math.nan,
        )


def _scale(progress: Progress) -> LossScale:
    return LossScale(
        value=tf.constant(progress.loss_scale, tf.float32),
        good_steps=tf.constant(progress.good_steps, tf.int64),
        skipped=tf.constant(progress.skipped_steps, tf.int64),
    )
