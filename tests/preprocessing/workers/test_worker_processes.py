# SPDX-License-Identifier: MIT
"""Workers end with their job, the job ends with its workers, and nobody else does."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import cv2
import numpy as np
import pytest

from preprocessing.contract.process.processes import birth
from preprocessing.workers import worker_processes

ROOT = pathlib.Path(__file__).parents[3]

# A job that starts a worker through a shell, as Beam does, and tells the worker's number.
_JOB = """
import subprocess, sys, time
from preprocessing.workers import worker_processes
worker_processes.mark()
worker_processes.watch_parent()
worker = (
    "import os, time; from preprocessing.workers import worker_processes; "
    "[worker_processes.watch_parent() for _ in range(3)]; print(os.getpid(), flush=True); "
    "time.sleep(600)"
)
subprocess.Popen(f'{sys.executable} -c "{worker}"; true', shell=True)
time.sleep(600)
"""


def _ends(pid: int, born: str) -> None:
    while birth(pid) == born:  # the test's own time limit is the one of whoever runs it
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_when_its_job_is_killed(how: signal.Signals) -> None:
    job = subprocess.Popen([sys.executable, "-c", _JOB], cwd=ROOT, stdout=subprocess.PIPE)
    worker = int(job.stdout.readline())
    born = birth(worker)
    assert born
    time.sleep(1.2)  # more than one look at the job, which lives
    assert birth(worker) == born
    assert job.poll() is None
    job.send_signal(how)
    job.communicate()
    _ends(worker, born)


def test_a_process_without_a_job_or_that_is_the_job_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        pytest.fail("a thread was started")

    monkeypatch.setattr(worker_processes.threading, "Thread", fail)
    monkeypatch.delenv(worker_processes._MARK, raising=False)
    worker_processes.watch_parent()
    worker_processes.mark()
    assert os.environ[worker_processes._MARK].split() == [str(os.getpid()), birth(os.getpid())]
    worker_processes.watch_parent()


@pytest.mark.slow
def test_the_workers_of_a_killed_job_end(tree: Any) -> None:
    """They find themselves without a job while they wait for one, or in the middle of a shard."""
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    job = subprocess.Popen(
        [sys.executable, "-m", "preprocessing.task", *tree.argv(*workers)[1:]],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tree.folder)},  # what the killed leave behind
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    while not list(tree.output.glob("*.tfrecord")) and job.poll() is None:
        time.sleep(0.001)
    found = _descendants(job.pid)
    job.kill()
    job.wait()
    assert found
    for pid, born in found.items():
        _ends(pid, born)


def _descendants(pid: int) -> dict[int, str]:
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(path.parent.name)
            found |= {child: birth(child), **_descendants(child)}
    return found


_PROGRAM = """
import resource, sys
from preprocessing.workers import worker_processes
from preprocessing.contract.errors import ResourceError
resource.setrlimit(resource.RLIMIT_NOFILE, (40, int(sys.argv[1])))
try:
    worker_processes.reserve_files(4)
except ResourceError as error:
    print(error)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("hard", "said"),
    [
        (50, "this process may open 50 files at a time, and 64 are needed: raise the limit"),
        (500, "64"),
    ],
)
def test_the_limit_is_raised_where_it_may_be_and_else_named(
    hard: int, said: str, pytestconfig: pytest.Config
) -> None:
    command = [sys.executable, "-c", _PROGRAM, str(hard)]
    done = subprocess.run(
        command, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(said)


@pytest.mark.parametrize(
    ("code", "said"),
    [(-9, "by SIGKILL, as the system does when memory"), (139, "by SIGSEGV:"), (1, "with code 1:")],
)
def test_the_end_of_a_worker_is_told_by_its_cause(code: int, said: str) -> None:
    assert worker_processes.sentence(code).startswith(f"a worker process was ended {said}")


def test_other_threads_die_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda said: seen.append(str(said.exc_value)))
    with worker_processes.ending_with_them():
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
