# SPDX-License-Identifier: MIT
"""Training jobs of several processes, as a platform runs them: start, signal, wait, start again.

`tests/conftest.py` makes the fixture `cluster` known everywhere; `benchmarks/soak/` uses the
classes too.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]
STOPPED = 75
LITTER = re.compile(r"tempstate|\.partial-|_temp\b|\.tmp$|\.temp")

# What would tell a worker of another cluster than the one that the test gives it.
_FOREIGN = re.compile(r"TF_CONFIG|CLUSTER_SPEC|CXR14_|JOBSET_|JOB_COMPLETION_INDEX|TPU_|AIP_")
# Whatever becomes of the process that started them, the workers end with it.
_MORTAL = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
# Without it, workers on one machine take the cores from each other most of the time.
_SHARED_CORES = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
# Below the ports that Linux gives to outgoing connections.
_PORTS = range(20_000, 32_000)
# What TensorFlow says at every start, and Python at the end of a list of stacks.
_NOISE = re.compile(r"WARNING: All log messages|[IE]0000 .*(oneDNN|cuda|cuInit)|Extension modules:")
_INDEX = re.compile(r"ckpt-(\d+)\.index")


class Ports:
    """Ports that no other test takes as long as they are held, though nobody listens yet."""

    def __init__(self, count: int) -> None:
        self._locks: list[int] = []
        self.numbers: list[int] = []
        folder = pathlib.Path(tempfile.gettempdir()) / f"cxr14-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True)
        for port in random.SystemRandom().sample(_PORTS, 1000):
            if len(self.numbers) < count and self._take(folder / str(port), port):
                self.numbers.append(port)
        assert len(self.numbers) == count, "no free ports"

    def _take(self, path: pathlib.Path, port: int) -> bool:
        # TensorFlow's server shares a port with another one without a word, so a test has to ask
        # the other tests, not only the system.
        lock = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.closing(socket.socket()) as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            return False
        self._locks.append(lock)
        return True

    def release(self) -> None:
        """Lets others have the ports."""
        while self._locks:
            os.close(self._locks.pop())


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a worker runs: what its platform puts into the environment."""

    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)


def on_loopback(ports: Sequence[int]) -> list[Place]:
    """Returns one place for each port, told by TF_CONFIG."""
    hosts = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    tasks = [{"type": "worker", "index": at} for at in range(len(ports))]
    return [Place({"TF_CONFIG": json.dumps({"cluster": hosts, "task": task})}) for task in tasks]


@dataclasses.dataclass
class Worker:
    """One process; the times are of the monotonic clock, `ended` when it was seen to be gone."""

    process: subprocess.Popen[bytes]
    log: pathlib.Path
    began: float
    ended: float = 0.0

    @property
    def is_alive(self) -> bool:
        if self.process.poll() is None:
            return True
        self.ended = self.ended or time.monotonic()
        return False


class Job:
    """A job whose workers are started together, as often as somebody likes, by one command line.

    Args:
        flags: of the trainer, the same for all; or one list for each worker.
        folder: for the logs, and for what the workers write to TMPDIR.
        places: where each worker runs.
        module: what they run.
    """

    def __init__(
        self,
        flags: Sequence[str] | Sequence[Sequence[str]],
        *,
        folder: pathlib.Path,
        places: Sequence[Place],
        module: str = "trainer.task",
    ) -> None:
        one_for_all = all(isinstance(flag, str) for flag in flags)
        self._flags: list[Any] = [flags] * len(places) if one_for_all else list(flags)
        self._places, self._module, self._folder = places, module, folder
        self.scratch = folder / "tmp"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.starts = 0
        self.workers: list[Worker] = []

    def start(self) -> "Job":
        """Starts all workers; those of the start before must be gone."""
        assert not self.alive, "workers of the start before are still there"
        self.workers = [self._start(at, place) for at, place in enumerate(self._places)]
        self.starts += 1
        return self

    def _start(self, at: int, place: Place) -> Worker:
        kept = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
        environ = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "PYTHONFAULTHANDLER": "1",  # SIGABRT shows where a worker hangs
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TMPDIR": str(self.scratch),
            **(_SHARED_CORES if len(self._places) > 1 else {}),
            **place.environ,
        }
        log = self._folder / f"start{self.starts:03d}-worker{at}.log"
        command = [*_MORTAL, sys.executable, "-m", self._module, *self._flags[at]]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                env=environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Worker(process, log, time.monotonic())

    @property
    def alive(self) -> list[int]:
        """The numbers of the workers that run."""
        return [at for at, worker in enumerate(self.workers) if worker.is_alive]

    @property
    def codes(self) -> list[int | None]:
        """The exit code of each worker, negative for a signal, None while it runs."""
        return [worker.process.poll() for worker in self.workers]

    def send(self, number: int, *which: int) -> list[int]:
        """Sends a signal to some workers, or to all; returns those that were there to get it."""
        there = [at for at in which or range(len(self.workers)) if self.workers[at].is_alive]
        for at in there:
            self.workers[at].process.send_signal(number)
        return there

    def wait(self, seconds: float, *which: int) -> list[int | None]:
        """Waits until workers are gone, all by default, and returns the exit codes of all.

        Raises:
            AssertionError: some are still there; they are killed, and where they hung is told.
        """
        deadline = time.monotonic() + seconds
        while left := [at for at in self.alive if not which or at in which]:
            if time.monotonic() > deadline:
                self.send(signal.SIGABRT)
                time.sleep(1)
                self.stop()
                raise AssertionError(f"workers {left} still ran after {seconds} s\n{self.text()}")
            time.sleep(0.01)
        return self.codes

    def until(self, reached: Callable[[], Any], seconds: float) -> bool:
        """Waits until something is reached; False if a worker ended before.

        Raises:
            AssertionError: neither came to pass; the workers are killed.
        """
        deadline = time.monotonic() + seconds
        while not reached():
            if len(self.alive) < len(self.workers):
                return False
            if time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"not reached after {seconds} s\n{self.text()}")
            time.sleep(0.001)
        return True

    def stop(self) -> None:
        """Kills what is left, with everything that it has started."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()

    def text(self, worker: int | None = None, *, tail: int = 4000) -> str:
        """Returns what one worker or all of them have printed since their start, its end."""
        which = range(len(self.workers)) if worker is None else [worker]
        parts = []
        for at in which:
            lines = self.workers[at].log.read_text(errors="replace").splitlines()
            printed = "\n".join(line for line in lines if not _NOISE.match(line))[-tail:]
            parts.append(f"--- worker {at}, exit code {self.codes[at]} ---\n{printed}")
        return "\n".join(parts)


class Cluster:
    """Makes jobs, and ends them all; reads what they leave.

    Args:
        folder: for logs and scratch files.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._jobs: list[Job] = []
        self._ports: list[Ports] = []

    def job(
        self,
        flags: Sequence[Any],
        *,
        workers: int = 1,
        module: str = "trainer.task",
    ) -> Job:
        """Returns a job on loopback, not started yet; a single worker learns of no cluster."""
        places = [Place()]
        if workers > 1:
            self._ports.append(Ports(workers))
            places = on_loopback(self._ports[-1].numbers)
        folder = self._folder / f"job{len(self._jobs):02d}"
        self._jobs.append(Job(flags, folder=folder, places=places, module=module))
        return self._jobs[-1]

    def end(self) -> None:
        """Leaves no process behind."""
        for job in self._jobs:
            job.stop()
        for ports in self._ports:
            ports.release()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Starts jobs of several processes."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


def newest_step(output: pathlib.Path, folder: str = "checkpoints") -> int:
    """Returns the step of the newest checkpoint by what lies in the folder; 0 before the first."""
    try:
        found = [_INDEX.fullmatch(name) for name in os.listdir(output / folder)]
    except FileNotFoundError:
        return 0
    return max((int(match[1]) for match in found if match), default=0)


def litter(folder: pathlib.Path) -> list[str]:
    """Returns the files below a folder that an interrupted save or write has left."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    return sorted(name for name in names if LITTER.search(name))
