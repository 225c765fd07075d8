# SPDX-License-Identifier: MIT
"""The table of results has one line for each run, whoever writes at the same time."""

import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import threading
from typing import Any

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from trainer import task
from trainer.config import Config
from trainer.experiments import results
from trainer.runfolder import notes


def row(name: str, **more: str) -> results.Row:
    return {**dict.fromkeys(results.COLUMNS, ""), "run": name, "finished": "2026", **more}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_line_of_a_run_that_is_made_again_replaces_its_old_one(tmp_path: pathlib.Path) -> None:
    path = f"{tmp_path}/results.csv"
    for name, seed, files in (("=a", "1", "preset:demo"), ("b", "2", ""), ("=a", "3", "")):
        results.put(path, row(name, seed=seed, config=files))
    found = rows(storage.read_bytes(path))
    # The file of settings is known from the training, when only the report is made again.
    assert [(each["run"], each["seed"], each["config"]) for each in found] == [
        ("'=a", "3", "preset:demo"),
        ("b", "2", ""),
    ]
    assert os.listdir(tmp_path) == ["results.csv"]


def test_columns_of_a_later_version_are_kept() -> None:
    old = b"run,finished,extra\na,2025,7\nb,2025,8\n"
    found = rows(results.replaced("t.csv", old, row("b", seed="1")))
    assert [(each["run"], each["seed"], each["extra"]) for each in found] == [
        ("a", "", "7"),
        ("b", "1", ""),
    ]


@pytest.mark.parametrize(
    "data", [b"name,age\n", b"run,finished\na\n", b"run,finished\na,b,c\n", b"\xff", b"x"]
)
def test_a_file_that_is_no_table_of_results_is_left_alone(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^t\.csv is not .*move it away"):
        results.replaced("t.csv", data, row("a"))


_WRITER = """
import sys
from trainer.experiments import results
for number in range(8):
    name = f"{sys.argv[2]}-{number}"
    results.put(sys.argv[1], {**dict.fromkeys(results.COLUMNS, ""), "run": name})
"""


def test_no_line_is_lost_where_processes_write_at_once(tmp_path: pathlib.Path) -> None:
    path = f"{tmp_path}/results.csv"
    started = [subprocess.Popen([sys.executable, "-c", _WRITER, path, f"{at}"]) for at in range(4)]
    assert [process.wait(120) for process in started] == [0] * 4
    found = {each["run"] for each in rows(storage.read_bytes(path))}
    assert found == {f"{writer}-{number}" for writer in range(4) for number in range(8)}


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_no_line_is_lost_in_a_bucket(on_gcs: Any, bucket: str) -> None:
    path = f"{bucket}/{results.NAME}"

    def write(writer: int) -> None:
        for number in range(4):
            results.put(path, row(f"{writer}-{number}"))

    threads = [threading.Thread(target=write, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(on_gcs.read(path))) == 16


def make_run(folder: pathlib.Path) -> None:
    config = Config(seed=3)
    config.train.epochs = 2
    area = {"value": 0.8, "low": 0.75, "high": 0.85}
    split = {key: area for key in ("mean_auc", "micro_auc", "mean_average_precision")}
    training = {"best_step": 5, "finished": "2026-01-02T03:04:05Z", "steps": 6, "epochs": 2}
    training |= {"identity": "abc", "images_per_second": 12.5}
    notes.write_note(str(folder), notes.TRAINING, training)
    notes.write_note(str(folder), notes.PREDICTIONS_NOTE, {"step": 5})
    (folder / "report").mkdir()
    (folder / notes.REPORT).write_text(json.dumps({"splits": {"test": split}}))
    (folder / notes.CONFIG).write_text("seed: 3\ntrain: {epochs: 2}\n")


def test_a_whole_run_has_its_line_beside_it(tmp_path: pathlib.Path) -> None:
    make_run(tmp_path / "run")
    results.note(f"{tmp_path}/run/", ["preset:demo", "own.yaml"])
    assert rows((tmp_path / "results.csv").read_bytes()) == [
        {
            **dict.fromkeys(results.COLUMNS, ""),
            **{"run": "run", "finished": "2026-01-02T03:04:05Z", "config": "preset:demo own.yaml"},
            **{"settings": "train.epochs=2", "seed": "3", "steps": "6", "epochs": "2"},
            **{"test_mean_auc": "0.8", "test_mean_auc_low": "0.75", "test_mean_auc_high": "0.85"},
            **{"test_micro_auc": "0.8", "test_mean_average_precision": "0.8"},
            **{"images_per_second": "12.5", "identity": "abc"},
        }
    ]


@pytest.mark.slow
def test_a_command_for_all_stages_leaves_a_line(finished_run: Any) -> None:
    assert task.main(finished_run.argv) == 0
    (found,) = rows((pathlib.Path(finished_run.output).parent / results.NAME).read_bytes())
    report = json.loads(pathlib.Path(finished_run.output, notes.REPORT).read_text())
    assert (found["run"], found["steps"], found["seed"]) == ("out", "7", "0")
    for split in ("validation", "test"):
        area = report["splits"][split]["mean_auc"]["value"]
        assert float(found[f"{split}_mean_auc"]) == pytest.approx(area, rel=1e-5)


def test_a_run_that_was_trained_on_since_its_report_gets_no_line(tmp_path: pathlib.Path) -> None:
    make_run(tmp_path / "run")
    notes.write_note(f"{tmp_path}/run", notes.PREDICTIONS_NOTE, {"step": 4})
    results.note(f"{tmp_path}/run")
    assert os.listdir(tmp_path) == ["run"]


def test_a_table_that_cannot_be_written_is_only_warned_of(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_run(tmp_path / "run")
    (tmp_path / "results.csv").mkdir()
    results.note(f"{tmp_path}/run")
    (tmp_path / "results.csv").rmdir()
    (tmp_path / "results.csv").write_text("mine\n")
    results.note(f"{tmp_path}/run")
    assert caplog.text.count("gets no line of the run run") == 2
    assert (tmp_path / "results.csv").read_text() == "mine\n"
