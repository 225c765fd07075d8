# SPDX-License-Identifier: MIT
"""Beam gets its own flags, mistakes in them are told at once, and workers change no byte."""

import pathlib

import cv2
import numpy as np
import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from preprocessing import runner, shards
from preprocessing.contract.errors import UsageError
from preprocessing.pictures import Recipe
from preprocessing.sources.row import Row
from preprocessing.transforms import Spread, WriteShard


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--max_rejectd=1"], "neither cxr14-preprocess nor Beam knows --max_rejectd=1"),
        (["--runer=DirectRunner"], "--runer=DirectRunner"),
        (["stray"], "stray"),
        (["--direct_num_workers=many"], "--direct_num_workers: invalid int value: 'many'"),
        (["--direct_running_mode=fast"], "--direct_running_mode"),
        (["--runner=NoRunner"], "--runner=NoRunner cannot be used"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line_before_any_work(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        runner.options(arguments, images=10)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr() == ("", "")


def _direct(arguments: list[str], images: int) -> tuple[str, str, int]:
    chosen = runner.options(arguments, images=images)
    direct = chosen.view_as(DirectOptions)
    name = chosen.view_as(StandardOptions).runner
    return name, direct.direct_running_mode, direct.direct_num_workers


def test_many_images_use_all_cores_and_few_start_no_process() -> None:
    assert _direct([], 100_000) == ("DirectRunner", "multi_processing", 0)
    assert _direct([], 10) == ("DirectRunner", "in_memory", 1)


def test_flags_given_win_over_the_defaults() -> None:
    given = ["--direct_running_mode=multi_processing", "--direct_num_workers=3"]
    assert _direct(given, 10)[1:] == ("multi_processing", 3)
    assert _direct(["--runner=FnApiRunner"], 100_000) == ("FnApiRunner", "in_memory", 1)


def _tasks(folder: pathlib.Path, output: str) -> list[shards.ShardTask]:
    random = np.random.default_rng(2)
    rows = []
    for number in range(12):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), random.integers(0, 256, (64, 64), np.uint8))
        rows.append(Row(path.name, str(number), (0, 1), str(path)))
    return shards.plan(
        rows,
        split="train",
        output=str(folder / output),
        recipe=Recipe(32, "png"),
        examples_per_shard=3,
    )


def _run(tasks: list[shards.ShardTask], arguments: list[str]) -> None:
    runner.run(
        Spread(tasks, WriteShard),
        runner.options(arguments, images=12),
        title="preprocessing",
        unit="images",
        finished={shards.note_path(task): len(task.rows) for task in tasks},
    )


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_two_worker_processes_give_the_bytes_of_none(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(_tasks(tmp_path, "alone"), [])
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    two = ["--runner=FnApiRunner", *workers]
    _run(_tasks(tmp_path, "two"), two)
    alone = _content(tmp_path / "alone")
    assert len(alone) == 8  # four shards, each with its note
    assert _content(tmp_path / "two") == alone
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("preprocessing: 12 of 12 images, ")


def test_an_error_in_a_worker_ends_the_run(tmp_path: pathlib.Path) -> None:
    tasks = _tasks(tmp_path, "out")
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(RuntimeError, match="while running"):
        _run(tasks, [])
