# SPDX-License-Identifier: MIT
"""Jobs in processes of their own that hold a lock until they are told to leave."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[4]
_JOB = """
import sys
from preprocessing.contract import lock
from preprocessing.contract.errors import JobError
try:
    with lock.hold(sys.argv[1], beat_s=float(sys.argv[2]), stale_s=float(sys.argv[3])):
        print("holds", flush=True)
        sys.stdin.readline()
    print("left", flush=True)
except JobError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""

# Holds a lease, and removes a file of the run for each line that it reads.
_RUN = """
import os, sys
from preprocessing.contract import lock
from preprocessing.contract.files import storage
from preprocessing.contract.errors import JobError
from preprocessing.contract.lock import holder
from preprocessing.contract.process import log
from preprocessing.contract.process.stopping import StopRequests
log.configure([])
output, machine, wait_s, stale_s = sys.argv[1:]
if machine:
    holder._machine = lambda: machine
try:
    with StopRequests(program="run").listening() as stops, lock.lease(
        output, stops.end, wait_s=float(wait_s), beat_s=float(stale_s) / 5, stale_s=float(stale_s)
    ) as check:
        print("holds", flush=True)
        for line in sys.stdin:
            if line == "leave\\n":
                break
            check()
            storage.delete(storage.join(output, line.strip()))
    print("left", flush=True)
except JobError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


class Job:
    """A process that holds the lock of a folder, or says why it does not."""

    def __init__(self, program: str, environment: dict[str, str], *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if program == _RUN else None,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def says(self) -> str:
        """Waits for the next line; "" when the process has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self, word: str = "") -> int:
        """Makes it leave the block; returns its exit code."""
        self.process.communicate(f"{word}\n")
        return self.process.returncode

    def kill(self) -> None:
        """Kills it so that it can do nothing more."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start_job() -> Iterator[Callable[..., Job]]:
    """Starts a job on an output; those that are left over are killed at the end."""
    started: list[Job] = []

    def start(
        output: str,
        environment: dict[str, str] | None = None,
        *,
        beat_s: float = 0.2,
        stale_s: float = 1.5,
    ) -> Job:
        job = Job(_JOB, environment or dict(os.environ), output, beat_s, stale_s)
        started.append(job)
        return job

    yield start
    for job in started:
        job.kill()


@pytest.fixture
def start_run() -> Iterator[Callable[..., Job]]:
    """Starts a process that holds the lease of an output, as if on a machine of another name."""
    started: list[Job] = []

    def start(
        output: str,
        environment: dict[str, str],
        *,
        machine: str = "",
        wait_s: float = 20,
        stale_s: float = 1.5,
    ) -> Job:
        started.append(Job(_RUN, environment, output, machine, wait_s, stale_s))
        return started[-1]

    yield start
    for job in started:
        job.kill()
