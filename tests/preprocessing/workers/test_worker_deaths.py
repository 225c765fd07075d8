# SPDX-License-Identifier: MIT
"""A worker that the system kills ends the job, which would wait for it for ever."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from preprocessing.workers import worker_deaths


@pytest.mark.parametrize(
    ("code", "said"),
    [(-9, "by SIGKILL, as the system does when memory"), (139, "by SIGSEGV:"), (1, "with code 1:")],
)
def test_the_end_of_a_worker_is_told_by_its_cause(code: int, said: str) -> None:
    assert worker_deaths.sentence(code).startswith(f"a worker process was ended {said}")


def test_other_threads_die_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda said: seen.append(str(said.exc_value)))
    with worker_deaths.watched():
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()
    assert seen == ["integer division or modulo by zero"]


def _worker_of(pid: int) -> int | None:
    """Returns a worker process of a job, once it works."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            environment = (path / "environ").read_bytes()
        except OSError:
            continue
        if b"sdk_worker_main" in command and f"CXR14_JOB_PROCESS={pid} ".encode() in environment:
            return int(path.name)
    return None


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds the worker in /proc")
def test_a_killed_worker_ends_the_job_and_the_same_command_goes_on(
    tree, pytestconfig: pytest.Config
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (1024, 1024), np.uint8)
    for name in tree.names:  # so large that the worker is busy when it is killed
        cv2.imwrite(str(tree.find(name)), pixels)
    command = [
        *(sys.executable, "-m", "preprocessing.task", *tree.argv()[1:]),
        *("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
    ]
    where = {"cwd": pytestconfig.rootpath, "text": True}
    job = subprocess.Popen(command, stderr=subprocess.PIPE, **where)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 100
        while (worker := _worker_of(job.pid)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        said = job.communicate(timeout=60)[1]
    finally:
        job.kill()
    assert job.returncode == 74
    assert "a worker process was ended by SIGKILL, as the system" in said.splitlines()[-1]
    assert "Traceback" not in said
    done = subprocess.run(command, check=False, capture_output=True, **where)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
