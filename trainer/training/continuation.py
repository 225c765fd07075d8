# SPDX-License-Identifier: MIT
"""Decides from where a run goes on, and on which course, when all processes are together."""

import dataclasses

from absl import logging

from preprocessing.contract.files import probe, storage
from preprocessing.contract.process import log
from trainer import course, foresight
from trainer.checkpoints import bundle, checkpoints
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.course import Course
from trainer.run import Run
from trainer.runfolder import notes
from trainer.training import starts


def announce(run: Run) -> bool:
    """Notes the start, and tries the folder once; returns whether the run has no checkpoint yet.

    From here on a restart is counted by the note.
    """
    folder = storage.join(run.output, checkpoints.FOLDER)
    steps = [bundle.step_of(path) for path in bundle.newest_first(folder)]
    if run.runtime.is_chief:
        starts.count(run.output, steps=steps, most=run.config.train.max_fruitless_starts)
        probe.check(folder, tensorflow=True)
    run.runtime.agreement.barrier()
    return not steps


def restore(run: Run, saver: Checkpoints) -> None:
    """Restores the checkpoint that the chief chose: each for itself might choose another one."""
    newest = -1
    if run.runtime.is_chief:
        saver.clean()
        newest = saver.newest()
    newest = run.runtime.agreement.chiefs(newest)
    if newest >= 0:
        path = saver.restore(newest)
        log.at_step(newest)
        logging.info(f"going on from {path}")


def begin(run: Run, progress: Progress, before: Config | None) -> None:
    """Plans the course of the run, and writes what the run is, now that all has been checked.

    Args:
        run: the run.
        progress: how far it is; the course goes into it.
        before: the settings of the start before this one, if there is a checkpoint.
    """
    config = run.config
    per_epoch = course.steps_per_epoch(run.manifest, config.data.global_batch_size)
    was = None
    if progress.course_end:
        was = Course(progress.course_start, progress.course_end, progress.course_rate)
    elif progress.step:
        # A checkpoint of an older version, whose run could not be extended.
        epochs = before.train.epochs if before else config.train.epochs
        was = Course(0, epochs * per_epoch, config.optimizer.learning_rate)
    known = progress.course_end or not progress.step
    now = course.plan(config, per_epoch=per_epoch, step=progress.step, before=was)
    if text := now.describe(was, config.optimizer.schedule):
        logging.info(text)
    progress.course_start, progress.course_end, progress.course_rate = dataclasses.astuple(now)
    run.ledger.trains(progress, per_epoch, run.runtime.replicas, run.runtime.topology.workers)
    if run.runtime.is_chief:
        if line := foresight.warning(config, per_epoch, run.manifest.stored_size):
            logging.warning(line)
        # What is under way is not whole.
        storage.delete(storage.join(run.output, notes.TRAINING))
        # Until a checkpoint tells the course, config.yaml alone does.
        if known:
            notes.declare(run.output, config, run.manifest)
