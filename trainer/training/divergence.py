# SPDX-License-Identifier: MIT
"""Names what a training step broke on: the step, its examples, the last checkpoint before it."""

import json

import numpy as np
import numpy.typing as npt

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from trainer import limits
from trainer.checkpoints import bundle, checkpoints
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.data import dataset
from trainer.run import Run

NOTE = "diverged.json"
_SHOWN = 3


class DivergedError(ConfigError):
    """A loss that is not a number, or far too large (exit 78); a notice names no examples."""

    event = "divergence"


def explain(
    output: str,
    *,
    step: int,
    loss: float,
    ids: list[str],
    losses: npt.NDArray[np.float32],
    checkpoint: str,
    writes: bool,
) -> ConfigError:
    """Returns the error to stop a run with, and notes every example of the step.

    Args:
        output: folder of the run, where the note is written.
        step: the step, counted from 0.
        loss: its loss, in nats.
        ids: of the examples in its batch, by position.
        losses: float32 [examples]; loss of each, in nats.
        checkpoint: the newest checkpoint; empty for none.
        writes: whether this process is the one that writes.
    """
    # Those that are no number first, then the largest.
    order = np.lexsort([-np.nan_to_num(losses), np.isfinite(losses)])
    ranked = [{"id": ids[at], "loss": str(losses[at])} for at in order]
    if writes:
        note = {"step": step, "loss": str(loss), "checkpoint": checkpoint, "examples": ranked}
        text = json.dumps(note, indent=2) + "\n"
        storage.write_text(storage.join(output, NOTE), text, private=True)
    worst = ", ".join(f"{one['id']} ({one['loss']})" for one in ranked[:_SHOWN])
    more = len(ranked) - _SHOWN
    listed = f"{worst} and {more} more" if more > 0 else worst
    kept = (
        f"the last checkpoint, {checkpoint}, is from before"
        if checkpoint
        else ("there is no checkpoint yet")
    )
    error = DivergedError(
        f"the loss of step {step} is {loss:.4g}, with examples {listed} (all are in "
        f"{storage.join(output, NOTE)}): lower optimizer.learning_rate, {limits.ELSEWHERE}, or "
        f"look at these images; {kept}"
    )
    error.notice = f"the loss of step {step} is {loss:.4g}; {kept}"
    return error


def in_run(
    run: Run, saver: Checkpoints, at: int, loss: float, losses: npt.NDArray[np.float32]
) -> ConfigError:
    """Returns the error for a step of a run, its number, its loss and that of each example."""
    saver.wait()
    kept = bundle.newest_first(storage.join(run.output, checkpoints.FOLDER))
    ids = dataset.ids_of_step(
        run.data, run.manifest, run.config.data, seed=run.config.seed, step=at
    )
    return explain(
        run.output,
        step=at,
        loss=loss,
        ids=ids,
        losses=losses,
        checkpoint=kept[0] if kept else "",
        writes=run.runtime.is_chief,
    )
