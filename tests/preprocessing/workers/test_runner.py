# SPDX-License-Identifier: MIT
"""Beam gets its own flags, mistakes in them are told at once, and workers change no byte."""

import pathlib
import re
import subprocess
import sys
from typing import Any

import apache_beam as beam
import cv2
import numpy as np
import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from preprocessing.contract.errors import JobError, UnavailableError, UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.radiographs import Recipe
from preprocessing.shards import shards
from preprocessing.sources.row import Row
from preprocessing.transforms import spread, write_shard
from preprocessing.workers import runner


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--max_rejectd=1"], "neither cxr14-preprocess nor Beam knows --max_rejectd=1"),
        (["--runer=DirectRunner"], "--runer=DirectRunner"),
        (["stray"], "stray"),
        (["--direct_num_workers=many"], "--direct_num_workers: invalid int value: 'many'"),
        (["--direct_running_mode=fast"], "--direct_running_mode"),
        (["--runner=NoRunner"], "--runner=NoRunner cannot be used"),
        (["--runner=apache_beam.NoRunner"], "--runner=apache_beam.NoRunner cannot be used"),
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
        rows.append(Row(path.name, str(number), (0, 1), uri=str(path)))
    return shards.plan(
        rows,
        split="train",
        output=str(folder / output),
        recipe=Recipe(32, "png"),
        examples_per_shard=3,
    )


def _run(tasks: list[shards.ShardTask], arguments: list[str]) -> None:
    runner.run(
        spread(tasks, write_shard),
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
    last = capsys.readouterr().out.splitlines()[-1]
    assert " INFO preprocessing: 12 of 12 images, " in last


_DASK = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
_ELSEWHERE = (
    ["--runner=FlinkRunner", "--flink_master=cluster:8081"],
    ["--runner=PortableRunner", "--job_endpoint=cluster:8099"],
    ["--runner=SparkRunner", "--spark_master_url=spark://cluster:7077"],
    [_DASK, "--dask_client_address=tcp://cluster:8786"],
)
_HERE = (
    [],
    ["--direct_running_mode=multi_processing"],
    ["--runner=DirectRunner"],
    ["--runner=direct"],
    ["--runner=FnApiRunner"],
    ["--runner=PrismRunner"],
    ["--runner=FlinkRunner"],
    ["--runner=FlinkRunner", "--flink_master=localhost:8081"],
    ["--runner=PortableRunner", "--job_endpoint=127.0.0.1:8099"],
    ["--runner=SparkRunner"],
    [_DASK],
)


def _options(arguments: list[str]) -> PipelineOptions:
    if _DASK in arguments:
        pytest.importorskip("dask")
    return runner.options(arguments, images=10)


@pytest.mark.parametrize("arguments", _ELSEWHERE)
def test_files_of_this_machine_are_refused_where_other_machines_do_the_work(
    arguments: list[str],
) -> None:
    chosen = _options(arguments)
    runner.refuse_local_paths(chosen, {"images": "gs://b/i", "labels": "", "output": "s3://b/o"})
    with pytest.raises(UsageError) as caught:
        runner.refuse_local_paths(chosen, {"images": "gs://b/i", "labels": "/data/l.csv"})
    assert "Runner works on other machines, which cannot see --labels=/data/l.csv" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", _HERE)
def test_files_of_this_machine_are_welcome_where_it_does_the_work(arguments: list[str]) -> None:
    runner.refuse_local_paths(_options(arguments), {"images": "/data", "output": "out"})


_WORKERS = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]


@pytest.mark.parametrize("arguments", [[], pytest.param(_WORKERS, marks=pytest.mark.slow)])
def test_an_error_in_a_worker_is_one_sentence_that_names_path_and_cause(
    tmp_path: pathlib.Path, arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    tasks = _tasks(tmp_path, "out")
    target = tmp_path / "out" / tasks[0].name
    target.mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        _run(tasks[:1], arguments)
    said = str(caught.value)
    assert re.match(rf"{target} cannot be used \(Is a directory\): check the path and its", said)
    printed = capfd.readouterr()
    assert printed.err == ""
    assert " INFO preprocessing: 0 of 3 images" in printed.out or not printed.out


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
from preprocessing import task
sys.exit(task.main(sys.argv))
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], _WORKERS])
def test_a_full_disk_ends_the_job_in_one_sentence(
    tree: Any, tmp_path: pathlib.Path, arguments: list[str]
) -> None:
    """The limit of a process stands for the limit of a disk: both fail while a shard is written."""
    large = ["--config.stored_size=64", "--config.examples_per_shard=40", *arguments]
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, *tree.argv(*large)[1:]],
        cwd=pathlib.Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 74, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert all(" INFO preprocessing: 0 of 40 images" in line for line in done.stdout.splitlines())
    path = r"cxr14-preprocess: .*/out/\w+-0.*\.tfrecord"
    assert re.match(rf"{path} cannot be written \(File too large\): make room there, ", sentence)
    left = [path.name for path in tree.output.rglob("*") if path.is_file()]
    assert left == ["job.json"]
    again = subprocess.run(
        [sys.executable, "-m", "preprocessing.task", *tree.argv(*large)[1:]],
        cwd=pathlib.Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr


def _away(item: tuple[str, bool]) -> None:
    path, finishes = item
    if finishes:
        storage.write_text(path, "{}")
    raise UnavailableError("the store stayed away: run the same command again")


@pytest.mark.parametrize(("finishes", "code"), [(True, 75), (False, 74)])
def test_a_store_that_stays_away_counts_where_nothing_was_finished(
    tmp_path: pathlib.Path, finishes: bool, code: int
) -> None:
    path = f"{tmp_path}/_progress/train-0.json"
    work = beam.Create([(path, finishes)]) | beam.Map(_away)
    options = runner.options(["--runner=FnApiRunner"], images=1)
    with pytest.raises(JobError, match="the store stayed away") as caught:
        runner.run(work, options, title="work", unit="images", finished={path: 1})
    assert caught.value.exit_code == code
