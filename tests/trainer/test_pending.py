# SPDX-License-Identifier: MIT
"""Tests of the end of a run of two processes: whoever leaves first, a run that is over is over."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cxr14_workers import STOPPED, Job, Place, Ports, on_loopback

from preprocessing.contract.errors import RequirementError
from preprocessing.contract.files import storage
from trainer import flags
from trainer.runfolder import notes

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

_TIMES = 30 if os.environ.get("CXR14_LONG") else 1
# Beside the rest of the tests, two are enough; more would slow those down.
_BURNERS = 6 if os.environ.get("CXR14_LONG") else 2


@contextlib.contextmanager
def _busy_cores() -> Iterator[None]:
    """Keeps the cores busy: then the last message to a peer is late, and its sender is gone."""
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(_BURNERS)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.fixture
def ports() -> Iterator[list[int]]:
    made = Ports(2)
    yield made.numbers
    made.release()


@pytest.fixture
def start(
    tmp_path: pathlib.Path, ports: list[int], data_set: Any, command_line: Any
) -> Callable[..., Job]:
    """Starts both: the chief writes everything after S seconds, and waits T more."""

    def start(before: float = 0, after: float = 0, mode: str = "train", *more: str) -> Job:
        argv = command_line(data_set.folder, f"{tmp_path}/run")[1:]
        given = [*argv, f"--mode={mode}", "--config.runtime.formation_seconds=120", *more]
        return Job(
            [str(before), str(after), *given],
            folder=tmp_path,
            places=on_loopback(ports),
            module="tests.trainer.on_the_way_out",
        ).start()

    return start


@pytest.mark.parametrize("time", range(_TIMES))
def test_two_workers_end_with_0_on_busy_cores(time: int, start: Callable[..., Job]) -> None:
    with _busy_cores():
        job = start()
        codes = job.wait(300)
    assert codes == [0, 0], job.text()


def test_a_worker_whose_chief_is_lost_after_all_is_written_ends_with_0(
    start: Callable[..., Job],
) -> None:
    job = start(after=600)
    assert job.until(lambda: "all is written" in job.text(0), 120), job.text()
    job.send(signal.SIGKILL, 0)
    assert job.wait(60) == [-signal.SIGKILL, 0], job.text()


def test_a_worker_whose_chief_is_killed_before_all_is_written_ends_with_75(
    start: Callable[..., Job],
) -> None:
    job = start(before=600)
    assert job.until(lambda: "connected" in job.text(0), 120), job.text()
    job.send(signal.SIGKILL, 0)
    assert job.wait(60) == [-signal.SIGKILL, STOPPED], job.text()
    assert "lost a peer (worker 0 at 127.0.0.1:" in job.text(1)
    assert "Detected at node" not in job.text(1).rpartition("cxr14-train: lost")[2]


def test_a_chief_that_has_written_everything_needs_nobody(start: Callable[..., Job]) -> None:
    job = start(before=2)
    assert job.until(lambda: "connected" in job.text(0), 120), job.text()
    job.send(signal.SIGKILL, 1)
    assert job.wait(60) == [0, -signal.SIGKILL], job.text()


def test_a_worker_that_is_ahead_of_its_chief_does_not_score_again_what_is_scored(
    start: Callable[..., Job], tmp_path: pathlib.Path, data_set: Any, command_line: Any
) -> None:
    """As when a run is given more epochs, and none of them brings a better network.

    Nor does it end as its chief does, whose report falls short.
    """
    output = f"{tmp_path}/run"
    config = flags.parse(command_line(data_set.folder, output)).config
    note = notes.predictions_note(config, data_set.manifest, 1)
    notes.write_note(output, notes.PREDICTIONS_NOTE, note)
    storage.write_text(f"{output}/{notes.PREDICTIONS}", "of the first epochs")
    job = start(3, 0, "all", "--require=splits.test.n>4", "--require=splits.test.n>=4")
    assert job.wait(120) == [RequirementError.exit_code, 0], job.text()
    assert "short of 1 of 2 requirements: splits.test.n>4, but splits.test.n is 4" in job.text(0)
    assert "requirement" not in job.text(1)
    assert "predictions are complete" in job.text(0)  # the chief alone gives information
    assert not any("best network" in job.text(at) for at in (0, 1))


def _kept(run: pathlib.Path) -> list[pathlib.Path]:
    """Everything in a run's folder but the notes that a living run writes all the time."""
    told = ("ledger", "progress.json")
    return sorted(path for path in run.rglob("*") if not set(told) & set(path.parts))


def test_a_second_trainer_waits_ends_with_75_and_follows_one_that_was_killed(
    tmp_path: pathlib.Path, data_set: Any, command_line: Any
) -> None:
    argv = command_line(data_set.folder, f"{tmp_path}/run")[1:]

    def trainer(name: str, seconds: int) -> Job:
        given = [str(seconds), "0", *argv, "--mode=train"]
        folder, module = tmp_path / name, "tests.trainer.on_the_way_out"
        return Job(given, folder=folder, places=[Place()], module=module).start()

    first = trainer("first", 600)
    try:
        assert first.until(lambda: "connected" in first.text(), 120), first.text()
        before = _kept(tmp_path / "run")
        second = trainer("second", 0)
        assert second.wait(120) == [STOPPED]
        pid = first.workers[0].process.pid
        assert f"is being written by another job (process {pid} on " in second.text()
        assert "for which it has waited 30 s" in second.text()
        assert _kept(tmp_path / "run") == before
    finally:
        first.stop()
    third = trainer("third", 0)
    assert third.wait(120) == [0], third.text()
    assert "waiting" not in third.text()
    assert not (tmp_path / "run" / "lease").exists()
