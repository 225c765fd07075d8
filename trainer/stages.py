# SPDX-License-Identifier: MIT
"""The stages that need TensorFlow: train, evaluate, export. Each is whole or runs again."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process.stopping import StopRequests
from preprocessing.contract.settings import settings
from trainer import host
from trainer.checkpoints import bundle, checkpoints
from trainer.config import Config
from trainer.data import dataset, integrity, metadata_of_shards
from trainer.distribution import agreement, runtime
from trainer.explanation import heat_maps
from trainer.predictions import table
from trainer.report import serving
from trainer.run import Job
from trainer.runfolder import notes
from trainer.serving import export
from trainer.training import assembly, loop


def connect(data: str, output: str, config: Config, manifest: Manifest, stops: StopRequests) -> Job:
    """Connects to the devices and checks that the data set is whole.

    Raises:
        ConfigError: devices that are not here, or processes with unequal settings.
        DataError: shards that are missing or cut short.
        StoppedError: another process of the run was lost meanwhile.
    """
    running = runtime.connect(config.runtime, os.environ, config.seed)
    if running.peers.hosts:
        stops.renew()
    job = Job(data, output, config, manifest, running, stops)
    with agreement.naming_lost_peers(running.peers):
        everything = f"{settings.to_yaml(config)} {manifest.identity} {output}"
        running.agreement.check_equal("settings, data or folder", everything)
    integrity.check_shards(data, manifest)
    return job


def alone(data: str, output: str, config: Config, manifest: Manifest, stops: StopRequests) -> Job:
    """Returns what a stage works on that needs no other process and no accelerator."""
    strategy = tf.distribute.get_strategy()
    running = runtime.Runtime(runtime.Topology("one_device"), strategy, "float32")
    return Job(data, output, config, manifest, running, stops)


@contextlib.contextmanager
def _watched(job: Job) -> Iterator[None]:
    """Gives names to what can go wrong while shards are read and peers are waited for."""
    with (
        agreement.naming_lost_peers(job.runtime.peers),
        integrity.naming_damage(job.data, job.manifest, job.config.data.cache),
        faults.told(),
    ):
        yield


def train(job: Job) -> loop.Summary:
    """Trains a run to its end, from its newest checkpoint if it has one.

    Raises:
        ConfigError: settings or a checkpoint that cannot work.
        DataError: a shard that is damaged.
        StoppedError: SIGTERM, after everything was saved; or another process was lost.
    """
    started = time.time()
    if not bundle.newest_first(storage.join(job.output, checkpoints.FOLDER)):
        _check_contents(job)
    with _watched(job), job.stops.held() as should_stop:
        summary = assembly.train(job, should_stop)
    if job.runtime.is_chief:
        job.guard()
        notes.write_note(job.output, notes.TRAINING, _training_note(job, summary, started))
    return summary


def _check_contents(job: Job) -> None:
    """Reads the whole data set once a run, which a restart should not wait for."""
    own = job.runtime.topology
    integrity.check_contents(job.data, job.manifest, process=own.worker, processes=own.workers)
    if job.runtime.is_chief:
        with integrity.naming_damage(job.data, job.manifest):
            dataset.read_truth(job.data, job.manifest, "validation")


def evaluate(job: Job, splits: tuple[str, ...] = ("validation", "test")) -> str:
    """Scores validation and test with the best network and writes the predictions file.

    Beside it lies what the settings ask for: heat maps and pictures of test images.

    Returns:
        The path of the predictions file.
    """
    with _watched(job):
        network = assembly.build(job, pretrained=False)
        step, auc = checkpoints.restore_best(job.output, network.network)
        print(f"best network: step {step}, validation mean AUC {auc:.4f}", flush=True)
        scorer = assembly.scorer(job, network.network)
        parts = [scorer.predictions(split) for split in splits]
    path = storage.join(job.output, notes.PREDICTIONS)
    if job.runtime.is_chief:
        made = _concatenate(parts)
        job.guard()
        table.write(path, made)
        metadata_of_shards.write(job.data, job.manifest, job.output)
        _explain(job, made.select("test"))
        note = notes.predictions_note(job.config, job.manifest, step)
        note[notes.SHA256] = storage.sha256_of(path)
        notes.write_note(job.output, notes.PREDICTIONS_NOTE, note)
    return path


def _explain(job: Job, scored: table.Predictions) -> None:
    """Leaves heat maps beside the predictions, by a network of this process alone in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        with integrity.naming_damage(job.data, job.manifest):
            heat_maps.write(job, scored)
    finally:
        keras.config.set_dtype_policy(before)


def export_best(job: Job) -> str:
    """Exports the best network with what belongs to it.

    Returns:
        The SavedModel's folder.
    """
    keras.config.set_dtype_policy("float32")
    network = assembly.build(job, pretrained=False, distributed=False)
    step, auc = checkpoints.restore_best(job.output, network.network)
    served = export.Serving(
        network.network,
        findings=job.manifest.findings,
        stored_size=job.manifest.stored_size,
        data=job.config.data,
    )
    assets = {
        manifests.NAME: manifests.to_json(job.manifest),
        notes.CONFIG: settings.to_yaml(job.config),
    }
    report = storage.join(job.output, notes.REPORT)
    if storage.exists(report):
        try:
            text = storage.read_text(report)
            assets |= {"report.json": text, **serving.assets(json.loads(text))}
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{report} is damaged: make it again (--mode=report)") from error
    job.guard()
    folder = export.export(job.output, served, assets=assets)
    notes.write_note(
        job.output,
        notes.EXPORT_NOTE,
        {
            "step": step,
            "validation_mean_auc": auc,
            "identity": job.identity,
            "report_sha256": storage.sha256_of(report) if storage.exists(report) else "",
        },
    )
    return folder


def _concatenate(parts: list[table.Predictions]) -> table.Predictions:
    columns = ("ids", "patients", "splits", "labels", "scores")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return table.Predictions(findings=parts[0].findings, **joined)


def _training_note(job: Job, summary: loop.Summary, started: float) -> dict[str, Any]:
    return {
        "identity": job.identity,
        "steps": summary.step,
        "epochs": summary.epochs,
        "best_step": summary.best_step,
        "best_validation_mean_auc": summary.best_auc,
        "stale_epochs": summary.stale_epochs,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds_since_last_start": round(time.time() - started, 1),
        "images_per_second": round(summary.images_per_second, 2) if len(summary.losses) else None,
        "strategy": job.runtime.topology.strategy,
        "replicas": job.runtime.replicas,
        "precision": job.runtime.precision,
        **host.describe(),
    }


def chiefs(job: Job, answer: bool) -> bool:
    """Returns what the chief of the run answered."""
    with agreement.naming_lost_peers(job.runtime.peers):
        return bool(job.runtime.agreement.chiefs(int(answer)))


def end(job: Job) -> None:
    """Returns when every process of the run has come here."""
    with agreement.naming_lost_peers(job.runtime.peers):
        job.runtime.agreement.barrier()
