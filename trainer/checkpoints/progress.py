# SPDX-License-Identifier: MIT
"""How far a run is, beside its weights."""

import dataclasses
import math


@dataclasses.dataclass
class Progress:
    """How far a run is, beside its weights; a checkpoint holds every field.

    Attributes:
        step: optimiser steps done; epoch and position in the data follow from it.
        best_auc: validation mean AUC of the best network so far (`train.monitor`); -1 before the
            first evaluation.
        best_loss: its validation loss; infinite before that, and where older versions chose it.
        best_step: the step that reached it.
        stale_epochs: epochs since then, without those of a frozen phase at its own rate.
        plateau_epochs: epochs without a better network since the rate was last lowered; likewise.
        rate_factor: what the schedule's rate is multiplied by.
        loss_scale: see `optimizer.LossScale`.
        good_steps: likewise.
        skipped_steps: likewise.
        course_start: see `course.Course`; likewise.
        course_end: likewise; 0 where nothing was planned yet, as by older versions.
        course_rate: likewise.
        verified_step: steps that a verified step has vouched for (`runtime.verify_every_steps`);
            -1 for none.
    """

    step: int = 0
    best_auc: float = -1.0
    best_loss: float = math.inf
    best_step: int = 0
    stale_epochs: int = 0
    plateau_epochs: int = 0
    rate_factor: float = 1.0
    loss_scale: float = 1.0
    good_steps: int = 0
    skipped_steps: int = 0
    course_start: int = 0
    course_end: int = 0
    course_rate: float = 0.0
    verified_step: int = -1
