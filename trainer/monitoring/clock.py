# SPDX-License-Identifier: MIT
"""Knows what the process is doing and for how long it did each thing; imports no TensorFlow.

There is one clock a process, started before anything that takes time is imported: the ledger of a
run reads the seconds of every phase from it, and the watchdog what goes on now and since when.
Every moment belongs to exactly one phase, the innermost that is under way, so that the seconds of
all phases add up to the life of the process.
"""

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from preprocessing.contract.process import processes

# Phase -> what a process does in it.
PHASES: Mapping[str, str] = {
    "imports": "starting Python and importing packages",
    "other": "everything without a name of its own",
    "cluster": "connecting to devices and forming the cluster",
    "check": "reading the data set once to see that it is whole",
    "build": "building the network, loading its first weights, copying shards",
    "restore": "reading a checkpoint",
    "trace": "tracing and compiling the step, and taking the first one",
    "peers": "waiting for other processes",
    "input": "waiting for batches",
    "steps": "training steps",
    "validation": "scoring the validation split",
    "checkpoint": "copying what is saved, and waiting for an earlier save",
    "evaluation": "scoring with the best network, and heat maps",
    "report": "making the report",
    "export": "exporting the network",
}
# What goes on before the first phase.
_FIRST = "imports"


@dataclasses.dataclass(frozen=True)
class Doing:
    """What a process is doing.

    Attributes:
        phase: name of the innermost phase.
        about: what it works on, such as a file; "" for nothing in particular.
        since: when it last moved, by the clock's own seconds.
        again: whether the phase was gone through before, from its beginning to its end.
    """

    phase: str
    about: str
    since: float
    again: bool = False


class Clock:
    """Seconds by phase; phases are entered by one thread and read by any.

    Args:
        now: seconds of a clock that never goes back.
        began: when the process began, by that clock.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, began: float | None = None
    ) -> None:
        self.now = now
        self._mark = now() if began is None else began
        self._doing = [Doing(_FIRST, "", self._mark)]
        self._seconds: dict[str, float] = {}
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def phase(self, name: str, about: str = "") -> Iterator[None]:
        """Counts the seconds of a block, without those of the phases inside it, as of a phase.

        Args:
            name: of `PHASES`.
            about: what the block works on.
        """
        if name not in PHASES:
            raise ValueError(f"{name} is not one of {', '.join(PHASES)}")
        with self._lock:
            self._count()
            self._doing.append(Doing(name, about, self._mark, name in self._ended))
        try:
            yield
        finally:
            with self._lock:
                self._count()
                self._ended.add(self._doing.pop().phase)
                self._doing[-1] = dataclasses.replace(self._doing[-1], since=self._mark)

    def moved(self) -> None:
        """Says that the phase under way has come a step further."""
        with self._lock:
            self._doing[-1] = dataclasses.replace(self._doing[-1], since=self.now())

    def reassign(self, seconds: float, *, source: str, to: str) -> None:
        """Counts seconds that were counted as of one phase as of another one.

        For what is known only afterwards, such as how long compiled steps waited for their input.
        """
        with self._lock:
            self._count()
            moved = max(0.0, min(seconds, self._seconds.get(source, 0.0)))
            self._seconds[source] = self._seconds.get(source, 0.0) - moved
            self._seconds[to] = self._seconds.get(to, 0.0) + moved

    @property
    def doing(self) -> Doing:
        """What goes on now."""
        return self._doing[-1]

    def seconds(self) -> Mapping[str, float]:
        """Returns phase -> seconds up to now; they add up to the time since the process began."""
        with self._lock:
            self._count()
            return dict(self._seconds)

    def _count(self) -> None:
        now, phase = self.now(), self._doing[-1].phase
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._mark
        self._mark = now


def _age() -> float:
    """Seconds since the kernel started this process; 0 where it does not say so."""
    ticks = processes.birth(os.getpid())
    if not ticks.isdecimal() or not int(ticks):  # a sandbox may know none
        return 0.0
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return max(0.0, since_boot - int(ticks) / os.sysconf("SC_CLK_TCK"))


CLOCK = Clock(began=time.monotonic() - _age())
