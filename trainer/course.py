# SPDX-License-Identifier: MIT
"""Says how long a run is, and how its learning rate goes on when it is given more epochs.

A cosine cannot be stretched once it is under way, since the steps behind it were taken on another
curve. When it has come to zero, a new one may begin (Loshchilov and Hutter, 2017, restart theirs
likewise). Every checkpoint has the stretch that it is on. Imports no TensorFlow.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.manifest import Manifest
from trainer.config import Config


@dataclasses.dataclass(frozen=True)
class Course:
    """A stretch of the learning rate's schedule.

    Attributes:
        start: its first step; 0 for the first stretch, which begins with the warm-up.
        end: the step at which the run is over, and a cosine at zero.
        rate: learning rate at its start, after the warm-up.
    """

    start: int
    end: int
    rate: float

    def describe(self, before: "Course | None", schedule: str) -> str:
        """Returns what a start should say of the rate; "" where all is as the settings say."""
        anew = schedule == "cosine" and before is not None and before.start != self.start
        if before is not None and before.end != self.end and not anew:
            return f"{self.end} steps instead of {before.end}: the learning rate goes on as it was"
        if self.start:
            return (
                f"the cosine came to zero at step {self.start}: a new one falls from a learning "
                f"rate of {self.rate:g} (optimizer.restart_rate) to zero at step {self.end}"
            )
        return ""


def plan(config: Config, *, per_epoch: int, step: int, before: Course | None) -> Course:
    """Returns the stretch that a start is on.

    Args:
        config: all settings.
        per_epoch: steps in an epoch.
        step: optimiser steps done.
        before: of the checkpoint that the start goes on from; None without one.

    Raises:
        ConfigError: fewer epochs than were done, or another end for a cosine that is under way.
    """
    total = config.train.epochs * per_epoch
    if before is None:
        return Course(0, total, config.optimizer.learning_rate)
    if total < step:
        done = math.ceil(step / per_epoch)
        raise ConfigError(
            f"train.epochs is {config.train.epochs}, and the run has done {step} steps of "
            f"{per_epoch} an epoch: set train.epochs to {done} or more, or train in a new --output"
        )
    # No cosine is under way before the phase with a rate of its own is over.
    free = config.optimizer.schedule != "cosine" or step <= own_phase(config, per_epoch)
    if total == before.end or free:
        return dataclasses.replace(before, end=total)
    if step < before.end:
        epochs = before.end // per_epoch
        patience = " and a larger train.patience_epochs" if config.train.patience_epochs else ""
        raise ConfigError(
            f"train.epochs is {config.train.epochs}, and the cosine of this run is under way: at "
            f"step {step} of {before.end}; go on with train.epochs={epochs}{patience} and raise it "
            "when that is done, or train in a new --output"
        )
    return Course(
        before.end, total, config.optimizer.restart_rate or config.optimizer.learning_rate
    )


def own_phase(config: Config, per_epoch: int) -> int:
    """Returns the steps of the frozen phase that has a learning rate of its own; 0 without one."""
    return config.train.frozen_epochs * per_epoch if config.optimizer.frozen_rate else 0


def turn(config: Config, *, per_epoch: int, step: int) -> str:
    """Returns what is to be said of the phase that begins with a step; "" where none does."""
    frozen, rate = config.train.frozen_epochs * per_epoch, config.optimizer.frozen_rate
    if frozen and step == 0:
        own = f", at a learning rate of {rate:g}" if rate else ""
        return f"the backbone is frozen up to step {frozen}, only the head learns{own}"
    if frozen and step == frozen:
        begins = ", and the schedule of the learning rate begins" if rate else ""
        return f"from step {step} on the backbone learns too{begins}"
    return ""


def steps_per_epoch(manifest: Manifest, global_batch: int) -> int:
    """Returns full batches in the train split; what is left over differs from epoch to epoch.

    Raises:
        ConfigError: not even one batch.
    """
    examples = manifest.splits["train"].examples
    if examples < global_batch:
        raise ConfigError(
            f"data.global_batch_size {global_batch} is larger than the train split "
            f"with {examples} examples: use {examples} or less"
        )
    return examples // global_batch


def is_over(note: Mapping[str, Any], config: Config, manifest: Manifest) -> bool:
    """Tells whether the note of a finished training says that these settings ask for no more."""
    steps, stale = note.get("steps"), note.get("stale_epochs")
    if not (isinstance(steps, int) and isinstance(note.get("best_validation_mean_auc"), float)):
        return False
    total = config.train.epochs * steps_per_epoch(manifest, config.data.global_batch_size)
    patience = config.train.patience_epochs
    return steps == total or (steps < total and isinstance(stale, int) and 0 < patience <= stale)


def describe_end(note: Mapping[str, Any], config: Config) -> str:
    """Says how far the training of a note came that `is_over`."""
    steps = f"{note['steps']} steps"
    if note.get("stale_epochs") and note["stale_epochs"] >= config.train.patience_epochs > 0:
        steps += f" (train.patience_epochs={config.train.patience_epochs} ended it)"
    step, auc = note.get("best_step"), f"{note['best_validation_mean_auc']:.4f}"
    if config.train.monitor == "loss":
        return f"training is complete: {steps}, best validation loss at step {step}, mean AUC {auc}"
    return f"training is complete: {steps}, best validation mean AUC {auc} at step {step}"
