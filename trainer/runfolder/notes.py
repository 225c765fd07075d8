# SPDX-License-Identifier: MIT
"""Keeps the notes by which a restarted run knows what is done; imports no TensorFlow.

`config.yaml` holds the settings and `manifest.sha256` names the data, written before training; they
bind later starts once there is a checkpoint. Each stage leaves a note when it is whole:
`training.json`, `predictions/predictions.json`, `saved_model/assets.extra/export.json`. A note
names what the stage was made from, so that a stage runs again exactly when that changed.
"""

import copy
import json
import re
from typing import Any

from absl import logging

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.settings import declaration, settings
from trainer.config import Config
from trainer.runfolder import identity

CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
TRAINING = "training.json"
PREDICTIONS = "predictions/predictions.csv"
PREDICTIONS_NOTE = "predictions/predictions.json"
REPORT = "report/report.json"
EXPORT_NOTE = "saved_model/assets.extra/export.json"
# Rises with what an export holds: a run's older export is made again, as what reads it needs all.
EXPORT_FORM = 2
# Key of the predictions' note: of the file that evaluation wrote. Older notes lack it.
SHA256 = "sha256"
# Key of the notes of predictions and export: over which views scores are averaged.
VIEWS = "views"

_DATA = "manifest.sha256"
_SHA256 = re.compile("[0-9a-f]{64}")


def predictions_note(config: Config, manifest: Manifest, step: int | None) -> dict[str, Any]:
    """Returns the note of predictions by the best network, of a step, and of what lies beside."""
    return {
        "step": step,
        "identity": identity.of(config, manifest),
        "localisation": config.evaluation.localisation,
        "gallery": config.evaluation.gallery,
        VIEWS: config.evaluation.views,
    }


def predictions_of(split: str) -> str:
    """Returns where the scores of one split lie that were asked for alone."""
    return f"predictions/{split}.csv"


def export_note(
    config: Config, manifest: Manifest, step: int | None, report_sha256: str
) -> dict[str, Any]:
    """Returns the note of an export of the best network, of a step, beside a report."""
    return {
        "form": EXPORT_FORM,
        "step": step,
        "identity": identity.of(config, manifest),
        "report_sha256": report_sha256,
        "familiarity": config.evaluation.familiarity,
        VIEWS: config.evaluation.views,
    }


def report_sha256(output: str) -> str:
    """Returns the SHA-256 of the report that is there now; "" for none."""
    path = storage.join(output, REPORT)
    return storage.sha256_of(path) if storage.exists(path) else ""


def views_of(note: dict[str, Any]) -> str:
    """Returns the views that a note names; versions that noted none knew the centre alone."""
    return str(note.get(VIEWS, "one"))


def predictions_changed(output: str) -> bool:
    """Tells whether the predictions are others than evaluation wrote, as edited by hand."""
    path = storage.join(output, PREDICTIONS)
    written = read_note(output, PREDICTIONS_NOTE).get(SHA256)
    return bool(written) and storage.exists(path) and storage.sha256_of(path) != written


def check(output: str, config: Config, manifest: Manifest) -> None:
    """Checks that the run in a folder, if any, has these settings and data; writes nothing.

    Nothing identifies a run before its first checkpoint, so that a first command that cannot work
    does not block the right one.

    Raises:
        ConfigError: the folder holds a run with other settings or other data.
    """
    before = _config_of(output) if is_begun(output) else None
    if before is None:
        return
    changed = identity.difference(settings.flat(before), settings.flat(config))
    if not changed and data_of(output) not in ("", manifest.identity):
        changed = "another data set than --data"
    if changed:
        raise ConfigError(
            f"{output} holds a run with {changed}: restore it, or train in a new --output"
        )
    for name in sorted(identity.FIRST_START):
        old, new = settings.flat(before)[name], settings.flat(config)[name]
        if old != new:
            logging.warning(
                f"{name} {new} has no effect: the run in {output} began with {old} and goes on "
                "from its checkpoint"
            )


def is_begun(output: str) -> bool:
    """Tells whether a folder holds a run that a later start must not mix with another one."""
    if storage.exists(storage.join(output, TRAINING)):
        return True
    files = storage.list_files(storage.join(output, CHECKPOINTS))
    return any(path.endswith(".index") for path in files)


def declare(output: str, config: Config, manifest: Manifest) -> None:
    """Writes the settings and the data's identity, once all is checked and training begins."""
    before = _config_of(output) if is_begun(output) else None
    if before is not None:
        # A run goes on being what it began with.
        config = copy.deepcopy(config)
        for name in identity.FIRST_START:
            declaration.assign(config, name, settings.flat(before)[name])
    if before != config:
        storage.write_text(storage.join(output, _DATA), manifest.identity)
        storage.write_text(storage.join(output, CONFIG), settings.to_yaml(config))


def described(output: str) -> Config | None:
    """Returns the settings that the run in a folder was last started with; None before that."""
    return _config_of(output) if is_begun(output) else None


def scored_with(output: str) -> Config | None:
    """Returns the settings of a run with the views that its predictions were last made with."""
    config, note = _config_of(output), read_note(output, PREDICTIONS_NOTE)
    if config is not None and note:
        # Evaluated again, a run keeps the settings that its training was started with.
        config.evaluation.views = views_of(note)
    return config


def _config_of(output: str) -> Config | None:
    path = storage.join(output, CONFIG)
    return settings.from_yaml(Config, path) if storage.exists(path) else None


def data_of(output: str) -> str:
    """Returns the identity of a run's data; "" if it cannot be read: checkpoints hold it too."""
    try:
        text = storage.read_text(storage.join(output, _DATA)).strip()
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return ""
    return text if _SHA256.fullmatch(text) else ""


def write_note(output: str, name: str, note: dict[str, Any]) -> None:
    """Writes a stage's note, which declares the stage whole."""
    storage.write_text(storage.join(output, name), json.dumps(note, indent=2) + "\n")


def read_note(output: str, name: str) -> dict[str, Any]:
    """Returns a note; empty if there is none, or if what is there is not a JSON object."""
    try:
        note = json.loads(storage.read_text(storage.join(output, name)))
    # ValueError: not UTF-8, not JSON, or a number with too many digits.
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}
