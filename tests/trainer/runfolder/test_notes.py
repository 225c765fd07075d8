# SPDX-License-Identifier: MIT
"""Tests of the run's folder: what may change between restarts, and what declares a stage whole."""

import copy
import dataclasses
import pathlib
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from preprocessing.contract.settings import settings
from trainer.config import Config
from trainer.runfolder import identity, notes

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
    "runtime.deterministic": True,
    "runtime.formation_seconds": 5,
    "runtime.stall_seconds": 5,
    "runtime.accelerator": "gpu",
    "runtime.tpu": "local",
    "runtime.xla": True,
    "runtime.verify_every_steps": 100,
    "model.weights": "none",
    "model.weights_sha256": "ab",
    "model.partial_weights": True,
    "optimizer.loss_scale": 8.0,
    "optimizer.restart_rate": 0.1,
    "train.checkpoint_every_steps": 7,
    "train.epochs": 3,
    "train.patience_epochs": 2,
    "train.max_fruitless_starts": 1,
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
    "evaluation.familiarity": 0,
    "evaluation.localisation": True,
    "evaluation.views": "flip",
}
DECISIVE = {
    "runtime.precision": "mixed_float16",
    "data.global_batch_size": 12,
    "data.crop_fraction": 0.5,
    "data.shuffle_buffer": 5,
    "model.dropout": 0.1,
    "model.batch_norm": "per_replica",
    "optimizer.learning_rate": 0.5,
    "optimizer.name": "sgd",
    "optimizer.ema_decay": 0.9,
    "train.accumulation_steps": 2,
    "train.monitor": "loss",
    "train.teacher": "teacher.csv",
    "train.teacher_share": 0.4,
    "augmentation.min_area": 0.1,
    "augmentation.max_area": 0.9,
    "augmentation.max_ratio": 1.3,
    "augmentation.rotation": 7.0,
    "augmentation.brightness": 0.1,
    "augmentation.contrast": 0.1,
    "loss.name": "focal",
    "loss.class_weights": "balanced",
    "loss.focal_gamma": 1.0,
    "loss.gamma_positive": 0.0,
    "loss.gamma_negative": 2.0,
    "loss.margin": 0.1,
    "loss.label_smoothing": 0.1,
    "model.variant": "v1.5",
    "model.normalization": "torch",
    "optimizer.weight_decay": 0.1,
    "optimizer.backbone_factor": 0.1,
    "optimizer.frozen_rate": 0.1,
}


def changed(name: str, value: Any) -> Config:
    config = copy.deepcopy(Config())
    section, _, last = name.rpartition(".")
    target = getattr(config, section) if section else config
    assert getattr(target, last) != value
    setattr(target, last, value)
    return config


def begun(folder: pathlib.Path, config: Config, *, checkpoint: str = "ckpt-3") -> str:
    """A folder in which a run with these settings has saved a checkpoint."""
    notes.declare(str(folder), config, MANIFEST)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / f"{checkpoint}.index").write_bytes(b"")
    return str(folder)


def test_the_first_start_writes_settings_that_read_back_equal(tmp_path: pathlib.Path) -> None:
    config = changed("optimizer.learning_rate", 1e-5)
    begun(tmp_path, config)
    assert settings.from_yaml(Config, f"{tmp_path}/config.yaml") == config
    notes.check(str(tmp_path), config, MANIFEST)


@pytest.mark.parametrize(
    "left", ["", "checkpoints/ckpt-3.index.tempstate9", "checkpoints/x.data-0"]
)
def test_before_its_first_checkpoint_a_run_may_become_another_one(
    tmp_path: pathlib.Path, left: str
) -> None:
    """What a first command leaves that could not work, or was killed at its first save."""
    notes.declare(str(tmp_path), Config(), MANIFEST)
    if left:
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / left).write_bytes(b"half")
    right = changed("optimizer.learning_rate", 1e-5)
    notes.check(str(tmp_path), right, OTHER)
    notes.declare(str(tmp_path), right, OTHER)
    assert settings.from_yaml(Config, f"{tmp_path}/config.yaml") == right
    assert (tmp_path / "manifest.sha256").read_text() == OTHER.identity


def test_a_check_writes_nothing(tmp_path: pathlib.Path) -> None:
    notes.check(f"{tmp_path}/new", Config(), MANIFEST)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.weights", "optimizer.loss_scale"])
def test_what_only_the_first_start_reads_stays_on_record_and_is_said_to_have_no_effect(
    tmp_path: pathlib.Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = begun(tmp_path, Config())
    other = changed(name, FREE[name])
    other.train.log_every_steps = 3
    notes.check(output, other, MANIFEST)
    assert f"WARNING {name} {FREE[name]} has no effect" in capsys.readouterr().err
    notes.declare(output, other, MANIFEST)
    expected = Config()
    expected.train.log_every_steps = 3
    assert settings.from_yaml(Config, f"{output}/config.yaml") == expected


@pytest.mark.parametrize(("name", "value"), FREE.items())
def test_where_and_how_fast_may_change(tmp_path: pathlib.Path, name: str, value: Any) -> None:
    output = begun(tmp_path, Config())
    notes.check(output, changed(name, value), MANIFEST)
    assert identity.of(changed(name, value), MANIFEST) == identity.of(Config(), MANIFEST)


@pytest.mark.parametrize(("name", "value"), [("seed", 4), *DECISIVE.items()])
def test_what_decides_the_weights_may_not(tmp_path: pathlib.Path, name: str, value: Any) -> None:
    begun(tmp_path, Config())
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(
        ConfigError, match=f"another {name} .*now {value}.* in a new --output"
    ) as caught:
        notes.check(str(tmp_path), changed(name, value), MANIFEST)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "config.yaml").read_text() == before
    assert identity.of(changed(name, value), MANIFEST) != identity.of(Config(), MANIFEST)


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
        "data.deterministic",
        "data.image_size",
        "data.flip",
        "data.open_shards",
        "model.hidden_units",
        "model.batch_norm_momentum",
        "optimizer.clip_norm",
        "optimizer.plateau_epochs",
        "optimizer.plateau_factor",
        "optimizer.schedule",
        "optimizer.warmup_steps",
        "optimizer.epsilon",
        "train.frozen_epochs",
    }


def test_other_data_are_refused(tmp_path: pathlib.Path) -> None:
    begun(tmp_path, Config())
    with pytest.raises(ConfigError, match="another data set"):
        notes.check(str(tmp_path), Config(), OTHER)
    assert identity.of(Config(), MANIFEST) != identity.of(Config(), OTHER)


def test_a_damaged_config_file_is_refused(tmp_path: pathlib.Path) -> None:
    begun(tmp_path, Config())
    (tmp_path / "config.yaml").write_text("train: {epoch: 3}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml.*epoch"):
        begun(tmp_path, Config())


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]"])
def test_a_damaged_data_note_is_left_to_the_checkpoints(
    tmp_path: pathlib.Path, data: bytes
) -> None:
    output = begun(tmp_path, Config())
    (tmp_path / "manifest.sha256").write_bytes(data)
    notes.check(output, Config(), MANIFEST)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"text", b"\xff", b"7", b"[" * 100_000, b"1" * 5000]
)
def test_what_is_no_note_counts_as_none(tmp_path: pathlib.Path, data: bytes) -> None:
    (tmp_path / notes.TRAINING).write_bytes(data)
    assert notes.read_note(str(tmp_path), notes.TRAINING) == {}


def test_a_folder_in_place_of_a_note_counts_as_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / notes.TRAINING).mkdir()
    assert notes.read_note(str(tmp_path), notes.TRAINING) == {}
    assert notes.read_note(f"{tmp_path}/x", "training.json/y") == {}


def test_a_note_reads_back_and_a_missing_or_broken_one_is_empty(tmp_path: pathlib.Path) -> None:
    assert notes.read_note(str(tmp_path), notes.TRAINING) == {}
    notes.write_note(str(tmp_path), notes.TRAINING, {"step": 3})
    assert notes.read_note(str(tmp_path), notes.TRAINING) == {"step": 3}
    (tmp_path / notes.TRAINING).write_text('{"step"')
    assert notes.read_note(str(tmp_path), notes.TRAINING) == {}


def test_predictions_are_whole_only_with_what_was_asked_for_beside_them() -> None:
    note = notes.predictions_note(Config(), MANIFEST, 7)
    assert note["step"] == 7 and note["identity"] == identity.of(Config(), MANIFEST)
    for name, value in (("evaluation.gallery", 5), ("evaluation.localisation", True)):
        assert notes.predictions_note(changed(name, value), MANIFEST, 7) != note
    other = changed("evaluation.bootstrap_resamples", 7)
    assert notes.predictions_note(other, MANIFEST, 7) == note


def test_views_are_those_that_predictions_were_made_with(tmp_path: pathlib.Path) -> None:
    output, config = str(tmp_path), Config()
    assert notes.scored_with(output) is None
    config.evaluation.views = "flip"
    storage.write_text(storage.join(output, notes.CONFIG), settings.to_yaml(config))
    # As where nothing was evaluated, by an earlier version, and again after the training.
    for note, views in (({}, "flip"), ({"step": 7}, "one"), ({"views": "ten_crop"}, "ten_crop")):
        notes.write_note(output, notes.PREDICTIONS_NOTE, note)
        found = notes.scored_with(output)
        assert found is not None and found.evaluation.views == views
