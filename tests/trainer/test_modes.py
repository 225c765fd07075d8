# SPDX-License-Identifier: MIT
"""Tests of the end of a run of two processes: whoever leaves first, a run that is over is over."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cxr14_workers import STOPPED, Job, Ports, on_loopback

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

_TIMES = 30 if os.environ.get("CXR14_LONG") else 2
_BURNERS = 4


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


def _job(folder: pathlib.Path, ports: list[int], argv: list[str], seconds: float) -> Job:
    flags = [str(seconds), *argv[1:], "--mode=train", "--config.runtime.formation_seconds=120"]
    return Job(
        flags, folder=folder, places=on_loopback(ports), module="tests.trainer.on_the_way_out"
    )


@pytest.mark.parametrize("time", range(_TIMES))
def test_two_workers_end_with_0_on_busy_cores(
    time: int, tmp_path: pathlib.Path, ports: list[int], data_set: Any, command_line: Any
) -> None:
    argv = command_line(data_set.folder, f"{tmp_path}/run")
    job = _job(tmp_path, ports, argv, 0.0)
    with _busy_cores():
        codes = job.start().wait(300)
    assert codes == [0, 0], job.text()


def test_a_worker_whose_chief_is_killed_before_all_is_written_ends_with_75(
    tmp_path: pathlib.Path, ports: list[int], data_set: Any, command_line: Any
) -> None:
    job = _job(tmp_path, ports, command_line(data_set.folder, f"{tmp_path}/run"), 600.0)
    job.start().until(lambda: "connected" in job.text(0), 120)
    job.send(signal.SIGKILL, 0)
    assert job.wait(60) == [-signal.SIGKILL, STOPPED]
    assert "lost a peer (worker 0 at" in job.text(1)


def test_a_chief_that_has_written_everything_needs_nobody(
    tmp_path: pathlib.Path, ports: list[int], data_set: Any, command_line: Any
) -> None:
    job = _job(tmp_path, ports, command_line(data_set.folder, f"{tmp_path}/run"), 2.0)
    job.start().until(lambda: "connected" in job.text(0), 120)
    job.send(signal.SIGKILL, 1)
    assert job.wait(60) == [0, -signal.SIGKILL], job.text()
