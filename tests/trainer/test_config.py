# SPDX-License-Identifier: MIT
"""Tests of the settings: defaults that work, refusals in one sentence, batches over replicas."""

import dataclasses

import pytest

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.settings import declaration, settings
from trainer.config import Config


def changed(name: str, value: object) -> Config:
    config = Config()
    declaration.assign(config, name, value)
    return config


def test_the_defaults_are_valid() -> None:
    Config().validate()


def test_all_settings_are_plain_values_that_tensorboard_can_show() -> None:
    found = settings.flat(Config(seed=7))
    sections = [f for f in dataclasses.fields(Config) if dataclasses.is_dataclass(f.type)]
    assert len(found) == 1 + sum(len(dataclasses.fields(f.type)) for f in sections)
    assert (found["seed"], found["model.weights"]) == (7, "imagenet")
    assert all(isinstance(value, (bool, int, float, str)) for value in found.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 2**31),
        ("runtime.strategy", "horovod"),
        ("runtime.precision", "float16"),
        ("runtime.accelerator", "GPU"),
        ("runtime.logical_cpus", -1),
        ("optimizer.schedule", "linear"),
        ("data.global_batch_size", 0),
        ("data.image_size", 31),
        ("data.crop_fraction", 1.01),
        ("data.crop_fraction", float("nan")),
        ("data.shuffle_buffer", 0),
        ("data.open_shards", 0),
        ("model.hidden_units", 0),
        ("model.dropout", 1.0),
        ("model.batch_norm_momentum", 1.0),
        ("optimizer.learning_rate", 0.0),
        ("optimizer.learning_rate", float("inf")),
        ("optimizer.warmup_steps", -1),
        ("optimizer.epsilon", 0.0),
        ("train.epochs", 0),
        ("train.steps_per_call", 0),
        ("train.checkpoint_every_steps", -1),
        ("train.keep_checkpoints", 0),
        ("train.patience_epochs", -1),
        ("train.log_every_steps", 0),
        ("evaluation.global_batch_size", -1),
        ("evaluation.bootstrap_resamples", 0),
        ("evaluation.gallery", -1),
        ("evaluation.gallery", 21),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(name, value).validate()
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} is {value!r}")
    assert "use " in sentence
    assert "\n" not in sentence


CHOICES = {name: one.choices for name, one, _ in declaration.walk(Config()) if one.choices}


@pytest.mark.parametrize(("name", "values"), CHOICES.items())
def test_every_listed_choice_is_valid(name: str, values: tuple[str, ...]) -> None:
    for value in values:
        changed(name, value).validate()


def test_the_evaluation_batch_follows_the_training_batch_unless_set() -> None:
    config = changed("data.global_batch_size", 48)
    assert config.evaluation_batch_size == 48
    config.evaluation.global_batch_size = 96
    assert config.evaluation_batch_size == 96


def test_both_batches_are_checked_against_the_replicas() -> None:
    config = changed("data.global_batch_size", 12)
    config.check_replicas(3)
    config.evaluation.global_batch_size = 16
    with pytest.raises(ConfigError, match=r"evaluation\.global_batch_size 16 .* use 15 or 18"):
        config.check_replicas(3)
    config.data.global_batch_size = 8
    with pytest.raises(ConfigError, match=r"data\.global_batch_size 8 .* 3 replicas: use 6 or 9"):
        config.check_replicas(3)
