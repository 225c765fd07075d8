# SPDX-License-Identifier: MIT
"""Puts a training run together out of its parts, and lets the loop drive it."""

import dataclasses
import functools
import os
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt

from trainer import course, limits
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.data import dataset, local_copy, soundness, teacher
from trainer.evaluation.auc import aurocs
from trainer.evaluation.calibration import known, log_losses
from trainer.monitoring import event_log, tuning
from trainer.monitoring.clock import CLOCK
from trainer.monitoring.monitor import Monitor
from trainer.monitoring.profiling import Profiler
from trainer.network import model
from trainer.network.scorer import Scorer
from trainer.run import Run
from trainer.runfolder import notes
from trainer.training import (
    augment_sheet,
    continuation,
    divergence,
    loop,
    optimizer,
    shortage,
    starts,
    step,
    steps,
)
from trainer.training.calls import LoopParts, Summary, Validation
from trainer.training.losses import positive_weights
from trainer.training.verification import Verification
from trainer.training.verified_step import VerifiedStep

# Pictures that TensorBoard shows with their scores, and as they are augmented.
_EXAMPLES, _AUGMENTED = 8, 4


@dataclasses.dataclass(frozen=True)
class _Parts:
    """What has variables."""

    network: model.Model
    average: keras.Model | None
    optimizer: keras.optimizers.Optimizer

    @property
    def scored(self) -> keras.Model:
        """What is validated, kept and exported."""
        return self.network.network if self.average is None else self.average


def train(run: Run, should_stop: Callable[[], bool]) -> Summary:
    """Trains to the end of the run.

    Raises:
        ConfigError: settings or a checkpoint that cannot work, or a loss that is not a number.
        ResourceError: no disk or memory, or a store that failed before the start was noted.
        StoppedError: `should_stop`, everything was saved; or a store failed for too long.
    """
    config = run.config
    soundness.check_validation(run.manifest)
    config.check_replicas(run.runtime.replicas)
    progress = Progress(loss_scale=config.optimizer.loss_scale)
    taught, fresh = teacher.load(run), continuation.announce(run)
    with starts.noted(), shortage.named(config, run.runtime.replicas, progress):
        with CLOCK.phase("build"):
            parts = _parts(run, pretrained=fresh)
        before = notes.described(run.output)
        saver = _saver(run, parts, progress, vouched=before is not None)
        with CLOCK.phase("restore"):
            continuation.restore(run, saver)
        continuation.begin(run, progress, before)
        if run.runtime.is_chief:
            tuning.report(progress.best_step, progress.best_auc, os.environ)
        loop_parts = _assemble(run, parts, progress, saver, should_stop, taught)
        try:
            summary = loop.train(loop_parts)
            # Nobody may look for the best network before the chief has written it.
            run.runtime.agreement.barrier()
            loop_parts.monitor.end(summary.step, summary.best)
            if run.runtime.is_chief:
                notes.declare(run.output, config, run.manifest)
            return summary
        finally:
            loop_parts.profiler.close()
            # The last points matter most where a run was stopped or failed.
            loop_parts.monitor.flush()


def _parts(run: Run, *, pretrained: bool) -> _Parts:
    network = run.build(pretrained=pretrained)
    average = None
    if run.config.optimizer.ema_decay:
        average = run.build(pretrained=False).network
        average.set_weights(network.network.get_weights())
    with run.runtime.strategy.scope():
        chosen = optimizer.build(run.config.optimizer)
        chosen.build(network.network.trainable_variables)
    return _Parts(network, average, chosen)


def _saver(run: Run, parts: _Parts, progress: Progress, *, vouched: bool) -> Checkpoints:
    return Checkpoints(
        output=run.output,
        network=parts.network.network,
        optimizer=parts.optimizer,
        average=parts.average,
        progress=progress,
        record=run.record,
        vouched=vouched,
        keep=run.config.train.keep_checkpoints,
        keep_best=run.config.train.keep_best,
        writes=run.runtime.is_chief,
        guard=run.guard,
    )


def _assemble(
    run: Run,
    parts: _Parts,
    progress: Progress,
    saver: Checkpoints,
    should_stop: Callable[[], bool],
    taught: teacher.Teacher | None,
) -> LoopParts:
    config = run.config
    folder = local_copy.local_copy(run.data, run.manifest, config.data.cache)
    log = event_log.folder_of(run.output, os.environ) if run.runtime.is_chief else ""
    monitor = Monitor(log, further=run.ledger.scalars)
    monitor.begin(progress.step, config=config, manifest=run.manifest)
    if run.runtime.is_chief and progress.step == 0:
        pictures = dataset.read_pictures(folder, run.manifest, "train", _AUGMENTED)
        monitor.augmented(augment_sheet.sheet(pictures, config))
    verifying = _verification(run, parts, progress, saver)
    batches = dataset.train_batches(
        run.runtime.strategy,
        folder=folder,
        manifest=run.manifest,
        config=config.data,
        seed=config.seed,
        start_step=progress.step,
        parts=config.train.accumulation_steps,
        teacher=taught,
    )
    return LoopParts(
        config=config,
        steps=_compiled(run, parts, _schedule(run, progress), verifying),
        batches=iter(batches),
        per_epoch=_per_epoch(run),
        schedule=_schedule(run, progress),
        progress=progress,
        checkpoints=saver,
        monitor=monitor,
        profiler=Profiler(log, limits.span(config.train.profile_steps)),
        evaluate=_validation(run, run.scorer(parts.scored, folder), monitor, folder),
        explain=functools.partial(divergence.in_run, run, saver),
        should_stop=should_stop,
        alone=run.runtime.topology.workers == 1,
        peers=run.runtime.peers,
        outlook=run.outlook,
        verify=verifying.check if verifying else lambda first, count: None,
    )


def _verification(
    run: Run, parts: _Parts, progress: Progress, saver: Checkpoints
) -> Verification | None:
    if not run.config.runtime.verify_every_steps:
        return None
    return Verification(run, parts.network, saver, progress, _per_epoch(run))


def _per_epoch(run: Run) -> int:
    return course.steps_per_epoch(run.manifest, run.config.data.global_batch_size)


def _schedule(run: Run, progress: Progress) -> optimizer.Schedule:
    return optimizer.Schedule(
        run.config.optimizer,
        progress.course_end,
        start=progress.course_start,
        rate=progress.course_rate,
        phase=course.own_phase(run.config, _per_epoch(run)),
    )


def _compiled(
    run: Run, parts: _Parts, schedule: optimizer.Schedule, verifying: Verification | None
) -> Callable[[bool], steps.Steps]:
    """Returns what takes steps while the backbone is frozen (True), and what does after that."""
    train = run.manifest.splits["train"]
    weights = positive_weights(run.config.loss, train, run.manifest.findings)

    @functools.cache
    def phase(frozen: bool) -> steps.Steps:
        make = functools.partial(VerifiedStep, verifying) if verifying else step.Step
        one = make(
            run.runtime.strategy,
            parts.network,
            parts.optimizer,
            run.config,
            average=parts.average,
            frozen=frozen,
            positive_weights=weights,
        )
        return steps.make_steps(one, schedule)

    return phase


def _validation(
    run: Run, scored: Scorer, monitor: Monitor, folder: str
) -> Callable[[int], Validation]:
    """Returns what scores the validation split, and logs it."""

    @functools.cache
    def pictures() -> npt.NDArray[np.uint8]:
        return dataset.read_pictures(folder, run.manifest, "validation", _EXAMPLES)

    def evaluate(at: int) -> Validation:
        truth = scored.truth("validation")
        labels = np.where(truth.targets >= 0, truth.targets, np.nan)
        scores = scored.score("validation")
        aucs = dict(zip(run.manifest.findings, aurocs(labels, scores), strict=True))
        loss = float(log_losses(*known(labels, scores)).mean())
        if run.runtime.is_chief:
            mean = float(np.nanmean(list(aucs.values())))
            tuning.report(at, mean, os.environ)
            monitor.validation(
                at,
                mean_auc=mean,
                loss=loss,
                aucs=aucs,
                labels=labels,
                scores=scores,
                ids=truth.ids.tolist(),
                pixels=pictures(),
            )
        return Validation(aucs, loss)

    return evaluate
