# SPDX-License-Identifier: MIT
"""Tests of the run's folder: what may change between restarts, and what declares a stage whole."""

import copy
import dataclasses
import pathlib
from typing import Any

import pytest

from preprocessing.contract import settings
from preprocessing.contract.errors import ConfigError
from preprocessing.contract.manifest import Manifest
from trainer import runfolder
from trainer.config import Config

MANIFEST = Manifest(
    schema_version=1,
    findings=["Mass"],
    stored_size=40,
    encoding="png",
    splits={},
    official_split=False,
    list_hashes={},
    counters={},
    parameters={},
    sources={"labels": "a"},
    writer="test",
)
OTHER = dataclasses.replace(MANIFEST, sources={"labels": "b"})

FREE = {
    "runtime.strategy": "mirrored",
    "runtime.logical_cpus": 2,
    "runtime.communication": "ring",
    "data.cache": "memory",
    "train.steps_per_call": 3,
    "train.max_loss": 2.0,
    "train.keep_best": 2,
    "train.profile_steps": "3,4",
    "train.keep_checkpoints": 9,
    "train.log_every_steps": 7,
    "evaluation.bootstrap_resamples": 11,
    "evaluation.global_batch_size": 12,
    "evaluation.gallery": 5,
    "evaluation.localisation": True,
}
DECISIVE = {
    "runtime.precision": "mixed_float16",
    "runtime.deterministic": True,
    "data.global_batch_size": 12,
    "data.crop_fraction": 0.5,
    "data.shuffle_buffer": 5,
    "model.weights": "none",
    "model.dropout": 0.1,
    "model.batch_norm": "per_replica",
    "optimizer.learning_rate": 0.5,
    "optimizer.name": "sgd",
    "optimizer.ema_decay": 0.9,
    "train.accumulation_steps": 2,
    "train.epochs": 3,
}


def changed(name: str, value: Any) -> Config:
    config = copy.deepcopy(Config())
    section, _, last = name.rpartition(".")
    target = getattr(config, section) if section else config
    assert getattr(target, last) != value
    setattr(target, last, value)
    return config


def test_the_first_start_writes_settings_that_read_back_equal(tmp_path: pathlib.Path) -> None:
    config = changed("optimizer.learning_rate", 1e-5)
    runfolder.begin(str(tmp_path), config, MANIFEST)
    assert settings.from_yaml(Config, f"{tmp_path}/config.yaml") == config
    runfolder.begin(str(tmp_path), config, MANIFEST)


@pytest.mark.parametrize(("name", "value"), FREE.items())
def test_where_and_how_fast_may_change(tmp_path: pathlib.Path, name: str, value: Any) -> None:
    runfolder.begin(str(tmp_path), Config(), MANIFEST)
    runfolder.begin(str(tmp_path), changed(name, value), MANIFEST)
    identity = runfolder.identity(Config(), MANIFEST)
    assert runfolder.identity(changed(name, value), MANIFEST) == identity


@pytest.mark.parametrize(("name", "value"), [("seed", 4), *DECISIVE.items()])
def test_what_decides_the_weights_may_not(tmp_path: pathlib.Path, name: str, value: Any) -> None:
    runfolder.begin(str(tmp_path), Config(), MANIFEST)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=f"another {name} .*now {value}") as caught:
        runfolder.begin(str(tmp_path), changed(name, value), MANIFEST)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "config.yaml").read_text() == before
    assert runfolder.identity(changed(name, value), MANIFEST) != runfolder.identity(
        Config(), MANIFEST
    )


def test_every_setting_is_either_free_or_decisive() -> None:
    """A new setting counts as decisive until somebody says otherwise, here and there."""
    flat = {
        f"{section}.{name}"
        for section, values in settings.to_mapping(Config()).items()
        if isinstance(values, dict)
        for name in values
    }
    untested = flat - set(FREE) - set(DECISIVE)
    assert untested == {
        "runtime.accelerator",
        "runtime.formation_seconds",
        "runtime.tpu",
        "runtime.xla",
        "data.deterministic",
        "data.image_size",
        "data.flip",
        "data.open_shards",
        "model.weights_sha256",
        "model.hidden_units",
        "model.batch_norm_momentum",
        "optimizer.clip_norm",
        "optimizer.loss_scale",
        "optimizer.plateau_epochs",
        "optimizer.plateau_factor",
        "optimizer.schedule",
        "optimizer.warmup_steps",
        "optimizer.epsilon",
        "train.checkpoint_every_steps",
        "train.frozen_epochs",
        "train.max_fruitless_starts",
        "train.patience_epochs",
    }


def test_other_data_are_refused(tmp_path: pathlib.Path) -> None:
    runfolder.begin(str(tmp_path), Config(), MANIFEST)
    with pytest.raises(ConfigError, match="another data set"):
        runfolder.begin(str(tmp_path), Config(), OTHER)
    assert runfolder.identity(Config(), MANIFEST) != runfolder.identity(Config(), OTHER)


def test_a_damaged_config_file_is_refused(tmp_path: pathlib.Path) -> None:
    runfolder.begin(str(tmp_path), Config(), MANIFEST)
    (tmp_path / "config.yaml").write_text("train: {epoch: 3}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml.*epoch"):
        runfolder.begin(str(tmp_path), Config(), MANIFEST)


def test_a_note_reads_back_and_a_missing_or_broken_one_is_empty(tmp_path: pathlib.Path) -> None:
    assert runfolder.read_note(str(tmp_path), runfolder.TRAINING) == {}
    runfolder.write_note(str(tmp_path), runfolder.TRAINING, {"step": 3})
    assert runfolder.read_note(str(tmp_path), runfolder.TRAINING) == {"step": 3}
    (tmp_path / runfolder.TRAINING).write_text('{"step"')
    assert runfolder.read_note(str(tmp_path), runfolder.TRAINING) == {}


def test_predictions_are_whole_only_with_what_was_asked_for_beside_them() -> None:
    note = runfolder.predictions_note(Config(), MANIFEST, 7)
    assert note["step"] == 7 and note["identity"] == runfolder.identity(Config(), MANIFEST)
    for name, value in (("evaluation.gallery", 5), ("evaluation.localisation", True)):
        assert runfolder.predictions_note(changed(name, value), MANIFEST, 7) != note
    other = changed("evaluation.bootstrap_resamples", 7)
    assert runfolder.predictions_note(other, MANIFEST, 7) == note
