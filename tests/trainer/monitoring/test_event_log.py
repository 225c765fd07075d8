# SPDX-License-Identifier: MIT
"""Logs of several starts, read back by both of TensorBoard's readers, whatever the clock did."""

import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from preprocessing.contract.files import patience
from trainer.config import Config
from trainer.monitoring import event_log
from trainer.monitoring.event_log import EventLog, folder_of, next_name
from trainer.monitoring.monitor import Monitor

NOW = 1_800_000_000.0
LABELS = np.array([[1.0], [0.0], [0.0]])
SCORES = np.array([[0.9], [0.2], [0.3]], np.float32)


def _clock(start: float) -> Callable[[], float]:
    """A clock that was set to some time and goes on from there."""
    began = time.monotonic()
    return lambda: start + time.monotonic() - began


def _run(folder: pathlib.Path, data_set: Any, *, now: float, first: int, last: int) -> None:
    """Logs as a training does that goes on from `first`, with 10 steps an epoch, and is killed."""
    monitor = Monitor(str(folder), _clock(now))
    monitor.begin(first, config=Config(), manifest=data_set.manifest)
    for step in range(first, last + 1):
        if step > first:
            monitor.training(step, {"train/loss": now - NOW + step})
        if step and step % 10 == 0:
            aucs = {"Mass": 0.75}
            monitor.validation(step, mean_auc=0.5, aucs=aucs, labels=LABELS, scores=SCORES)
    monitor.flush()


def _points(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Returns tag -> (step, value) in the order in which TensorBoard's slow reader has them."""
    log = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    log.Reload()
    return {
        tag: [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in log.Tensors(tag)]
        for tag in ("train/loss", "validation/mean_auc")
    }


@pytest.mark.parametrize("back", [0.0, 7200.0, 1e6, -7200.0], ids=["", "2h", "11 days", "forth"])
def test_a_restart_takes_the_place_of_what_it_repeats(
    data_set: Any, tmp_path: pathlib.Path, back: float
) -> None:
    """Killed at step 25, gone on with from 20 by a clock set back, and from 30 once more."""
    _run(tmp_path, data_set, now=NOW, first=0, last=25)
    _run(tmp_path, data_set, now=NOW - back, first=20, last=34)
    _run(tmp_path, data_set, now=NOW - 2 * back, first=30, last=40)
    points = _points(tmp_path)
    assert [step for step, _ in points["train/loss"]] == [*range(1, 41)]
    assert dict(points["train/loss"])[25] == 25 - back  # that of the second start
    assert dict(points["train/loss"])[34] == 34 - 2 * back
    assert [step for step, _ in points["validation/mean_auc"]] == [10, 20, 30, 40]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [path.name for path in sorted(tmp_path.iterdir(), key=_birth)]


def _birth(path: pathlib.Path) -> int:
    return path.stat().st_mtime_ns


def test_times_never_go_back(data_set: Any, tmp_path: pathlib.Path) -> None:
    for now in (NOW, NOW - 5000, NOW - 9000):
        _run(tmp_path, data_set, now=now, first=0, last=3)
    log = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}, purge_orphaned_data=False)
    log.Reload()
    times = [event.wall_time for event in log.Tensors("train/loss")]
    assert len(times) == 9
    assert times == sorted(times)


def test_a_file_that_is_cut_short_is_read_as_far_as_it_goes(
    data_set: Any, tmp_path: pathlib.Path
) -> None:
    _run(tmp_path, data_set, now=NOW, first=0, last=25)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    _run(tmp_path, data_set, now=NOW - 100, first=20, last=30)
    assert [step for step, _ in _points(tmp_path)["train/loss"]] == [*range(1, 31)]


def test_names_rise() -> None:
    names = ["events.out.tfevents.0000000900.host.1.0.v2", "x", "events.out.tfevents.5.report-1"]
    assert next_name(names, 100.5, ".a") == "events.out.tfevents.0000000901.a"
    assert next_name(names, 1000.5, ".a") == "events.out.tfevents.0000001000.a"
    assert next_name([], 5.0, ".a") == "events.out.tfevents.0000000005.a"


def test_a_log_that_cannot_be_written_is_a_warning_now_and_then(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monitor = Monitor(f"{blocked}/log")
    for step in range(1, 4):
        monitor.training(step, {"train/loss": 1.0})
        monitor.flush()
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert " WARNING TensorBoard's events could not be written (" in sentence
    assert "Not a directory" in sentence
    monkeypatch.setattr(event_log, "_QUIET_S", 0.0)
    monitor.flush()
    assert "WARNING" in capsys.readouterr().err
    blocked.unlink()  # what could not be written then is written now
    monitor.flush()
    assert [step for step, _ in _loss(f"{blocked}/log")] == [1, 2, 3]


def _loss(folder: str) -> list[tuple[int, float]]:
    log = EventAccumulator(folder, size_guidance={"tensors": 0})
    log.Reload()
    return [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in log.Tensors("train/loss")]


@pytest.mark.parametrize("status", [403, 503])
def test_a_bucket_that_takes_no_events_is_a_warning(
    on_gcs: Any,
    bucket: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.1)
    on_gcs.spoil(bucket[5:], "status", argument=status, times=1000)
    monitor = Monitor(f"{bucket}/log")
    monitor.training(1, {"train/loss": 1.0})
    monitor.flush()
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert f"HTTP {status}" in sentence
    on_gcs.forget()
    monitor.training(2, {"train/loss": 2.0})
    monitor.flush()
    assert _loss(f"{bucket}/log") == [(1, 1.0), (2, 2.0)]


def test_a_long_log_in_a_bucket_is_several_files(
    on_gcs: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_ROLL_BYTES", 300)
    monitor = Monitor(f"{bucket}/log")
    for step in range(1, 31):
        monitor.training(step, {"train/loss": 1.0})
        monitor.flush()
    assert 3 < len(on_gcs.names(f"{bucket}/log")) < 31
    assert [step for step, _ in _loss(f"{bucket}/log")] == [*range(1, 31)]


def test_events_are_written_after_a_while_without_being_asked(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_FLUSH_S", 0.0)
    log = EventLog(str(tmp_path))
    log.add(1, [])
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("output", "variable", "expected"),
    [
        ("/runs/a", None, "/runs/a/tensorboard"),
        ("gs://bucket/run/", None, "gs://bucket/run/tensorboard"),
        ("gs://bucket/run", "", "gs://bucket/run/tensorboard"),
        ("gs://bucket/run", "gs://bucket/job/logs/", "gs://bucket/job/logs"),
        ("gs://bucket/run", "gs://bucket/job/logs", "gs://bucket/job/logs"),
    ],
)
def test_vertex_ai_says_where_if_it_shows_the_log(
    output: str, variable: str | None, expected: str
) -> None:
    environ = {} if variable is None else {"AIP_TENSORBOARD_LOG_DIR": variable}
    assert folder_of(output, environ) == expected
