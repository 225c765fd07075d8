# SPDX-License-Identifier: MIT
"""The stages that need TensorFlow: train, evaluate, export. Each is whole or runs again."""

import dataclasses
import os
import platform
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from preprocessing.contract import manifest as manifests
from preprocessing.contract import settings, storage
from preprocessing.contract.manifest import Manifest
from trainer import (
    checkpoints,
    dataset,
    export,
    integrity,
    loop,
    model,
    optimizer,
    predictions,
    runfolder,
    runtime,
)
from trainer.config import Config
from trainer.evaluation.auc import aurocs
from trainer.evaluation.predict import Scorer
from trainer.monitor import Monitor
from trainer.runtime import Runtime


@dataclasses.dataclass(frozen=True)
class Job:
    """What every stage works on: folders, settings, the data set's manifest and the devices."""

    data: str
    output: str
    config: Config
    manifest: Manifest
    runtime: Runtime


def connect(data: str, output: str, config: Config, manifest: Manifest) -> Job:
    """Connects to the devices and checks that the data set is whole.

    Raises:
        ConfigError: devices that are not here.
        DataError: shards that are missing or cut short.
    """
    running = runtime.connect(config.runtime, os.environ, config.seed)
    integrity.check_shards(data, manifest)
    return Job(data=data, output=output, config=config, manifest=manifest, runtime=running)


def train(job: Job) -> loop.Summary:
    """Trains a run to its end, from its newest checkpoint if it has one.

    Raises:
        ConfigError: settings or a checkpoint that cannot work.
        DataError: a shard that is damaged.
        StoppedError: SIGTERM; everything was saved.
    """
    started = time.time()
    damage = integrity.naming_damage(job.data, job.manifest)
    with damage, runtime.stop_requests() as should_stop:
        summary = _train(job, should_stop)
    if job.runtime.is_chief:
        runfolder.write_note(job.output, runfolder.TRAINING, _training_note(job, summary, started))
    return summary


def _train(job: Job, should_stop: Callable[[], bool]) -> loop.Summary:
    config, manifest = job.config, job.manifest
    integrity.check_validation(manifest)
    config.check_replicas(job.runtime.replicas)
    per_epoch = dataset.steps_per_epoch(manifest, config.data.global_batch_size)
    schedule = optimizer.Schedule(config.optimizer, config.train.epochs * per_epoch)
    progress = checkpoints.Progress.start()
    with job.runtime.strategy.scope():
        fresh = not checkpoints.newest_first(storage.join(job.output, checkpoints.FOLDER))
        network = _build(job, pretrained=fresh)
        adam = optimizer.build(
            schedule, epsilon=config.optimizer.epsilon, precision=job.runtime.precision
        )
        adam.build(network.network.trainable_variables)
    saver = checkpoints.Checkpoints(
        output=job.output,
        network=network.network,
        optimizer=adam,
        progress=progress,
        keep=config.train.keep_checkpoints,
        scratch="" if job.runtime.is_chief else tempfile.mkdtemp(),
    )
    if restored := saver.restore():
        print(f"going on from {restored}", flush=True)
    run = _assemble(
        job, network, adam, schedule=schedule, progress=progress, saver=saver, stop=should_stop
    )
    try:
        return loop.train(run)
    finally:
        # A run that is stopped or fails is the one whose last points somebody will look at.
        run.monitor.flush()


def evaluate(job: Job, splits: tuple[str, ...] = ("validation", "test")) -> str:
    """Scores validation and test with the best network and writes the predictions file.

    Returns:
        The path of the predictions file.
    """
    with job.runtime.strategy.scope():
        network = _build(job, pretrained=False)
    step, auc = checkpoints.restore_best(job.output, network.network)
    print(f"best network: step {step}, validation mean AUC {auc:.4f}", flush=True)
    scorer = _scorer(job, network.network)
    with integrity.naming_damage(job.data, job.manifest):
        parts = [scorer.predictions(split) for split in splits]
    path = storage.join(job.output, runfolder.PREDICTIONS)
    if job.runtime.is_chief:
        predictions.write(path, _concatenate(parts))
        note = {"step": step, "identity": runfolder.identity(job.config, job.manifest)}
        runfolder.write_note(job.output, runfolder.PREDICTIONS_NOTE, note)
    return path


def export_best(job: Job) -> str:
    """Exports the best network with what belongs to it.

    Returns:
        The SavedModel's folder.
    """
    keras.config.set_dtype_policy("float32")
    network = _build(job, pretrained=False)
    step, auc = checkpoints.restore_best(job.output, network.network)
    serving = export.Serving(
        network.network,
        findings=job.manifest.findings,
        stored_size=job.manifest.stored_size,
        data=job.config.data,
    )
    assets = {
        manifests.NAME: manifests.to_json(job.manifest),
        runfolder.CONFIG: settings.to_yaml(job.config),
    }
    report = storage.join(job.output, runfolder.REPORT)
    if storage.exists(report):
        assets["report.json"] = storage.read_text(report)
    folder = export.export(job.output, serving, assets=assets)
    runfolder.write_note(
        job.output,
        runfolder.EXPORT_NOTE,
        {
            "step": step,
            "validation_mean_auc": auc,
            "identity": runfolder.identity(job.config, job.manifest),
            "report_sha256": storage.sha256_of(report) if storage.exists(report) else "",
        },
    )
    return folder


def _assemble(
    job: Job,
    network: model.Model,
    adam: keras.optimizers.Optimizer,
    *,
    schedule: optimizer.Schedule,
    progress: checkpoints.Progress,
    saver: checkpoints.Checkpoints,
    stop: Callable[[], bool],
) -> loop.Run:
    config, manifest = job.config, job.manifest
    strategy = job.runtime.strategy
    scorer = _scorer(job, network.network)

    def validation_aucs() -> dict[str, float]:
        targets = scorer.truth("validation").targets
        labels = np.where(targets >= 0, targets, np.nan)
        return dict(zip(manifest.findings, aurocs(labels, scorer.score("validation")), strict=True))

    batches = dataset.train_batches(
        strategy,
        folder=job.data,
        manifest=manifest,
        config=config.data,
        seed=config.seed,
        start_step=int(progress.step.numpy()),
    )
    return loop.Run(
        config=config,
        train_steps=loop.make_train_steps(strategy, network, adam, config),
        batches=iter(batches),
        per_epoch=dataset.steps_per_epoch(manifest, config.data.global_batch_size),
        schedule=schedule,
        progress=progress,
        checkpoints=saver,
        monitor=Monitor(job.output if job.runtime.is_chief else ""),
        evaluate=validation_aucs,
        should_stop=stop,
    )


def _build(job: Job, *, pretrained: bool) -> model.Model:
    return model.build(
        job.config.model,
        image_size=job.config.data.image_size,
        findings=len(job.manifest.findings),
        pretrained=pretrained,
        prevalence=[
            job.manifest.splits["train"].prevalence[name] for name in job.manifest.findings
        ],
    )


def _scorer(job: Job, network: keras.Model) -> Scorer:
    return Scorer(
        job.runtime,
        network,
        folder=job.data,
        manifest=job.manifest,
        data=job.config.data,
        global_batch=job.config.evaluation_batch_size,
    )


def _concatenate(parts: list[predictions.Predictions]) -> predictions.Predictions:
    columns = ("ids", "patients", "splits", "labels", "scores")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return predictions.Predictions(findings=parts[0].findings, **joined)


def _training_note(job: Job, summary: loop.Summary, started: float) -> dict[str, Any]:
    return {
        "identity": runfolder.identity(job.config, job.manifest),
        "steps": summary.step,
        "epochs": summary.epochs,
        "best_step": summary.best_step,
        "best_validation_mean_auc": summary.best_auc,
        "seconds_since_last_start": round(time.time() - started, 1),
        "images_per_second": round(summary.images_per_second, 2) if len(summary.losses) else None,
        "strategy": job.runtime.topology.strategy,
        "replicas": job.runtime.replicas,
        "precision": job.runtime.precision,
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
    }
