# SPDX-License-Identifier: MIT
"""Says what to change when host or accelerator run out of memory while a run is trained."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from preprocessing.contract.errors import ConfigError, JobError, OutOfMemoryError, ResourceError
from preprocessing.contract.files import faults
from trainer.checkpoints.progress import Progress
from trainer.config import Config


@contextlib.contextmanager
def named(config: Config, replicas: int, progress: Progress) -> Iterator[None]:
    """Names the settings that decide how much memory a block takes.

    Raises:
        ConfigError: memory ran out before any step was done: settings too large for the device.
        ResourceError: it ran out later, after the same settings had worked.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        explained = faults.explain(error)
        if not isinstance(explained, OutOfMemoryError):  # a disk can be exhausted, too
            raise
        raise _said(str(explained), config, replicas, progress.step) from error


def _said(sentence: str, config: Config, replicas: int, step: int) -> JobError:
    if step:
        return ResourceError(
            f"{sentence}, after {step} steps for which it sufficed: see what else uses it, and run "
            "the same command again; if it happened while scoring, lower "
            "evaluation.global_batch_size"
        )
    share = config.data.global_batch_size // replicas
    now = config.train.accumulation_steps
    larger = [parts for parts in range(now + 1, share + 1) if share % parts == 0]
    advice = "lower data.image_size"
    if larger:
        shown = ", ".join(map(str, larger[:3]))
        advice = (
            f"raise train.accumulation_steps from {now} to {shown}{' ...' if larger[3:] else ''} "
            f"(it must divide a replica's share of the batch, {share}), or {advice}"
        )
    return ConfigError(f"{sentence} before any step was done: {advice}, or take a larger device")
