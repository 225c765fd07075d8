# SPDX-License-Identifier: MIT
"""Tests of saving and restoring: exact, whole or not at all, one best beside the newest."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, UsageError
from trainer.checkpoints import bundle, checkpoints
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress
from trainer.recipe import OptimizerConfig
from trainer.training import optimizer

ROOT = pathlib.Path(__file__).parents[3]

PROGRAM = """
import keras
from trainer.checkpoints.checkpoints import Checkpoints
from trainer.checkpoints.progress import Progress

def made(output):
    network = keras.Sequential([keras.Input([2000]), keras.layers.Dense(4000, name="dense")])
    adam = keras.optimizers.Adam(name="adam")
    adam.build(network.trainable_variables)
    progress = Progress()
    saver = Checkpoints(
        output=output, network=network, optimizer=adam, progress=progress, keep=2
    )
    return network.variables + adam.variables[2:], progress, saver
"""

SAVER = (
    PROGRAM
    + """
import sys
import tensorflow as tf
variables, progress, saver = made(sys.argv[1])
for step in range(1, 200):
    for variable in variables:
        variable.assign(tf.fill(variable.shape, float(step)))
    progress.step = step
    saver.save()
    saver.wait()
    print(step, flush=True)
"""
)


def record(data: str, **decisive: Any) -> str:
    """Returns a run's record with a few settings."""
    return json.dumps({"settings": {"seed": 0, **decisive}, "data": data})


class Parts:
    """A network, its optimiser and its saver over one folder."""

    def __init__(self, model: Any, output: str, *, average: Any = None, **more: Any):
        self.network = model.network
        self.average = None if average is None else average.network
        self.adam = optimizer.build(OptimizerConfig(learning_rate=0.1))
        self.adam.build(self.network.trainable_variables)
        self.progress = Progress()
        self.saver = Checkpoints(
            output=output,
            network=self.network,
            optimizer=self.adam,
            progress=self.progress,
            average=self.average,
            **{"keep": 2, **more},
        )

    def step(self, times: int = 1) -> None:
        """Takes optimiser steps with gradients that depend on the step."""
        for _ in range(times):
            self.progress.step += 1
            size = float(self.progress.step)
            gradients = [tf.fill(v.shape, 0.1 / size) for v in self.network.trainable_variables]
            self.adam.apply(gradients, self.network.trainable_variables)

    def save(self) -> None:
        """Saves and returns when it is written."""
        self.saver.save()
        self.saver.wait()

    def save_best(self, step: int, auc: float) -> None:
        """Saves the network as the best so far and returns when it is written."""
        self.progress.best_step, self.progress.best_auc = step, auc
        self.saver.save_best()
        self.saver.wait()

    def everything(self) -> list[np.ndarray]:
        """Returns every number that training depends on."""
        progress = [np.asarray(value) for value in dataclasses.astuple(self.progress)]
        variables = [*self.network.variables, *self.adam.variables]
        if self.average is not None:
            variables += self.average.variables
        return [*progress, *(np.array(variable.numpy()) for variable in variables)]


def assert_equal(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def saved_steps(folder: pathlib.Path) -> set[int]:
    return {int(path.stem[5:]) for path in folder.glob("ckpt-*.index")}


def files(folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Files are written as ever, but only from the moment at which this is set."""
    ready, write = threading.Event(), bundle.write

    def late(*arguments: Any) -> None:
        assert ready.wait(60)
        write(*arguments)

    monkeypatch.setattr(bundle, "write", late)
    return ready


@pytest.mark.parametrize("averaged", [False, True])
def test_a_restored_run_is_the_saved_one_and_goes_on_alike(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, averaged: bool
) -> None:
    averages = [make_tiny_model(seed=seed) if averaged else None for seed in (3, 4)]
    first = Parts(make_tiny_model(seed=1), str(tmp_path), average=averages[0], record=record("a"))
    first.step(3)
    values = [3, 0.1 + 0.2, 2, 1, 5, 0.01, 2.0**15, 1999, 7, 14, 28, 1e-5, 0.3 + 0.6, 2]
    names = [field.name for field in dataclasses.fields(Progress)]
    for name, value in zip(names, values, strict=True):
        setattr(first.progress, name, value)
    first.save()
    second = Parts(make_tiny_model(seed=2), str(tmp_path), average=averages[1], record=record("a"))
    assert second.saver.newest() == 3
    assert second.saver.restore(3).endswith("checkpoints/ckpt-3")
    assert second.progress == first.progress
    assert isinstance(second.progress.step, int)
    assert_equal(first.everything(), second.everything())
    first.step(2)
    second.step(2)
    assert_equal(first.everything(), second.everything())
    assert any(np.abs(variable.numpy()).max() > 0 for variable in second.adam.variables[2:])


def test_any_of_the_kept_steps_can_be_restored(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    parts.step()
    parts.save()
    before = parts.everything()
    parts.step()
    parts.save()
    assert parts.saver.newest() == 2
    assert parts.saver.restore(1).endswith("ckpt-1")
    assert_equal(before, parts.everything())


def test_without_a_checkpoint_there_is_none_to_restore(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    before = parts.everything()
    assert parts.saver.newest() == -1
    parts.saver.clean()
    assert_equal(before, parts.everything())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [record("b"), record("a", seed=4)])
def test_a_checkpoint_of_other_settings_or_data_is_refused_and_changes_nothing(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, other: str
) -> None:
    first = Parts(make_tiny_model(seed=1), str(tmp_path), record=record("a"))
    first.step()
    first.save()
    second = Parts(make_tiny_model(seed=2), str(tmp_path), record=other)
    before = second.everything()
    named = "seed .0, now 4." if other == record("a", seed=4) else "data set than --data"
    with pytest.raises(ConfigError, match=f"ckpt-1 is of a run with another {named}: .* in a new"):
        second.saver.restore(1)
    assert_equal(before, second.everything())


def test_a_checkpoint_of_an_older_version_is_refused_in_one_line(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path), vouched=True)
    old = tf.train.Checkpoint(step=tf.Variable(5))
    old.write(str(tmp_path / "checkpoints" / "ckpt-5"))
    assert parts.saver.newest() == 5
    with pytest.raises(ConfigError, match="other settings or other data: .* in a new --output"):
        parts.saver.restore(5)


@pytest.mark.parametrize("vouched", [True, False])
def test_a_checkpoint_with_a_hash_for_a_record_needs_a_config_file_that_speaks_for_it(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, vouched: bool
) -> None:
    first = Parts(make_tiny_model(seed=1), str(tmp_path), record="0" * 64)
    first.step()
    first.save()
    second = Parts(make_tiny_model(seed=2), str(tmp_path), record=record("a"), vouched=vouched)
    if vouched:
        assert second.saver.restore(1).endswith("ckpt-1")
        return
    with pytest.raises(ConfigError, match="of a run with other settings or other data"):
        second.saver.restore(1)


@pytest.mark.parametrize("hidden", [4, 16])
def test_a_checkpoint_of_another_model_is_refused_in_one_line(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, hidden: int
) -> None:
    first = Parts(make_tiny_model(hidden=8), str(tmp_path))
    first.step()
    first.save()
    first.save_best(1, 0.5)
    other = Parts(make_tiny_model(hidden=hidden), str(tmp_path))
    before = other.everything()
    for restore in (
        lambda: other.saver.restore(1),
        lambda: checkpoints.restore_best(str(tmp_path), other.network),
    ):
        with pytest.raises(ConfigError, match="is of another model") as caught:
            restore()
        assert caught.value.exit_code == 78
        assert "\n" not in str(caught.value)
    assert_equal(before, other.everything())


def test_a_checkpoint_of_a_deeper_network_is_refused(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    parts.save_best(1, 0.5)
    network = keras.Model(parts.network.inputs, parts.network.layers[-2].output)
    assert {variable.path for variable in network.variables} < {
        variable.path for variable in parts.network.variables
    }
    with pytest.raises(ConfigError, match=r"is of another model \(there is no network/logits"):
        checkpoints.restore_best(str(tmp_path), network)


def test_a_checkpoint_without_the_average_that_is_asked_for_is_refused(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    first = Parts(make_tiny_model(), str(tmp_path))
    first.step()
    first.save()
    second = Parts(make_tiny_model(), str(tmp_path), average=make_tiny_model())
    with pytest.raises(ConfigError, match=r"another model \(its average/"):
        second.saver.restore(1)


def test_the_newest_are_kept_and_the_best_beside_them(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path), keep=2)
    for step in range(1, 6):
        parts.step()
        parts.save()
        if step == 2:
            parts.save_best(2, 0.625)
            best = [variable.numpy() for variable in parts.network.variables]
    assert saved_steps(tmp_path / "checkpoints") == {4, 5}
    assert len(list((tmp_path / "checkpoints").glob("ckpt-*"))) == 4
    restored = make_tiny_model(seed=9).network
    assert checkpoints.restore_best(str(tmp_path), restored) == (2, 0.625)
    assert_equal(best, [variable.numpy() for variable in restored.variables])


@pytest.mark.parametrize("keep_best", [1, 2])
def test_as_many_of_the_best_are_kept_as_asked_and_the_last_is_the_best(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, keep_best: int
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path), keep_best=keep_best)
    for step, auc in ((1, 0.5), (2, 0.6), (3, 0.75)):
        parts.step()
        parts.save_best(step, auc)
    assert checkpoints.restore_best(str(tmp_path), parts.network) == (3, 0.75)
    assert saved_steps(tmp_path / "checkpoints" / "best") == {3, 2}.difference(
        {2} if keep_best == 1 else set()
    )


def test_the_best_network_is_the_average_where_there_is_one(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    average = make_tiny_model(seed=2)
    parts = Parts(make_tiny_model(seed=1), str(tmp_path), average=average)
    parts.save_best(1, 0.5)
    restored = make_tiny_model(seed=3).network
    checkpoints.restore_best(str(tmp_path), restored)
    assert_equal(restored.get_weights(), average.network.get_weights())
    assert not np.array_equal(restored.get_weights()[0], parts.network.get_weights()[0])


def test_a_run_without_a_best_checkpoint_is_refused(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ConfigError, match="holds no best checkpoint: train first"):
        checkpoints.restore_best(str(tmp_path), make_tiny_model().network)


def test_a_step_that_is_saved_or_restored_is_not_written_again(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    parts.step()
    parts.save()
    before = files(tmp_path)
    parts.save()
    again = Parts(make_tiny_model(), str(tmp_path))
    again.saver.restore(1)
    again.save()
    assert files(tmp_path) == before
    again.step()
    again.save()
    assert saved_steps(tmp_path / "checkpoints") == {1, 2}


def test_a_process_that_is_not_chief_reads_the_run_and_writes_nothing(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    chief = Parts(make_tiny_model(seed=1), str(tmp_path))
    chief.step()
    chief.save()
    (tmp_path / "checkpoints" / "ckpt-9.data-00000-of-00001").write_bytes(b"half")
    before = files(tmp_path)
    worker = Parts(make_tiny_model(seed=2), str(tmp_path), writes=False)
    worker.saver.clean()
    worker.saver.restore(worker.saver.newest())
    assert_equal(chief.everything(), worker.everything())
    worker.step()
    worker.save()
    worker.save_best(2, 0.5)
    assert files(tmp_path) == before


def test_a_checkpoint_holds_what_was_there_when_it_was_asked_for(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, slow_disk: threading.Event
) -> None:
    parts = Parts(make_tiny_model(seed=1), str(tmp_path))
    parts.step()
    expected = parts.everything()
    best = [array.copy() for array in parts.network.get_weights()]
    parts.saver.save()
    parts.saver.save_best()
    for variable in [*parts.network.variables, *parts.adam.variables]:
        variable.value.assign_add(tf.ones_like(variable.value))
    parts.progress.step, parts.progress.best_auc = 50, 0.9
    assert not (tmp_path / "checkpoints").exists()
    slow_disk.set()
    parts.saver.wait()
    restored = Parts(make_tiny_model(seed=2), str(tmp_path))
    restored.saver.restore(1)
    assert_equal(expected, restored.everything())
    assert checkpoints.restore_best(str(tmp_path), restored.network) == (0, -1.0)
    assert_equal(best, restored.network.get_weights())


def test_no_more_than_two_copies_are_in_memory(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, slow_disk: threading.Event
) -> None:
    """The third save waits until the first is on the disk."""
    parts = Parts(make_tiny_model(), str(tmp_path), keep=9)
    for _ in range(2):
        parts.step()
        parts.saver.save()
    parts.step()
    third = threading.Thread(target=parts.saver.save)
    third.start()
    third.join(0.3)
    assert third.is_alive()
    slow_disk.set()
    third.join(60)
    assert not third.is_alive()
    parts.saver.wait()
    assert saved_steps(tmp_path / "checkpoints") == {1, 2, 3}


def test_what_befalls_a_save_is_raised_by_waiting(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    parts = Parts(make_tiny_model(), str(tmp_path))
    parts.step()
    parts.saver.save()
    with pytest.raises((OSError, UsageError)):
        parts.saver.wait()
    parts.saver.wait()


def test_what_befalls_a_save_is_raised_by_the_next_one(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    """Not only at the end of training, when days of it would be lost."""
    (tmp_path / "checkpoints" / "ckpt-1.index").mkdir(parents=True)
    (tmp_path / "checkpoints" / "ckpt-1.index" / "full").touch()
    parts = Parts(make_tiny_model(), str(tmp_path))
    parts.step()
    parts.saver.save()
    deadline = time.monotonic() + 30
    while not parts.saver._writing[0].done() and time.monotonic() < deadline:
        time.sleep(0.01)
    parts.step()
    with pytest.raises((OSError, UsageError)):
        parts.saver.save()


def test_what_killed_processes_left_is_deleted_and_nothing_else(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(), str(tmp_path))
    for _ in range(2):
        parts.step()
        parts.save()
    parts.save_best(2, 0.5)
    whole = files(tmp_path)
    folder = tmp_path / "checkpoints"
    for litter in (
        "ckpt-3.data-00000-of-00001",
        "ckpt-4.data-00000-of-00001.tempstate123",
        "ckpt-4.index.tempstate123",
        "ckpt-5_temp/part-00000-of-00001.index",
        "best/ckpt-6.data-00000-of-00001",
        "best/ckpt-6.index.partial-1",
    ):
        (folder / litter).parent.mkdir(exist_ok=True)
        (folder / litter).write_bytes(b"half")
    parts.saver.clean()
    assert files(tmp_path) == whole


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_saving_leaves_the_older_one_usable(
    tmp_path: pathlib.Path,
) -> None:
    """Kills with SIGKILL while files of a checkpoint that is not whole yet are on the disk."""
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
    made: dict[str, Any] = {}
    exec(PROGRAM, made)
    variables, progress, saver = made["made"](str(tmp_path))
    step = saver.newest()
    assert step >= saved
    assert saver.restore(step) == f"{folder}/ckpt-{step}"
    assert progress.step == step
    for variable in variables:
        assert (variable.numpy() == step).all()
    saver.clean()
    assert len(list(folder.iterdir())) == 2 * len(saved_steps(folder))
    progress.step += 1
    saver.save()
    saver.wait()
    assert saver.newest() == step + 1


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
        parts.progress.step = step
        parts.save()


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize("kind", _DAMAGE)
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    make_tiny_model: Callable[..., Any],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    keep: int,
) -> None:
    """What training saves on the way to the damaged step is kept, whatever the damaged one does."""
    _two_saved(make_tiny_model, tmp_path)
    folder = tmp_path / "checkpoints"
    for path in folder.glob("ckpt-6.*"):
        path.rename(folder / path.name.replace("-6", "-9"))
    suffix, spoil = _DAMAGE[kind]
    spoil(folder / f"ckpt-9.{suffix}")
    parts = Parts(make_tiny_model(seed=1), str(tmp_path), keep=keep)
    parts.saver.clean()
    assert parts.saver.newest() == 5
    told = capsys.readouterr().err
    assert ("ckpt-9 cannot be read" in told) == (kind != "index gone")
    assert parts.saver.restore(5).endswith("ckpt-5")
    assert parts.progress.step == 5
    for step in (7, 9, 10):
        parts.progress.step = step
        parts.save()
        again = Parts(make_tiny_model(seed=1), str(tmp_path))
        assert again.saver.newest() == step
    assert saved_steps(folder) == {10, 9}.difference({9} if keep == 1 else set())


@pytest.mark.parametrize("text", ["", 'model_checkpoint_path: "ckpt-1"\n'])
def test_the_newest_checkpoint_is_found_without_tensorflows_list(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path, text: str
) -> None:
    _two_saved(make_tiny_model, tmp_path)
    (tmp_path / "checkpoints" / "checkpoint").write_text(text)
    (tmp_path / "checkpoints" / "ckpt-7_temp").mkdir()
    (tmp_path / "checkpoints" / "ckpt-7_temp" / "part-00000-of-00001.index").write_bytes(b"x")
    assert Parts(make_tiny_model(seed=1), str(tmp_path)).saver.newest() == 6


def test_a_run_of_which_no_checkpoint_is_whole_is_no_fresh_start(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    _two_saved(make_tiny_model, tmp_path)
    for path in (tmp_path / "checkpoints").glob("*.data*"):
        _flip(path)
    with pytest.raises(ConfigError, match="none of the 2 checkpoints in .* can be read") as caught:
        Parts(make_tiny_model(seed=1), str(tmp_path)).saver.newest()
    assert "delete" not in str(caught.value)
    assert "or train in a new --output" in str(caught.value)


def test_a_damaged_best_checkpoint_is_told_in_one_line(
    make_tiny_model: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    parts = Parts(make_tiny_model(seed=1), str(tmp_path))
    parts.save_best(1, 0.5)
    (path,) = (tmp_path / "checkpoints" / "best").glob("*.data*")
    _flip(path)
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        checkpoints.restore_best(str(tmp_path), parts.network)
    assert "\n" not in str(caught.value)
