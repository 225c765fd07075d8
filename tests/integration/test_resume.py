# SPDX-License-Identifier: MIT
"""Tests of restarts: killed and stopped processes end with the weights of an uninterrupted run.

Every piece of the recipe that keeps or draws something is on.
"""

import dataclasses
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable

import numpy as np
import pytest

from preprocessing.contract import manifest as manifests
from trainer.checkpoints import bundle
from trainer.data import dataset
from trainer.monitoring import goodput, ledger
from trainer.predictions import table

pytestmark = pytest.mark.slow

EPOCHS = 4
EVERY = 2
MOMENTS = random.Random(20260720)
PIECES = {
    "augmentation__min_area": 0.4,
    "augmentation__max_ratio": 1.3,
    "augmentation__rotation": 7,
    "augmentation__brightness": 0.1,
    "augmentation__contrast": 0.1,
    "loss__name": "asymmetric",
    "loss__class_weights": "balanced",
    "loss__label_smoothing": 0.05,
    "optimizer__name": "adamw",
    "optimizer__schedule": "plateau",
    "optimizer__warmup_steps": 3,
    "optimizer__frozen_rate": 1e-3,
    "optimizer__backbone_factor": 0.5,
    "optimizer__clip_norm": 1,
    "optimizer__ema_decay": 0.9,
    "train__frozen_epochs": 1,
    "train__monitor": "loss",
}


@dataclasses.dataclass
class History:
    """What happened to the interrupted run.

    Attributes:
        output: its folder.
        reached: newest checkpoint's step after each kill.
        stopped: exit code and last line after SIGTERM.
        finished: exit code and text of the last start.
        whole: folder of the uninterrupted run.
        per_epoch: steps in an epoch.
        began: when its first process began, in seconds since 1970.
    """

    output: pathlib.Path
    reached: list[int]
    stopped: tuple[int, str]
    finished: tuple[int, str]
    whole: pathlib.Path
    per_epoch: int
    began: float


def newest_step(output: pathlib.Path) -> int:
    """Returns the step of the newest checkpoint; 0 before the first."""
    # The index comes last, so that with it everything is there.
    found = (output / "checkpoints").glob("ckpt-*.index")
    return max((int(path.stem.removeprefix("ckpt-")) for path in found), default=0)


def interrupt(process: subprocess.Popen[str], output: pathlib.Path, past: int, how: int) -> None:
    """Sends a signal at a random moment after the run has saved a step beyond `past`."""
    deadline = time.monotonic() + 400
    while newest_step(output) <= past and process.poll() is None:
        assert time.monotonic() < deadline, "no checkpoint in time"
        time.sleep(0.002)
    time.sleep(MOMENTS.uniform(0, 0.3))
    process.send_signal(how)


def teacher(data: str, folder: pathlib.Path) -> str:
    """Writes scores of most of the train split, and returns the file."""
    manifest = manifests.read(data)
    truth = dataset.read_truth(data, manifest, "train")
    labels = np.where(truth.targets >= 0, truth.targets, np.nan).astype(np.float32)
    scores = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    splits, findings = np.full(len(truth.ids), "train"), tuple(manifest.findings)
    columns = [column[3:] for column in (truth.ids, truth.patients, splits, labels, scores)]
    path = str(folder / "teacher.csv")
    table.write(path, table.Predictions(*columns, findings))
    return path


@pytest.fixture(scope="module")
def history(
    train_flags: Callable[..., list[str]],
    start_trainer: Callable[[list[str]], subprocess.Popen[str]],
    preprocessed: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> History:
    """Kills one run three times and stops it once, beside a run that nobody interrupts."""
    folder = tmp_path_factory.mktemp("resume")
    settings = {**PIECES, "train__epochs": EPOCHS, "train__checkpoint_every_steps": EVERY}
    settings |= {"train__steps_per_call": 1, "train__keep_checkpoints": 2}
    settings |= {"train__teacher": teacher(preprocessed, folder)}
    per_epoch = manifests.read(preprocessed).splits["train"].examples // 4
    # TensorFlow's reader of checkpoints takes such a path for a pattern.
    cut, whole = folder / "cut [1]", folder / "whole"
    undisturbed = start_trainer(["--mode=train", *train_flags(str(whole), **settings)])
    flags = ["--mode=train", *train_flags(str(cut), **settings)]
    reached, began = [], time.time()
    for _ in range(3):
        process = start_trainer(flags)
        interrupt(process, cut, past=newest_step(cut) + MOMENTS.randrange(3), how=signal.SIGKILL)
        text, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL, text
        reached.append(newest_step(cut))
    process = start_trainer(flags)
    # Early in an epoch: at its end scoring is compiled, and after the frozen phase another step,
    # which may leave no time to save.
    begun = per_epoch * (newest_step(cut) // per_epoch + 1) + 1
    interrupt(process, cut, past=begun, how=signal.SIGTERM)
    text, _ = process.communicate(timeout=400)
    stopped = (process.returncode, text.strip().splitlines()[-1])
    process = start_trainer(flags)
    text, _ = process.communicate(timeout=400)
    finished = (process.returncode, text)
    text, _ = undisturbed.communicate(timeout=400)
    assert undisturbed.returncode == 0, text
    return History(cut, reached, stopped, finished, whole, per_epoch, began)


def variables(output: pathlib.Path, folder: str = "checkpoints") -> dict[str, np.ndarray]:
    """Reads every array of a run's newest (or best) checkpoint."""
    newest = max((output / folder).glob("ckpt-*.index"), key=lambda path: int(path.stem[5:]))
    return bundle.read(str(newest.with_suffix("")))


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not np.array_equal(one[name], other[name])]
    assert not different


def test_the_kills_came_while_the_run_was_under_way(history: History) -> None:
    total = EPOCHS * history.per_epoch
    assert 0 < history.reached[0] < history.reached[1] < history.reached[2] < total
    # Saves inside epochs are what restarts went on from.
    assert any(step % history.per_epoch for step in history.reached)


def test_sigterm_saves_and_exits_with_75(history: History) -> None:
    code, line = history.stopped
    assert code == 75
    found = re.fullmatch(
        r"cxr14-train: stopped and saved at step (\d+) of (\d+): the same command goes on.*", line
    )
    assert found, line
    assert history.reached[-1] < int(found[1]) < int(found[2])
    assert f"going on from {history.output}/checkpoints/ckpt-{found[1]}" in history.finished[1]


def test_the_same_command_finishes(history: History) -> None:
    code, text = history.finished
    assert code == 0, text
    total = EPOCHS * history.per_epoch
    assert newest_step(history.output) == newest_step(history.whole) == total
    assert (history.output / "training.json").is_file()


def test_the_final_weights_are_those_of_an_uninterrupted_run_bit_for_bit(history: History) -> None:
    found = variables(history.output)
    assert len(found) > 800  # weights, statistics, their averages and both moments of Adam
    assert_equal(found, variables(history.whole))


def test_the_best_network_is_the_same_too(history: History) -> None:
    best = "checkpoints/best"
    assert_equal(variables(history.output, best), variables(history.whole, best))
    names = [sorted(os.listdir(output / best)) for output in (history.output, history.whole)]
    assert len(names[0]) == 2
    assert names[0] == names[1]


def test_what_the_killed_processes_left_half_written_is_gone(history: History) -> None:
    folder = history.output / "checkpoints"
    whole = {path.stem for path in folder.glob("ckpt-*.index")}
    found = {path.name.partition(".")[0] for path in folder.glob("ckpt-*")}
    assert found == whole
    assert not list(folder.rglob("*tempstate*"))


def test_the_moving_average_is_of_the_batch_statistics_too(history: History) -> None:
    found = variables(history.whole)
    names = [name for name in found if "/moving_mean" in name and name.startswith("average/")]
    assert len(names) == 53
    assert all(found[name].any() for name in names)
    assert not any(
        np.array_equal(found[name], found[name.replace("average/", "network/", 1)])
        for name in names
    )


def test_the_ledger_adds_up_to_the_time_that_the_run_took(history: History) -> None:
    starts = sorted(ledger.read(str(history.output)), key=lambda start: start.began)
    assert [start.exit_code for start in starts] == [None, None, None, 75, 0]
    assert [start.first for start in starts][1:4] == history.reached
    newest = max(path.stat().st_mtime for path in (history.output / ledger.FOLDER).iterdir())
    assert starts[0].began > history.began - 1  # the kernel counts in hundredths
    wall, found = newest - starts[0].began, goodput.buckets(starts)
    assert sum(found.values()) == pytest.approx(wall, rel=0.01)
    assert found["steps"] > 0 and found["start_up"] > 0 and found["down_time"] > 0
    # Up to the end of training, so that a report is the same whenever it is made.
    text = (history.output / "training.json").read_text()
    assert json.loads(text)["goodput"]["starts"] == 5
    last = history.finished[1].strip().splitlines()[-1]
    assert re.search(r"goodput \d+% of .* of training in 5 starts", last), last
