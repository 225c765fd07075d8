# SPDX-License-Identifier: MIT
"""Keeps the notes by which a restarted run knows what is done; imports no TensorFlow.

`config.yaml` holds the settings, written before training. Each stage leaves a note when it is
whole: `training.json`, `predictions/predictions.json`, `saved_model/assets.extra/export.json`. A
note names what the stage was made from, so that a stage runs again exactly when that changed.
"""

import hashlib
import json
from typing import Any

from preprocessing.contract import settings, storage
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.manifest import Manifest
from trainer.config import Config

CONFIG = "config.yaml"
TRAINING = "training.json"
PREDICTIONS = "predictions/predictions.csv"
PREDICTIONS_NOTE = "predictions/predictions.json"
REPORT = "report/report.json"
EXPORT_NOTE = "saved_model/assets.extra/export.json"

# Settings that may change between restarts: they decide where and how fast, not what.
_FREE = (
    "runtime.accelerator",
    "runtime.communication",
    "runtime.formation_seconds",
    "runtime.logical_cpus",
    "runtime.strategy",
    "runtime.tpu",
    "data.cache",
    "train.keep_best",
    "train.keep_checkpoints",
    "train.log_every_steps",
    "train.max_fruitless_starts",
    "train.max_loss",
    "train.profile_steps",
    "train.steps_per_call",
    "evaluation.bootstrap_resamples",
    "evaluation.gallery",
    "evaluation.global_batch_size",
    "evaluation.localisation",
)


def identity(config: Config, manifest: Manifest) -> str:
    """Returns a SHA-256 over all that decides the weights: settings and data."""
    flat = {name: value for name, value in settings.flat(config).items() if name not in _FREE}
    text = json.dumps([flat, manifest.identity], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def predictions_note(config: Config, manifest: Manifest, step: int | None) -> dict[str, Any]:
    """Returns the note of predictions by the best network, of a step, and of what lies beside."""
    return {
        "step": step,
        "identity": identity(config, manifest),
        "localisation": config.evaluation.localisation,
        "gallery": config.evaluation.gallery,
    }


def begin(output: str, config: Config, manifest: Manifest) -> None:
    """Writes config.yaml, or checks that the run in the folder had the same settings and data.

    Raises:
        ConfigError: the folder holds a run with other settings or other data.
    """
    path = storage.join(output, CONFIG)
    data = storage.join(output, "manifest.sha256")
    if not storage.exists(path):
        storage.write_text(data, manifest.identity)
        storage.write_text(path, settings.to_yaml(config))
        return
    before = settings.flat(settings.from_yaml(Config, path))
    now = settings.flat(config)
    changed = [name for name in now if name not in _FREE and before[name] != now[name]]
    if changed:
        name = changed[0]
        raise ConfigError(
            f"{output} holds a run with another {name} ({before[name]}, now "
            f"{now[name]}): choose another --output, or restore the setting"
        )
    if storage.exists(data) and storage.read_text(data) != manifest.identity:
        raise ConfigError(
            f"{output} holds a run on another data set than --data: choose another "
            "--output, or restore --data"
        )


def write_note(output: str, name: str, note: dict[str, Any]) -> None:
    """Writes a stage's note, which declares the stage whole."""
    storage.write_text(storage.join(output, name), json.dumps(note, indent=2) + "\n")


def read_note(output: str, name: str) -> dict[str, Any]:
    """Returns a stage's note; empty if the stage is not whole."""
    try:
        note: dict[str, Any] = json.loads(storage.read_text(storage.join(output, name)))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return note
