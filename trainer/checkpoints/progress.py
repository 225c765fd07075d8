# SPDX-License-Identifier: MIT
"""How far a run is, beside its weights."""

import dataclasses


@dataclasses.dataclass
class Progress:
    """How far a run is, beside its weights; a checkpoint holds every field.

    Attributes:
        step: optimiser steps done; epoch and position in the data follow from it.
        best_auc: best validation mean AUC so far; -1 before the first evaluation.
        best_step: the step that reached it.
        stale_epochs: epochs since then.
        plateau_epochs: epochs without a better AUC since the rate was last lowered.
        rate_factor: what the schedule's rate is multiplied by.
        loss_scale: see `optimizer.LossScale`.
        good_steps: likewise.
        skipped_steps: likewise.
        course_start: see `course.Course`; likewise.
        course_end: likewise; 0 where nothing was planned yet, as by older versions.
        course_rate: likewise.
    """

    step: int = 0
    best_auc: float = -1.0
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
