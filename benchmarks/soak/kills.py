# SPDX-License-Identifier: MIT
"""Starts a run again and again until it is finished, kills it now and then, and keeps a record."""

import contextlib
import dataclasses
import importlib.util
import json
import pathlib
import random
import signal
import sys
import time
from typing import Any

import psutil

from benchmarks.soak import checks

ROOT = pathlib.Path(__file__).parents[2]
PATIENCE = 600  # seconds without a new checkpoint after which a start counts as hung
LAST_WORDS = 30.0  # seconds in which the others have to notice that a worker is lost
GRACE = 15.0  # seconds from SIGTERM to the end


def _load_workers() -> Any:
    # The folders of tests are no packages.
    path = ROOT / "tests" / "cluster" / "workers.py"
    specification = importlib.util.spec_from_file_location("cxr14_workers", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


workers = _load_workers()


@dataclasses.dataclass
class Start:
    """One start of all workers, to the end of the last of them.

    Attributes:
        run: number of the run that it belongs to, -1 for the reference.
        began: minutes since the soak began.
        lived: seconds to the end, or to the interruption.
        event: finished, or the signal and who got it.
        codes: exit codes.
        gone: seconds from the interruption to the end of the last worker; 0 without one.
        steps: newest checkpoint's step before and after.
        memory: resident MiB of each worker, by second: [[second, worker 0, worker 1], ...].
        files: most open files of a worker.
        written: files in the run's folder, at the end.
        scratch: files in the workers' folder for temporary files, at the end.
    """

    run: int
    began: float
    lived: float = 0.0
    event: str = "finished"
    codes: list[int | None] = dataclasses.field(default_factory=list)
    gone: float = 0.0
    steps: tuple[int, int] = (0, 0)
    memory: list[list[float]] = dataclasses.field(default_factory=list)
    files: int = 0
    written: int = 0
    scratch: int = 0


class Soak:
    """Keeps the record of all starts, in `soak.json` beside the runs too.

    Args:
        folder: where everything lies.
        seed: decides the moments and kinds of the kills.
        count: workers.
        pause: shortest and longest time between two kills, in minutes.
    """

    def __init__(
        self, folder: pathlib.Path, *, seed: int, count: int, pause: tuple[float, float]
    ) -> None:
        self.folder, self._count, self._pause = folder, count, pause
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self.starts: list[Start] = []
        self.problems: list[str] = []

    @property
    def minutes(self) -> float:
        """Minutes since the soak began."""
        return (time.monotonic() - self._began) / 60

    def problem(self, text: str) -> None:
        """Notes what should not have been."""
        self.problems.append(f"at {self.minutes:.1f} min: {text}")
        print(f"PROBLEM {self.problems[-1]}", flush=True)

    def finish(self, run: int, flags: list[str], output: pathlib.Path, *, until: float) -> bool:
        """Starts a run again and again until it is finished, and kills it up to a time.

        Args:
            run: its number.
            flags: of the trainer.
            output: its folder.
            until: minute of the soak after which it is left alone; 0 for at once.

        Returns:
            Whether it finished: without a new checkpoint in ten starts it never will.
        """
        logs = self.folder / "logs" / f"run{run}"
        ports = workers.Ports(self._count)
        places = workers.on_loopback(ports.numbers) if self._count > 1 else [workers.Place()]
        job = workers.Job(flags, folder=logs, places=places)
        fruitless = 0
        try:
            while fruitless < 10:
                start = self._one_start(job, run, output, until)
                if start.codes == [0] * self._count:
                    return True
                fruitless = 0 if start.steps[1] > start.steps[0] else fruitless + 1
            self.problem(f"run {run}: {fruitless} starts in a row came to no new checkpoint")
            return False
        finally:
            job.stop()
            ports.release()

    def _one_start(self, job: Any, run: int, output: pathlib.Path, until: float) -> Start:
        start = Start(run, round(self.minutes, 2))
        before = workers.newest_step(output)
        began = time.monotonic()
        job.start()
        pause = 60 * self._random.uniform(*self._pause)
        kill_at = began + pause if self.minutes + pause / 60 < until else float("inf")
        self._watch(job, start, output, kill_at)
        start.lived = round(time.monotonic() - began, 1)
        if len(job.alive) == self._count and time.monotonic() >= kill_at:
            self._interrupt(job, start)
        elif job.alive:
            self._await_the_others(job, start)
        start.codes = job.codes
        start.steps = (before, workers.newest_step(output))
        start.written = sum(path.is_file() for path in output.rglob("*"))
        start.scratch = sum(path.is_file() for path in job.scratch.rglob("*"))
        self._judge(start, job)
        self.starts.append(start)
        print(checks.line(start), flush=True)
        self.save()
        return start

    def _watch(self, job: Any, start: Start, output: pathlib.Path, kill_at: float) -> None:
        """Looks after the workers until one ends, hangs, or is to be killed."""
        began = seen = time.monotonic()
        state: tuple[Any, ...] = ()
        processes = [psutil.Process(worker.process.pid) for worker in job.workers]
        last = 0.0
        while len(job.alive) == self._count and (now := time.monotonic()) < kill_at:
            if now - last > 5:
                last = now
                with contextlib.suppress(psutil.Error):
                    memory = [process.memory_info().rss / 2**20 for process in processes]
                    start.memory.append([round(now - began), *map(round, memory)])
                    files = max(process.num_fds() for process in processes)
                    start.files = max(start.files, files)
            here = (workers.newest_step(output), [w.log.stat().st_size for w in job.workers])
            if here != state:
                state, seen = here, now
            if now - seen > PATIENCE:
                self.problem(f"run {start.run} hangs:\n{job.text()}")
                return
            time.sleep(0.2)

    def _interrupt(self, job: Any, start: Start) -> None:
        number = self._random.choice([signal.SIGKILL, signal.SIGTERM])
        which = self._random.choice([(), (self._random.randrange(self._count),)])
        name = "all" if not which else f"worker {which[0]}"
        start.event = f"{signal.Signals(number).name} to {name}"
        began = time.monotonic()
        job.send(number, *which)
        if number == signal.SIGTERM:
            # Who is told to stop has little time; the others then have to notice that it is gone.
            self._gather(job, GRACE, *which)
        self._gather(job, LAST_WORDS)
        start.gone = round(max(worker.ended for worker in job.workers) - began, 2)

    def _await_the_others(self, job: Any, start: Start) -> None:
        """One worker ended by itself: the chief may still write its report, or something is up."""
        codes = [code for code in job.codes if code is not None]
        start.event = "hung" if not codes else "finished"
        if any(codes):
            start.event = "a worker ended by itself"
        self._gather(job, LAST_WORDS if any(codes) or not codes else PATIENCE)

    def _gather(self, job: Any, seconds: float, *which: int) -> None:
        """Waits for workers to end, all by default; those that outstay it are killed: noted."""
        try:
            job.wait(seconds, *which)
        except AssertionError as error:
            self.problem(str(error))

    def _judge(self, start: Start, job: Any) -> None:
        fine = {0, 75}
        if start.event.startswith("SIGKILL"):
            fine.add(-signal.SIGKILL)
        if not set(start.codes) <= fine or start.event == "a worker ended by itself":
            text = f"run {start.run}, {start.event}: exit codes {start.codes}\n{job.text()}"
            self.problem(text)
        if start.event == "finished" and any(start.codes):
            self.problem(f"run {start.run} ended by itself with {start.codes}\n{job.text()}")

    def save(self) -> None:
        """Writes what is known so far."""
        record = {"starts": list(map(dataclasses.asdict, self.starts)), "problems": self.problems}
        (self.folder / "soak.json").write_text(json.dumps(record, indent=1))
