# SPDX-License-Identifier: MIT
"""Workers end with their job, and nobody else does."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from preprocessing.contract.process.processes import birth
from preprocessing.workers import orphans

ROOT = pathlib.Path(__file__).parents[3]

# A job that starts a worker through a shell, as Beam does, and tells the worker's number.
_JOB = """
import subprocess, sys, time
from preprocessing.workers import orphans
orphans.mark()
orphans.watch_parent()
worker = (
    "import os, time; from preprocessing.workers import orphans; "
    "[orphans.watch_parent() for _ in range(3)]; print(os.getpid(), flush=True); time.sleep(600)"
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

    monkeypatch.setattr(orphans.threading, "Thread", fail)
    monkeypatch.delenv(orphans._MARK, raising=False)
    orphans.watch_parent()
    orphans.mark()
    assert os.environ[orphans._MARK].split() == [str(os.getpid()), birth(os.getpid())]
    orphans.watch_parent()


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
