# SPDX-License-Identifier: MIT
"""Tests of runs that are given more epochs: as exact as one that nobody stopped, in every order.

With a small network in place of ResNet-50, through the stage that trains.
"""

import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.contract.errors import ConfigError, StoppedError
from preprocessing.contract.files import storage
from preprocessing.contract.process.stopping import StopRequests
from preprocessing.contract.settings import settings
from trainer import stages
from trainer.checkpoints import bundle
from trainer.config import Config
from trainer.run import Run
from trainer.runfolder import notes
from trainer.training import assembly

pytestmark = pytest.mark.slow

PER_EPOCH = 7
Train = Callable[..., None]


@pytest.fixture
def train(
    data_set: Any,
    one_device: Any,
    make_tiny_model: Callable[..., Any],
    small_settings: Callable[[], Config],
    monkeypatch: pytest.MonkeyPatch,
) -> Train:
    """Trains a folder's run by the given settings, until a step if that is given."""

    def build(job: Run, **_: object) -> Any:
        with job.runtime.strategy.scope():
            return make_tiny_model(seed=3)

    monkeypatch.setattr(Run, "build", build)

    def run(output: pathlib.Path, until: int = 0, **changed: Any) -> None:
        config = small_settings()
        config.train.steps_per_call = 1
        for name, value in changed.items():
            section, _, last = name.partition("__")
            setattr(getattr(config, section), last, value)
        job = Run(
            data_set.folder, str(output), config, data_set.manifest, one_device, StopRequests()
        )
        notes.check(job.output, config, job.manifest)
        if not until:
            stages.train(job)
            return
        calls = iter(range(10**6))

        def stop() -> bool:
            return next(calls) >= until

        with pytest.raises(StoppedError):
            assembly.train(job, stop)

    return run


def arrays(output: pathlib.Path, folder: str = "checkpoints") -> dict[str, np.ndarray]:
    return bundle.read(bundle.newest_first(storage.join(str(output), folder))[0])


def assert_same(one: pathlib.Path, other: pathlib.Path) -> None:
    """Newest checkpoint and best network are equal bit for bit, and so is what was noted."""
    for folder in ("checkpoints", "checkpoints/best"):
        first, second = arrays(one, folder), arrays(other, folder)
        assert first.keys() == second.keys()
        assert not [name for name in first if not np.array_equal(first[name], second[name])]
    written = [json.loads((path / notes.TRAINING).read_text()) for path in (one, other)]
    for name in ("identity", "steps", "best_step", "best_validation_mean_auc", "stale_epochs"):
        assert written[0][name] == written[1][name]


def test_a_cosine_that_is_extended_and_interrupted_is_the_one_that_is_only_extended(
    train: Train, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    cosine: dict[str, Any] = {"optimizer__schedule": "cosine", "optimizer__restart_rate": 1e-3}
    train(whole, **cosine, train__epochs=1)
    ended = arrays(whole)["network/hidden/kernel"]
    shutil.copytree(whole, cut)
    capsys.readouterr()
    train(whole, **cosine, train__epochs=3)
    said = "zero at step 7: a new one falls from a learning rate of 0.001 (optimizer.restart_rate)"
    assert said in capsys.readouterr().out
    assert not np.array_equal(arrays(whole)["network/hidden/kernel"], ended)
    # Stopped at its first step and later; only the first of these starts may read the rate.
    for until, rate in ((1, 1e-3), (4, 0.5), (3, 0.4)):
        train(cut, until, **{**cosine, "optimizer__restart_rate": rate}, train__epochs=3)
        assert not (cut / notes.TRAINING).exists()
    train(cut, **cosine, train__epochs=3)
    assert_same(whole, cut)
    assert settings.from_yaml(Config, f"{cut}/config.yaml").train.epochs == 3


def test_another_schedule_extended_is_the_longer_run_itself(
    train: Train, tmp_path: pathlib.Path
) -> None:
    long, extended = tmp_path / "long", tmp_path / "extended"
    given: dict[str, Any] = {"optimizer__schedule": "plateau"}
    train(long, **given, train__epochs=3)
    train(extended, **given, train__epochs=1)
    train(extended, 3, **given, train__epochs=2)
    train(extended, **given, train__epochs=3)
    assert_same(long, extended)


def test_a_run_that_its_patience_ended_goes_on_with_more_of_it(
    train: Train, tmp_path: pathlib.Path
) -> None:
    long, extended = tmp_path / "long", tmp_path / "extended"
    # No network gets better at a rate like this, so that patience ends the run.
    given: dict[str, Any] = {"optimizer__learning_rate": 1e-12, "train__epochs": 4}
    train(long, **given)
    train(extended, **given, train__patience_epochs=1)
    assert json.loads((extended / notes.TRAINING).read_text())["steps"] == 2 * PER_EPOCH
    train(extended, **given, train__patience_epochs=9)
    assert_same(long, extended)


def test_what_would_bend_the_run_is_refused_and_leaves_it_as_it_was(
    train: Train, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "run"
    train(output, 3, optimizer__schedule="cosine", train__epochs=2)
    before = {path: path.read_bytes() for path in output.rglob("*.*") if "tensorb" not in str(path)}
    with pytest.raises(ConfigError, match=r"step 2 of 14; go on with train\.epochs=2"):
        train(output, optimizer__schedule="cosine", train__epochs=4)
    after = {path: path.read_bytes() for path in before if path.name != "starts.json"}
    assert after.items() <= before.items()
    train(output, optimizer__schedule="cosine", train__epochs=2)
    with pytest.raises(ConfigError, match=r"set train\.epochs to 2 or more"):
        train(output, optimizer__schedule="cosine", train__epochs=1)


def test_a_run_of_an_older_version_goes_on_and_is_extended_from_where_it_ended(
    train: Train, tmp_path: pathlib.Path
) -> None:
    """Its checkpoints hold a hash for a record and no course; config.yaml has the epochs."""
    new, old = tmp_path / "new", tmp_path / "old"
    cosine: dict[str, Any] = {"optimizer__schedule": "cosine"}
    for output in (new, old):
        train(output, **cosine, train__epochs=1)
    (path,) = bundle.newest_first(f"{old}/checkpoints")
    found = bundle.read(path)
    kept = {name: value for name, value in found.items() if "course" not in name}
    kept["identity"] = np.asarray(b"f" * 64)
    bundle.write(f"{old}/checkpoints", PER_EPOCH, kept, 1)
    # Stopped before a step of the extension is saved, as by a kill.
    with pytest.raises(ConfigError, match="fruitless"):
        _break_at_once(train, old, **cosine, train__epochs=2)
    for output in (new, old):
        train(output, **cosine, train__epochs=2)
    assert_same(new, old)


def _break_at_once(train: Train, output: pathlib.Path, **changed: Any) -> None:
    """Starts a run whose first step ends it."""
    with pytest.MonkeyPatch.context() as patch:

        def fails(*_: object) -> None:
            raise ConfigError("fruitless")

        patch.setattr(assembly.loop, "train", fails)
        train(output, **changed)


def test_nothing_is_left_of_settings_that_cannot_work(train: Train, tmp_path: pathlib.Path) -> None:
    output = tmp_path / "run"
    with pytest.raises(ConfigError, match="does not divide by train.accumulation_steps 3"):
        train(output, train__accumulation_steps=3)
    assert not list(tmp_path.iterdir())
    train(output, train__epochs=1)
