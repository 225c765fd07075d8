# SPDX-License-Identifier: MIT
"""Puts a training run together out of its parts, and lets the loop drive it."""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping

import keras
import numpy as np
import numpy.typing as npt

from preprocessing.contract.files import storage
from trainer import course, limits
from trainer.checkpoints import bundle, checkpoints, earlier
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.data import dataset, integrity, local_copy
from trainer.evaluation.auc import aurocs
from trainer.monitoring import log_folder
from trainer.monitoring.monitor import Monitor
from trainer.monitoring.profiling import Profiler
from trainer.network import model
from trainer.network.scorer import Scorer
from trainer.run import Job
from trainer.runfolder import notes
from trainer.training import (
    continuation,
    divergence,
    fruitless_starts,
    loop,
    multistep,
    optimizer,
    shortage,
    step,
)
from trainer.training.calls import Run, Summary

# Pictures that TensorBoard shows with their scores.
_EXAMPLES = 8


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


def train(job: Job, should_stop: Callable[[], bool]) -> Summary:
    """Trains to the end of the run.

    Raises:
        ConfigError: settings or a checkpoint that cannot work, or a loss that is not a number.
        ResourceError: no disk or memory, or a store that failed before the start was noted.
        StoppedError: `should_stop`, everything was saved; or a store failed for too long.
    """
    config = job.config
    integrity.check_validation(job.manifest)
    config.check_replicas(job.runtime.replicas)
    progress = Progress(loss_scale=config.optimizer.loss_scale)
    fresh = continuation.announce(job)
    with fruitless_starts.noted(), shortage.named(config, job.runtime.replicas, progress):
        parts = _parts(job, pretrained=fresh)
        before = notes.described(job.output)
        saver = Checkpoints(
            output=job.output,
            network=parts.network.network,
            optimizer=parts.optimizer,
            average=parts.average,
            progress=progress,
            record=job.record,
            vouched=before is not None,
            keep=config.train.keep_checkpoints,
            keep_best=config.train.keep_best,
            writes=job.runtime.is_chief,
            guard=job.guard,
        )
        continuation.restore(job, saver)
        continuation.begin(job, progress, before)
        run = _assemble(job, parts, progress, saver, should_stop)
        try:
            summary = loop.train(run)
            # Nobody may look for the best network before the chief has written it.
            job.runtime.agreement.barrier()
            best = {"best/mean_auc": summary.best_auc, "best/step": float(summary.best_step)}
            run.monitor.end(summary.step, best)
            if job.runtime.is_chief:
                notes.declare(job.output, config, job.manifest)
            return summary
        finally:
            run.profiler.close()
            # A run that is stopped or fails is the one whose last points somebody will look at.
            run.monitor.flush()


def build(job: Job, *, pretrained: bool, distributed: bool = True) -> model.Model:
    """Builds the network of a run.

    Args:
        job: the run.
        pretrained: whether to load the weights that training starts from.
        distributed: False for a network of this process alone.
    """
    prevalence = job.manifest.splits["train"].prevalence
    from_run = earlier.is_run(job.config.model.weights)
    with model.seeded(job.config.seed):
        built = model.build(
            job.config.model,
            image_size=job.config.data.image_size,
            findings=len(job.manifest.findings),
            pretrained=pretrained and not from_run,
            prevalence=[prevalence[name] for name in job.manifest.findings],
            strategy=job.runtime.strategy if distributed else None,
        )
    if pretrained and from_run:
        print(earlier.fill(built.network, job.config.model, job.manifest), flush=True)
    return built


def scorer(job: Job, network: keras.Model, folder: str = "") -> Scorer:
    """Returns what scores splits, which lie in the data set or in a copy of it."""
    return Scorer(
        job.runtime,
        network,
        folder=folder or job.data,
        manifest=job.manifest,
        data=job.config.data,
        global_batch=job.config.evaluation_batch_size,
    )


def _parts(job: Job, *, pretrained: bool) -> _Parts:
    network = build(job, pretrained=pretrained)
    average = None
    if job.config.optimizer.ema_decay:
        average = build(job, pretrained=False).network
        average.set_weights(network.network.get_weights())
    with job.runtime.strategy.scope():
        chosen = optimizer.build(job.config.optimizer)
        chosen.build(network.network.trainable_variables)
    return _Parts(network, average, chosen)


def _assemble(
    job: Job,
    parts: _Parts,
    progress: Progress,
    saver: Checkpoints,
    should_stop: Callable[[], bool],
) -> Run:
    config, strategy = job.config, job.runtime.strategy
    folder = local_copy.local_copy(job.data, job.manifest, config.data.cache)
    size = config.data.global_batch_size
    per_epoch = course.steps_per_epoch(job.manifest, size)
    schedule = optimizer.Schedule(
        config.optimizer,
        progress.course_end,
        start=progress.course_start,
        rate=progress.course_rate,
    )

    log = log_folder.folder_of(job.output, os.environ) if job.runtime.is_chief else ""
    monitor = Monitor(log)
    monitor.begin(progress.step, config=config, manifest=job.manifest)
    batches = dataset.train_batches(
        strategy,
        folder=folder,
        manifest=job.manifest,
        config=config.data,
        seed=config.seed,
        start_step=progress.step,
        parts=config.train.accumulation_steps,
    )
    return Run(
        config=config,
        steps=functools.cache(functools.partial(_steps, job, parts, schedule)),
        batches=iter(batches),
        per_epoch=per_epoch,
        schedule=schedule,
        progress=progress,
        checkpoints=saver,
        monitor=monitor,
        profiler=Profiler(log, limits.span(config.train.profile_steps)),
        evaluate=_validation(job, scorer(job, parts.scored, folder), monitor, folder),
        explain=functools.partial(_explain, job, saver),
        should_stop=should_stop,
        alone=job.runtime.topology.workers == 1,
    )


def _steps(job: Job, parts: _Parts, schedule: optimizer.Schedule, frozen: bool) -> multistep.Steps:
    strategy, config = job.runtime.strategy, job.config
    one = step.Step(
        strategy, parts.network, parts.optimizer, config, average=parts.average, frozen=frozen
    )
    return multistep.make_steps(strategy, one, schedule, config.data.global_batch_size)


def _validation(
    job: Job, scored: Scorer, monitor: Monitor, folder: str
) -> Callable[[int], Mapping[str, float]]:
    """Returns what scores the validation split, logs it, and gives each finding's AUC."""
    findings = job.manifest.findings

    @functools.cache
    def pictures() -> npt.NDArray[np.uint8]:
        return dataset.read_pictures(folder, job.manifest, "validation", _EXAMPLES)

    def evaluate(at: int) -> Mapping[str, float]:
        truth = scored.truth("validation")
        labels = np.where(truth.targets >= 0, truth.targets, np.nan)
        scores = scored.score("validation")
        aucs = dict(zip(findings, aurocs(labels, scores), strict=True))
        if job.runtime.is_chief:
            count = len(pictures())
            monitor.examples(
                at,
                ids=truth.ids[:count].tolist(),
                pixels=pictures(),
                labels=labels[:count],
                scores=scores[:count],
                findings=findings,
            )
            mean = float(np.nanmean(list(aucs.values())))
            monitor.validation(at, mean_auc=mean, aucs=aucs, labels=labels, scores=scores)
        return aucs

    return evaluate


def _explain(
    job: Job, saver: Checkpoints, at: int, loss: float, losses: npt.NDArray[np.float32]
) -> Exception:
    saver.wait()
    kept = bundle.newest_first(storage.join(job.output, checkpoints.FOLDER))
    ids = dataset.ids_of_step(
        job.data, job.manifest, job.config.data, seed=job.config.seed, step=at
    )
    return divergence.explain(
        job.output,
        step=at,
        loss=loss,
        ids=ids,
        losses=losses,
        checkpoint=kept[0] if kept else "",
        writes=job.runtime.is_chief,
    )
