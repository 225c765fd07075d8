# SPDX-License-Identifier: MIT
"""The stages that need TensorFlow: train, evaluate, export. Each is whole or runs again."""

import contextlib
import functools
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from preprocessing.contract import manifest as manifests
from preprocessing.contract.errors import DataError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process import log
from preprocessing.contract.process.stopping import StopRequests
from preprocessing.contract.settings import settings
from trainer import host
from trainer.checkpoints import bundle, checkpoints
from trainer.config import Config
from trainer.data import dataset, integrity, metadata_of_shards
from trainer.distribution import agreement, runtime
from trainer.explanation import heat_maps
from trainer.monitoring.clock import CLOCK
from trainer.monitoring.pulse import PULSE
from trainer.predictions import table
from trainer.report import model_card, serving
from trainer.run import Run
from trainer.runfolder import notes
from trainer.serving import export, familiarity_fit, names
from trainer.serving.signatures import Serving
from trainer.training import assembly
from trainer.training.calls import Summary


def connect(data: str, output: str, config: Config, manifest: Manifest, stops: StopRequests) -> Run:
    """Connects to the devices and checks that the data set is whole.

    Raises:
        ConfigError: devices that are not here, or processes with unequal settings.
        DataError: shards that are missing or cut short.
        StoppedError: another process of the run was lost meanwhile.
    """
    with CLOCK.phase("cluster"):
        running = runtime.connect(config.runtime, os.environ, config.seed)
    if running.peers.hosts:
        PULSE.replicas = running.replicas // running.topology.workers
        stops.renew()
        logging.info(
            f"{running.topology.workers} workers came together, with {running.replicas} replicas",
            extra=log.EVERYONE,
        )
    run = Run(data, output, config, manifest, running, stops)
    everything = f"{settings.to_yaml(config)} {manifest.identity} {output}"
    running.agreement.check_equal("settings, data or folder", everything)
    integrity.check_shards(data, manifest)
    return run


def alone(data: str, output: str, config: Config, manifest: Manifest, stops: StopRequests) -> Run:
    """Returns what a stage works on that needs no other process and no accelerator."""
    strategy = tf.distribute.get_strategy()
    running = runtime.Runtime(runtime.Topology("one_device"), strategy, "float32")
    return Run(data, output, config, manifest, running, stops)


@contextlib.contextmanager
def _watched(run: Run) -> Iterator[None]:
    """Gives names to what can go wrong while shards are read and peers are waited for."""
    with (
        agreement.naming_lost_peers(run.runtime.peers),
        integrity.naming_damage(run.data, run.manifest, run.config.data.cache),
        faults.explained(),
    ):
        yield


def train(run: Run) -> Summary:
    """Trains a run to its end, from its newest checkpoint if it has one.

    Raises:
        ConfigError: settings or a checkpoint that cannot work.
        DataError: a shard that is damaged.
        StoppedError: SIGTERM, after everything was saved; or another process was lost.
    """
    started = time.time()
    if not bundle.newest_first(storage.join(run.output, checkpoints.FOLDER)):
        with CLOCK.phase("check"):
            _check_contents(run)
    with _watched(run), run.stops.held() as should_stop:
        summary = assembly.train(run, should_stop)
    log.at_step(None)
    if run.runtime.is_chief:
        run.guard()
        notes.write_note(run.output, notes.TRAINING, _training_note(run, summary, started))
    return summary


def _check_contents(run: Run) -> None:
    """Reads the whole data set once a run, which a restart should not wait for."""
    own = run.runtime.topology
    integrity.check_contents(run.data, run.manifest, process=own.worker, processes=own.workers)
    if run.runtime.is_chief:
        with integrity.naming_damage(run.data, run.manifest):
            dataset.read_truth(run.data, run.manifest, "validation")


def evaluate(run: Run, splits: tuple[str, ...] = ("validation", "test")) -> str:
    """Scores validation and test with the best network and writes the predictions file.

    In float32 whatever the training precision, like the SavedModel: thresholds and calibration are
    chosen on these scores. Beside them lies what the settings ask for: heat maps and pictures of
    test images.

    Returns:
        The path of the predictions file.
    """
    step, made = _scored(run, splits)
    path = storage.join(run.output, notes.PREDICTIONS)
    if run.runtime.is_chief:
        run.guard()
        table.write(path, made)
        metadata_of_shards.write(run.data, run.manifest, run.output)
        _explain(run, made.select("test"))
        note = notes.predictions_note(run.config, run.manifest, step)
        note[notes.SHA256] = storage.sha256_of(path)
        notes.write_note(run.output, notes.PREDICTIONS_NOTE, note)
    return path


def score_split(run: Run, split: str) -> str:
    """Scores one split as `evaluate` does and writes `predictions/SPLIT.csv`, and nothing else.

    What lies there is deleted first, since a worker that lost the chief takes it as written.

    Returns:
        The path of the file.
    """
    path = storage.join(run.output, notes.predictions_of(split))
    if run.runtime.is_chief:
        run.guard()
        storage.delete(path)
    _, made = _scored(run, (split,))
    if run.runtime.is_chief:
        run.guard()
        table.write(path, made)
    return path


def _scored(run: Run, splits: tuple[str, ...]) -> tuple[int, table.Predictions]:
    """Returns the best network's step and its scores of splits, the same in every process."""
    with CLOCK.phase("evaluation"), _watched(run), _in_float32():
        network = run.build(pretrained=False)
        step, auc = checkpoints.restore_best(run.output, network.network)
        by = run.config.train.monitor.replace("auc", "AUC")
        logging.info(f"best network by validation {by}: step {step}, mean AUC {auc:.4f}")
        views = run.config.evaluation.views
        logging.info(f"scores are the mean over evaluation.views={views}")
        scorer = run.scorer(network.network, views=views)
        return step, table.concatenated([scorer.predictions(split) for split in splits])


def _explain(run: Run, scored: table.Predictions) -> None:
    """Leaves heat maps beside the predictions, by a network of this process alone in float32."""
    damage = integrity.naming_damage(run.data, run.manifest)
    with CLOCK.phase("evaluation"), damage, _in_float32():
        heat_maps.write(run, scored)


@contextlib.contextmanager
def _in_float32() -> Iterator[None]:
    """Computes in float32, on a GPU too, where TensorFlow would shorten factors to 19 bits."""
    policy, config = keras.config.dtype_policy(), tf.config.experimental
    was_shortened = config.tensor_float_32_execution_enabled()
    keras.config.set_dtype_policy("float32")
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        config.enable_tensor_float_32_execution(was_shortened)


def export_best(run: Run, *, onnx: bool = False) -> str:
    """Exports the best network with what belongs to it, as ONNX too if asked.

    Returns:
        The SavedModel's folder.
    """
    keras.config.set_dtype_policy("float32")
    network = run.build(pretrained=False, distributed=False)
    step, auc = checkpoints.restore_best(run.output, network.network)
    report = storage.join(run.output, notes.REPORT)
    views = run.config.evaluation.views
    about: dict[str, Any] = {"identity": run.identity, "step": step, "auc": auc, "views": views}
    about["monitor"] = run.config.train.monitor
    card = functools.partial(model_card.text, run.manifest, **about)
    chosen = _chosen_on_validation(report, card, views)
    familiarity, about_familiarity = familiarity_fit.fit(run, network)
    served = Serving(
        network,
        findings=tuple(run.manifest.findings),
        stored_size=run.manifest.stored_size,
        encoding=run.manifest.encoding,
        data=run.config.data,
        thresholds=json.loads(chosen.get(names.THRESHOLDS, "{}")),
        calibration=json.loads(chosen.get(names.CALIBRATION, "{}")),
        familiarity=familiarity,
        views=views,
    )
    assets = {
        manifests.NAME: manifests.to_json(run.manifest),
        notes.CONFIG: settings.to_yaml(run.config),
        **(chosen | {names.FAMILIARITY: about_familiarity}),
    }
    run.guard()
    folder = export.export(run.output, served, manifest=run.manifest, assets=assets, onnx=onnx)
    note = notes.export_note(run.config, run.manifest, step, notes.report_sha256(run.output))
    notes.write_note(run.output, notes.EXPORT_NOTE, note | {"validation_mean_auc": auc})
    return folder


def _chosen_on_validation(report: str, card: Callable[..., str], views: str) -> dict[str, str]:
    """Returns a report, the files that a SavedModel takes along of it, and the model's card."""
    if not storage.exists(report):
        return {model_card.NAME: card(None)}
    try:
        text = storage.read_text(report)
        content = json.loads(text)
        serving.check_views(content, views)
        kept = {"report.json": text, **serving.assets(content)}
        return kept | {model_card.NAME: card(content)}
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{report} is damaged: make it again (--mode=report)") from error


def _training_note(run: Run, summary: Summary, started: float) -> dict[str, Any]:
    return {
        "identity": run.identity,
        "steps": summary.step,
        "epochs": summary.epochs,
        "best_step": summary.best_step,
        "best_validation_mean_auc": summary.best_auc,
        "best_validation_loss": summary.best_loss if math.isfinite(summary.best_loss) else None,
        "monitor": run.config.train.monitor,
        "stale_epochs": summary.stale_epochs,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds_since_last_start": round(time.time() - started, 1),
        "images_per_second": round(summary.images_per_second, 2) if len(summary.losses) else None,
        "strategy": run.runtime.topology.strategy,
        "replicas": run.runtime.replicas,
        "precision": run.runtime.precision,
        **(run.ledger.note() | host.describe()),
    }
