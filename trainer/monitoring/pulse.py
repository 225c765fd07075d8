# SPDX-License-Identifier: MIT
"""Knows from inside of compiled steps what they wait for: a batch, other processes or nobody.

A call of several steps says nothing to the host until it is over, and one that hangs never does. So
the steps tell when a batch is asked for and there, and their sum over the processes. No TensorFlow.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from trainer.monitoring.clock import CLOCK, Clock, Doing

_STEPPING = ("trace", "steps", "validation", "evaluation")

_T = TypeVar("_T")


class Pulse:
    """Counts the moments of the steps; any thread may tell of one, and any may ask.

    Attributes:
        replicas: of this process; 0 where it is alone and tells nothing of sums.
        waited: seconds in which this process had done its part and other ones had not.
    """

    def __init__(self, clock: Clock = CLOCK) -> None:
        self.replicas, self.waited = 0, 0.0
        self._clock, self._lock = clock, threading.Lock()
        self._awaited = 0  # batches that were asked for and are not there
        self._done = 0  # replicas of this process that wait for the sum
        self._ended: set[str] = set()
        self._since = self._moved = clock.now()

    def asked(self) -> float:
        """A batch is asked for; like the other moments, returns when, in seconds."""
        return self._count(batches=1)

    def got(self) -> float:
        """The batch is there."""
        return self._count(batches=-1)

    def computed(self) -> float:
        """A replica of this process has done its part of what is summed over all processes."""
        return self._count(replicas=1)

    def summed(self) -> float:
        """The sum is there, for a replica of this process."""
        return self._count(replicas=-1)

    def over(self, batches: Iterable[_T]) -> Iterator[_T]:
        """Yields batches, and tells when each is asked for and is there."""
        source = iter(batches)
        while True:
            self.asked()
            try:
                batch = next(source)
            except StopIteration:
                return
            finally:
                self.got()
            yield batch

    @property
    def doing(self) -> Doing:
        """What goes on now: that of the clock, or of the steps where these know more."""
        doing = self._clock.doing
        with self._lock:
            if doing.phase not in _STEPPING or self._moved <= doing.since:
                return doing
            phase = "peers" if self._is_summing else "input" if self._awaited > 0 else ""
            again = phase in self._ended if phase else doing.again and doing.phase != "trace"
            phase = phase or ("steps" if doing.phase == "trace" else doing.phase)
            return Doing(phase, doing.about, self._moved, again)

    @property
    def _is_summing(self) -> bool:
        return bool(self.replicas) and self._done >= self.replicas

    def _count(self, *, batches: int = 0, replicas: int = 0) -> float:
        with self._lock:
            before, self._moved = self._is_summing, self._clock.now()
            self._awaited += batches
            self._done += replicas
            if batches < 0:
                self._ended.add("input")
            if before and replicas < 0:
                self._ended.add("peers")
                self.waited += self._moved - self._since
            elif self._is_summing and not before:
                self._since = self._moved
            return self._moved


PULSE = Pulse()
