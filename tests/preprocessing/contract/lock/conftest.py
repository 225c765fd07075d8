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


class Job:
    """A process that holds the lock of a folder, or says why it does not."""

    def __init__(
        self, output: str, environment: dict[str, str], *, beat_s: float, stale_s: float
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _JOB, output, str(beat_s), str(stale_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def says(self) -> str:
        """Waits for the next line; "" when the process has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> int:
        """Makes it leave the block; returns its exit code."""
        self.process.communicate("\n")
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
        job = Job(output, environment or dict(os.environ), beat_s=beat_s, stale_s=stale_s)
        started.append(job)
        return job

    yield start
    for job in started:
        job.kill()
