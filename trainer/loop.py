# SPDX-License-Identifier: MIT
"""The training loop: an outer loop that saves, evaluates, logs and stops, around compiled steps.

The host calls the accelerator for several steps at a time. Where those calls end is decided by the
next thing to do (log, save, end of epoch), so nothing depends on how many steps one call takes.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, StoppedError
from preprocessing.contract.progress import Progress as Display
from trainer.augment import augment
from trainer.checkpoints import Checkpoints, Progress
from trainer.config import Config
from trainer.evaluation.auc import mean_auc
from trainer.losses import masked_cross_entropy
from trainer.model import Model
from trainer.monitor import Monitor
from trainer.optimizer import Schedule

# Runs `count` steps from a step on and returns the loss of each, float32 [count].
TrainSteps = Callable[[Iterator[Any], tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a call of `train` measured.

    Attributes:
        step: optimiser steps of the run when the call ended.
        epochs: passes over the train split, full ones.
        best_auc: best validation mean AUC of the run.
        best_step: the step that reached it.
        losses: loss of each step of this call, float32 [steps of this call], in nats.
        seconds: of this call, inside training steps.
        images_per_second: of this call, over all replicas; NaN if it had nothing to do.
    """

    step: int
    epochs: int
    best_auc: float
    best_step: int
    losses: np.ndarray
    seconds: float
    images_per_second: float


@dataclasses.dataclass
class Run:
    """The parts that the loop drives.

    Attributes:
        config: all settings.
        train_steps: see `make_train_steps`.
        batches: the stream of training batches, from the run's step on.
        per_epoch: steps in an epoch.
        schedule: learning rate over the steps.
        progress: where the run stands.
        checkpoints: saves it.
        monitor: logs it.
        evaluate: scores the validation split: finding -> AUC.
        should_stop: tells whether somebody wants the process to end.
    """

    config: Config
    train_steps: TrainSteps
    batches: Iterator[Any]
    per_epoch: int
    schedule: Schedule
    progress: Progress
    checkpoints: Checkpoints
    monitor: Monitor
    evaluate: Callable[[], Mapping[str, float]]
    should_stop: Callable[[], bool]


def make_train_steps(
    strategy: tf.distribute.Strategy,
    model: Model,
    optimizer: keras.optimizers.Optimizer,
    config: Config,
) -> TrainSteps:
    """Compiles the function that runs several training steps in one host call."""
    data, variables = config.data, model.network.trainable_variables

    def replica_step(batch: dict[str, tf.Tensor], step: tf.Tensor) -> tf.Tensor:
        key = tf.stack([tf.constant(config.seed, tf.int64), 2 * step])
        pixels = augment(
            batch["pixels"],
            batch["positions"],
            key=key,
            global_batch=data.global_batch_size,
            image_size=data.image_size,
            crop_fraction=data.crop_fraction,
            flip=data.flip,
        )
        with tf.GradientTape() as tape:
            logits = model.train_logits(
                pixels,
                batch["positions"],
                key=key + tf.constant([0, 1], tf.int64),
                global_batch=data.global_batch_size,
            )
            total, known = masked_cross_entropy(logits, batch["targets"])
            # The denominator spans all replicas, so that the sum of their losses is the mean.
            known = tf.distribute.get_replica_context().all_reduce("SUM", known)
            loss = total / tf.maximum(known, 1.0)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, variables), variables)
        return loss

    @tf.function
    def train_steps(batches: Iterator[Any], first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, size=count)
        for at in tf.range(count):
            batch = next(batches)
            loss = strategy.run(replica_step, args=(batch, first + tf.cast(at, tf.int64)))
            losses = losses.write(at, strategy.reduce("SUM", loss, axis=None))
        return losses.stack()

    return train_steps  # type: ignore[no-any-return]


def train(run: Run) -> Summary:
    """Trains from where the run stands to its end.

    Raises:
        ConfigError: the loss is no longer a number.
        StoppedError: `should_stop`; everything was saved.
    """
    settings = run.config.train
    total = settings.epochs * run.per_epoch
    step = int(run.progress.step.numpy())
    meter = _Meter(run, step)
    with Display("training", total, unit="steps", done=step) as display:
        while step < total and not _is_stale(run):
            count = _steps_until_next_duty(run, step, total)
            step += count
            display.reach(step, meter.steps(step - count, count))
            run.progress.step.assign(step)
            if step % run.per_epoch == 0:
                _end_epoch(run, step)
                run.checkpoints.save()
            elif settings.checkpoint_every_steps and step % settings.checkpoint_every_steps == 0:
                run.checkpoints.save()
            if run.should_stop() and step < total:
                run.checkpoints.save()
                raise StoppedError(
                    f"stopped and saved at step {step} of {total}: the same command "
                    "goes on from there"
                )
    return meter.summary(step)


def _steps_until_next_duty(run: Run, step: int, total: int) -> int:
    """Returns how many steps the next host call may take without passing anything to do."""
    settings = run.config.train
    every = [run.per_epoch, settings.log_every_steps, settings.checkpoint_every_steps]
    duties = [total, *(step - step % interval + interval for interval in every if interval)]
    return min(settings.steps_per_call, min(duties) - step)


def _is_stale(run: Run) -> bool:
    patience = run.config.train.patience_epochs
    return bool(patience and int(run.progress.stale_epochs.numpy()) >= patience)


def _end_epoch(run: Run, step: int) -> None:
    """Scores the validation split and keeps the network if it is the best so far."""
    aucs = run.evaluate()
    mean = mean_auc(aucs).value
    run.monitor.validation(step, mean, aucs)
    print(f"epoch {step // run.per_epoch}, step {step}: validation mean AUC {mean:.4f}", flush=True)
    if mean > float(run.progress.best_auc.numpy()):
        run.progress.best_auc.assign(mean)
        run.progress.best_step.assign(step)
        run.progress.stale_epochs.assign(0)
        run.checkpoints.save_best()
    else:
        run.progress.stale_epochs.assign_add(1)


class _Meter:
    """Runs steps, and measures them."""

    def __init__(self, run: Run, step: int) -> None:
        self._run = run
        self._losses: list[np.ndarray] = []
        self._seconds = 0.0
        self._stretch: tuple[int, float] = (0, 0.0)  # steps and seconds since the last log
        self._first = step

    def steps(self, first: int, count: int) -> str:
        """Runs `count` steps and returns what to show of them.

        Raises:
            ConfigError: the loss is no longer a number.
        """
        start = time.monotonic()
        losses = self._run.train_steps(
            self._run.batches, tf.constant(first, tf.int64), tf.constant(count)
        ).numpy()
        seconds = time.monotonic() - start
        if not np.isfinite(losses).all():
            at = first + int(np.argmin(np.isfinite(losses)))
            raise ConfigError(
                f"the loss of step {at} is {losses[at - first]}: lower "
                "optimizer.learning_rate; the last checkpoint is from before"
            )
        self._losses.append(losses)
        self._seconds += seconds
        self._stretch = (self._stretch[0] + count, self._stretch[1] + seconds)
        if (first + count) % self._run.config.train.log_every_steps == 0:
            self._log(first + count)
        return f"loss {losses.mean():.4f}"

    def _log(self, step: int) -> None:
        count, seconds = self._stretch
        self._stretch = (0, 0.0)
        recent = np.concatenate(self._losses)[-count:]
        self._run.monitor.training(
            step,
            loss=float(recent.mean()),
            rate=float(self._run.schedule(step - 1)),
            images_per_second=count * self._run.config.data.global_batch_size / seconds,
        )

    def summary(self, step: int) -> Summary:
        images = (step - self._first) * self._run.config.data.global_batch_size
        return Summary(
            step=step,
            epochs=step // self._run.per_epoch,
            best_auc=float(self._run.progress.best_auc.numpy()),
            best_step=int(self._run.progress.best_step.numpy()),
            losses=np.concatenate(self._losses) if self._losses else np.zeros([0], np.float32),
            seconds=self._seconds,
            images_per_second=images / self._seconds if self._seconds else math.nan,
        )
