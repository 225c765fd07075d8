# SPDX-License-Identifier: MIT
"""Tests of whole training runs: options together, a loss that breaks, starts that get nowhere."""

import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.contract.files import storage
from trainer import task
from trainer.checkpoints import bundle
from trainer.data import teacher
from trainer.training import divergence, starts

pytestmark = pytest.mark.slow


def test_average_parts_frozen_start_plateau_and_cache_work_together(
    data_set: Any, tmp_path: pathlib.Path, command_line: Callable[..., list[str]]
) -> None:
    output = str(tmp_path / "run")
    argv = command_line(
        data_set.folder,
        output,
        train__epochs=2,
        train__frozen_epochs=1,
        train__accumulation_steps=2,
        optimizer__ema_decay=0.9,
        optimizer__clip_norm=1.0,
        optimizer__schedule="plateau",
        model__batch_norm="per_replica",
        data__cache="memory",
    )
    assert task.main([*argv, "--mode=train"]) == 0
    newest = bundle.read(bundle.newest_first(storage.join(output, "checkpoints"))[0])
    best = bundle.read(bundle.newest_first(storage.join(output, "checkpoints", "best"))[0])
    note = json.loads((tmp_path / "run" / "training.json").read_text())
    name = "conv1_conv/kernel"
    assert (newest[f"network/{name}"] != newest[f"average/{name}"]).any()
    if note["best_step"] == note["steps"]:
        np.testing.assert_array_equal(best[f"network/{name}"], newest[f"average/{name}"])
    assert note["steps"] == 14


def test_a_student_learns_from_what_a_finished_run_says_of_the_train_split(
    data_set: Any,
    finished_run: Any,
    small_backbone: None,
    tmp_path: pathlib.Path,
    command_line: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [f"--data={data_set.folder}", f"--output={finished_run.output}", "--split=train"]
    assert task.main(["cxr14-train", "--mode=evaluate", *given]) == 0
    file = tmp_path / "teacher.csv"
    shutil.move(f"{finished_run.output}/predictions/train.csv", file)
    output = tmp_path / "run"
    student = {
        "train__teacher": file,
        "loss__name": "focal",
        "loss__class_weights": "balanced",
        "loss__label_smoothing": 0.05,
        "train__accumulation_steps": 2,
    }
    argv = [*command_line(data_set.folder, str(output), **student), "--mode=train"]
    assert task.main(argv) == 0
    note = json.loads((output / teacher.NOTE).read_text())
    assert note == {"files": ["teacher.csv"], "sha256": [storage.sha256_of(str(file))]}
    # More of it is another run, where the scores are others.
    file.write_text(file.read_text().replace("0.", "0.0"))
    assert task.main([*argv, "--config.train.epochs=2"]) == 78
    assert "is not the file that the run in" in capsys.readouterr().err
    other = [one for one in argv if "train.teacher" not in one]
    assert task.main([*other, "--config.train.teacher=/none.csv"]) == 78
    assert "another train.teacher" in capsys.readouterr().err
    new = [one.replace(str(output), f"{tmp_path}/new") for one in other]
    assert task.main([*new, "--config.train.teacher=/none.csv"]) == 65
    assert "/none.csv: there is no such predictions file" in capsys.readouterr().err


def test_a_loss_that_breaks_stops_the_run_and_names_step_and_examples(
    data_set: Any,
    tmp_path: pathlib.Path,
    command_line: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "run"
    argv = command_line(
        data_set.folder,
        str(output),
        optimizer__name="sgd",
        optimizer__learning_rate=900.0,
        train__checkpoint_every_steps=1,
    )
    assert task.main([*argv, "--mode=train"]) == 78
    said = capsys.readouterr().err.strip().splitlines()[-1]
    note = json.loads((output / divergence.NOTE).read_text())
    assert f"the loss of step {note['step']} is" in said
    assert note["checkpoint"] in said
    named = {one["id"] for one in note["examples"]}
    assert len(named) == 4
    assert named <= set(data_set.targets)
    step = bundle.step_of(note["checkpoint"])
    assert step <= note["step"]
    weights = bundle.read(note["checkpoint"])
    assert all(
        np.isfinite(value).all() for name, value in weights.items() if name.startswith("network/")
    )


def test_a_run_that_never_gets_anywhere_gives_up(
    data_set: Any,
    tmp_path: pathlib.Path,
    command_line: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "run"
    for _ in range(2):
        starts.count(str(output), steps=[], most=2)
    argv = command_line(data_set.folder, str(output), train__max_fruitless_starts=2)
    assert task.main([*argv, "--mode=train"]) == 78
    assert "2 starts in a row from the beginning" in capsys.readouterr().err
    assert not tf.io.gfile.exists(str(output / "training.json"))
