# SPDX-License-Identifier: MIT
"""Tests of the line on settings that do nothing in a run as short as this one."""

import pathlib
from typing import Any

import pytest

from preprocessing.contract.settings import settings
from trainer import foresight
from trainer.config import Config

ROOT = pathlib.Path(__file__).parents[2]


def warned(*changes: tuple[str, Any], per_epoch: int = 10) -> str:
    """The line for a run of two epochs."""
    config = Config()
    for name, value in (("train.epochs", 2), *changes):
        section, _, last = name.partition(".")
        setattr(getattr(config, section), last, value)
    return foresight.warning(config, per_epoch, 256)


def test_usual_settings_are_not_warned_of_however_short_the_run() -> None:
    assert warned() == ""
    for path in (ROOT / "configs" / "training").glob("*.yaml"):
        config = settings.from_yaml(Config, str(path))
        stored = 512 if config.data.image_size > 256 else 256
        assert foresight.warning(config, per_epoch=1000, stored_size=stored) == ""


PLATEAU, ADAMW = ("optimizer.schedule", "plateau"), ("optimizer.name", "adamw")
PHASE = [("train.frozen_epochs", 1), ("optimizer.frozen_rate", 0.1)]
CASES = [
    ([("optimizer.warmup_steps", 19)], [("optimizer.warmup_steps", 20)], "never reaches"),
    ([("train.frozen_epochs", 1)], [("train.frozen_epochs", 2)], "backbone frozen to the end"),
    ([], [("optimizer.frozen_rate", 0.1)], "has no train.frozen_epochs"),
    ([ADAMW, ("optimizer.weight_decay", 0.1)], [("optimizer.weight_decay", 0.1)], "is of adamw"),
    ([*PHASE, ("optimizer.warmup_steps", 9)], [*PHASE, ("optimizer.warmup_steps", 10)], "never re"),
    (PHASE, [*PHASE, ("train.patience_epochs", 1)], "cannot end it early"),
    ([*PHASE], [*PHASE, PLATEAU, ("optimizer.plateau_epochs", 1)], "never lowers"),
    ([("train.patience_epochs", 1)], [("train.patience_epochs", 2)], "cannot end it early"),
    ([PLATEAU], [PLATEAU, ("optimizer.plateau_epochs", 2)], "never lowers the learning rate"),
    ([("optimizer.ema_decay", 0.95)], [("optimizer.ema_decay", 0.99)], "over 100 steps"),
    ([("train.profile_steps", "3,20")], [("train.profile_steps", "3,21")], "ends with the run"),
    ([], [("train.profile_steps", "21,30")], "traces nothing"),
    ([("train.checkpoint_every_steps", 20)], [("train.checkpoint_every_steps", 21)], "saves at"),
    ([("data.image_size", 256)], [("data.image_size", 257)], "only enlarges 256 pixels"),
    ([("train.log_every_steps", 20)], [("train.log_every_steps", 21)], "logs no training step"),
]


@pytest.mark.parametrize(("fits", "exceeds", "said"), CASES)
def test_what_the_run_is_too_short_for_is_named(
    fits: list[tuple[str, Any]], exceeds: list[tuple[str, Any]], said: str
) -> None:
    assert warned(*fits) == ""
    line = warned(*exceeds)
    name, value = exceeds[-1]
    assert line.startswith("warning: settings that do not fit a run of 20 steps, 2 epochs: ")
    assert f"{name}={value}" in line and said in line


def test_all_of_them_stand_in_one_line() -> None:
    line = warned(("optimizer.warmup_steps", 99), ("train.frozen_epochs", 3))
    assert "\n" not in line
    assert line.count("; ") == 1
