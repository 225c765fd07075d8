# SPDX-License-Identifier: MIT
"""Tests of saving and restoring: exact, whole or not at all, one best beside the newest."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from trainer import checkpoints, optimizer
from trainer.checkpoints import Checkpoints, Progress
from trainer.config import OptimizerConfig

ROOT = pathlib.Path(__file__).parents[2]

SAVER = """
import sys
import keras, tensorflow as tf
from trainer.checkpoints import Checkpoints, Progress
network = keras.Sequential([keras.Input([2000]), keras.layers.Dense(4000)])
adam = keras.optimizers.Adam()
adam.build(network.trainable_variables)
progress = Progress.start()
saver = Checkpoints(
    output=sys.argv[1], network=network, optimizer=adam, progress=progress, keep=2
)
for step in range(1, 200):
    for variable in network.variables + adam.variables[2:]:
        variable.assign(tf.fill(variable.shape, float(step)))
    progress.step.assign(step)
    saver.save()
    print(step, flush=True)
"""


class Parts:
    """A network, its optimiser and its saver over one folder."""

    def __init__(self, model: Any, output: str, *, precision: str = "float32", **more: Any):
        self.network = model.network
        schedule = optimizer.Schedule(OptimizerConfig(learning_rate=0.1), 100)
        self.adam = optimizer.build(schedule, epsilon=1e-7, precision=precision)
        self.adam.build(self.network.trainable_variables)
        self.progress = Progress.start()
        self.saver = Checkpoints(
            output=output,
            network=self.network,
            optimizer=self.adam,
            progress=self.progress,
            keep=more.pop("keep", 2),
            **more,
        )

    def step(self, times: int = 1) -> None:
        """Takes optimiser steps with gradients that depend on the step."""
        for _ in range(times):
            self.progress.step.assign_add(1)
            size = float(self.progress.step.numpy())
            gradients = [tf.fill(v.shape, 0.1 / size) for v in self.network.trainable_variables]
            self.adam.apply(gradients, self.network.trainable_variables)

    def everything(self) -> list[np.ndarray]:
        """Returns every number that training depends on."""
        progress = [variable.numpy() for variable in vars(self.progress).values()]
        variables = [*self.network.variables, *self.adam.variables]
        return [*progress, *(variable.numpy() for variable in variables)]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_restored_run_is_the_saved_one_and_goes_on_alike(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, precision: str
) -> None:
    first = Parts(make_tiny_model(seed=1), str(tmp_path), precision=precision)
    first.step(3)
    first.progress.best_auc.assign(0.75)
    first.progress.best_step.assign(2)
    first.progress.stale_epochs.assign(1)
    first.saver.save()
    second = Parts(make_tiny_model(seed=2), str(tmp_path), precision=precision)
    assert second.saver.restore().endswith("ckpt-3")
    assert_equal(first.everything(), second.everything())
    first.step(2)
    second.step(2)
    assert_equal(first.everything(), second.everything())
    assert any(np.abs(variable.numpy()).max() > 0 for variable in second.adam.variables[2:])


def test_without_a_checkpoint_nothing_is_restored(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    before = parts.everything()
    assert parts.saver.restore() == ""
    assert_equal(before, parts.everything())


@pytest.mark.parametrize("hidden", [4, 16])
def test_a_checkpoint_of_another_model_is_refused_in_one_line(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, hidden: int
) -> None:
    first = Parts(make_tiny_model(hidden=8), str(tmp_path))
    first.step()
    first.saver.save()
    first.saver.save_best()
    other = make_tiny_model(hidden=hidden)
    for restore in (
        Parts(other, str(tmp_path)).saver.restore,
        lambda: checkpoints.restore_best(str(tmp_path), other.network),
    ):
        with pytest.raises(ConfigError, match="is of another model") as caught:
            restore()
        assert caught.value.exit_code == 78
        assert "\n" not in str(caught.value)


def test_a_checkpoint_of_a_deeper_network_is_refused(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    first = Parts(make_tiny_model(), str(tmp_path))
    first.step()
    first.saver.save()
    first.saver.save_best()
    network = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
    with pytest.raises(ConfigError, match="is of another model"):
        checkpoints.restore_best(str(tmp_path), network)


def test_the_newest_are_kept_and_the_best_beside_them(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path), keep=2)
    for step in range(1, 6):
        parts.step()
        parts.saver.save()
        if step == 2:
            parts.progress.best_auc.assign(0.625)
            parts.progress.best_step.assign(2)
            parts.saver.save_best()
            best = [variable.numpy() for variable in parts.network.variables]
    found = {path.name.partition(".")[0] for path in (tmp_path / "checkpoints").glob("ckpt-*")}
    assert found == {"ckpt-4", "ckpt-5"}
    restored = make_tiny_model(seed=9).network
    assert checkpoints.restore_best(str(tmp_path), restored) == (2, 0.625)
    assert_equal(best, [variable.numpy() for variable in restored.variables])


def test_a_second_best_replaces_the_first(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    for auc in (0.5, 0.75):
        parts.step()
        parts.progress.best_auc.assign(auc)
        parts.progress.best_step.assign(parts.progress.step)
        parts.saver.save_best()
    assert checkpoints.restore_best(str(tmp_path), parts.network) == (2, 0.75)
    assert len(list((tmp_path / "checkpoints" / "best").glob("*.index"))) == 1


def test_a_run_without_a_best_checkpoint_is_refused(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ConfigError, match="holds no best checkpoint: train first"):
        checkpoints.restore_best(str(tmp_path), make_tiny_model().network)


def test_a_step_that_is_saved_is_not_written_again(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    parts.step()
    parts.saver.save()
    path = tmp_path / "checkpoints" / "ckpt-1.index"
    before = path.stat()
    parts.saver.save()
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino
    parts.step()
    parts.saver.save()
    assert (tmp_path / "checkpoints" / "ckpt-2.index").exists()


def test_a_worker_that_is_not_chief_reads_the_run_but_writes_to_scratch(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    output, scratch = tmp_path / "run", tmp_path / "scratch"
    chief = Parts(make_tiny_model(seed=1), str(output))
    chief.step()
    chief.saver.save()
    before = sorted(output.rglob("*"))
    worker = Parts(make_tiny_model(seed=2), str(output), scratch=str(scratch))
    worker.saver.restore()
    assert_equal(chief.everything(), worker.everything())
    worker.step()
    worker.saver.save()
    worker.saver.save_best()
    assert sorted(output.rglob("*")) == before
    assert (scratch / "ckpt-2.index").exists()


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_saving_leaves_the_older_one_usable(
    tmp_path: pathlib.Path,
) -> None:
    """Kills with SIGKILL while files of a checkpoint that is not declared yet are on the disk."""
    folder = tmp_path / "checkpoints"
    with subprocess.Popen(
        [sys.executable, "-c", SAVER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            saved = int(process.stdout.readline())
        deadline = time.monotonic() + 30
        while not list(folder.glob(f"ckpt-{saved + 1}*")) and time.monotonic() < deadline:
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGKILL)
    newest = tf.train.latest_checkpoint(str(folder))
    assert newest is not None
    network = keras.Sequential([keras.Input([2000]), keras.layers.Dense(4000)])
    adam = keras.optimizers.Adam()
    adam.build(network.trainable_variables)
    progress = Progress.start()
    saver = Checkpoints(
        output=str(tmp_path), network=network, optimizer=adam, progress=progress, keep=2
    )
    assert saver.restore() == newest
    step = int(progress.step.numpy())
    assert step >= saved
    for variable in [*network.variables, *adam.variables[2:]]:
        assert (variable.numpy() == step).all()
    progress.step.assign_add(1)
    saver.save()
    assert str(tf.train.latest_checkpoint(str(folder))).endswith(f"ckpt-{step + 1}")


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


_DAMAGE = {
    "data cut": ("data-00000-of-00001", _cut),
    "data bit": ("data-00000-of-00001", _flip),
    "data gone": ("data-00000-of-00001", pathlib.Path.unlink),
    "index cut": ("index", _cut),
    "index bit": ("index", _flip),
    "index gone": ("index", pathlib.Path.unlink),
}


def _two_saved(make_tiny_model: Callable[..., Any], output: pathlib.Path) -> None:
    parts = Parts(make_tiny_model(seed=1), str(output))
    for step in (5, 6):
        parts.progress.step.assign(step)
        parts.saver.save()


@pytest.mark.parametrize("kind", _DAMAGE)
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    make_tiny_model: Callable[..., Any],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    _two_saved(make_tiny_model, tmp_path)
    suffix, spoil = _DAMAGE[kind]
    spoil(tmp_path / "checkpoints" / f"ckpt-6.{suffix}")
    parts = Parts(make_tiny_model(seed=1), str(tmp_path))
    assert parts.saver.restore().endswith("ckpt-5")
    assert int(parts.progress.step.numpy()) == 5
    told = capsys.readouterr().err
    assert ("ckpt-6 is damaged" in told) == (kind != "index gone")
    parts.progress.step.assign(6)
    parts.saver.save()
    again = Parts(make_tiny_model(seed=1), str(tmp_path))
    assert again.saver.restore().endswith("ckpt-6")


@pytest.mark.parametrize("spoil", [_cut, pathlib.Path.unlink])
def test_the_newest_checkpoint_is_found_without_tensorflows_list(
    make_tiny_model: Callable[..., Any],
    tmp_path: pathlib.Path,
    spoil: Callable[[pathlib.Path], None],
) -> None:
    _two_saved(make_tiny_model, tmp_path)
    spoil(tmp_path / "checkpoints" / "checkpoint")
    (tmp_path / "checkpoints" / "ckpt-7_temp").mkdir()
    (tmp_path / "checkpoints" / "ckpt-7_temp" / "part-00000-of-00001.index").write_bytes(b"x")
    assert Parts(make_tiny_model(seed=1), str(tmp_path)).saver.restore().endswith("ckpt-6")


def test_a_run_of_which_no_checkpoint_is_whole_is_no_fresh_start(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    _two_saved(make_tiny_model, tmp_path)
    for path in (tmp_path / "checkpoints").glob("*.data*"):
        _flip(path)
    with pytest.raises(ConfigError, match="none of the 2 checkpoints in .* is whole"):
        Parts(make_tiny_model(seed=1), str(tmp_path)).saver.restore()


def test_a_damaged_best_checkpoint_is_told_in_one_line(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(seed=1), str(tmp_path))
    parts.saver.save_best()
    (path,) = (tmp_path / "checkpoints" / "best").glob("*.data*")
    _flip(path)
    with pytest.raises(ConfigError, match="is damaged") as caught:
        checkpoints.restore_best(str(tmp_path), parts.network)
    assert "\n" not in str(caught.value)
