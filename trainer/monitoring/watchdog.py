# SPDX-License-Identifier: MIT
"""Ends a process in which nothing moves any more, and says what it was at; no TensorFlow.

A thread of Python looks once a second, which works as long as what hangs has released the
interpreter's lock, as TensorFlow does while it computes, reads and waits for others.
"""

import contextlib
import datetime
import faulthandler
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from absl import logging

from preprocessing.contract.errors import StoppedError
from preprocessing.contract.files import storage
from preprocessing.contract.process.progress import Progress
from trainer.distribution.cluster import Cluster
from trainer.monitoring.clock import CLOCK, PHASES, Doing
from trainer.monitoring.heartbeats import Heartbeats
from trainer.monitoring.notify import NOTIFIER
from trainer.monitoring.pulse import PULSE

_MOST_CHARACTERS = 200_000
# How long the stacks and the sentence may take: who reads or stores them may hang too.
_WORDS_S, _WRITE_S = 12.0, 4.0
# What is done for the first time may stand still for so many times the setting, and what is known
# for so many times its longest wait: a run that becomes ten times slower does not hang.
_FIRST, _SLOWER = 6.0, 12.0
# What holds parts of several kinds, of which most come for the first time.
_MIXED = ("other", "build", "evaluation", "export")
# These have deadlines of their own, or need none: a report only computes, between stores that have.
_UNWATCHED = ("imports", "cluster", "report")


class Patience:
    """Decides how long each phase may go without moving, from what it took before.

    Attributes:
        idle: seconds since something moved, of those in which the watchdog was awake: a process
            that was stopped, or a machine that slept, has not waited meanwhile.
    """

    def __init__(self, floor: float) -> None:
        self.idle, self._floor = 0.0, floor
        self._longest: dict[str, float] = {}
        self._stretch = "", 0.0

    def allows(self, doing: Doing, seconds: float) -> bool:
        """Tells whether what goes on may go on, `seconds` after the last call."""
        if (doing.phase, doing.since) != self._stretch:
            before = self._stretch[0]
            self._longest[before] = max(self._longest.get(before, 0.0), self.idle)
            self._stretch, self.idle = (doing.phase, doing.since), 0.0
        else:
            self.idle += seconds
        return doing.phase in _UNWATCHED or self.idle <= self.most(doing)

    def most(self, doing: Doing) -> float:
        """Returns for how many seconds what goes on may stand still."""
        phase = doing.phase
        # What took less than the time between two looks was seen by the clock alone.
        known = doing.again or phase in self._longest
        times = 1.0 if known and phase not in _MIXED else _FIRST
        return max(times * self._floor, _SLOWER * self._longest.get(phase, 0.0))


class Watchdog:
    """Watches this process.

    Args:
        data: folder of the data set.
        output: folder of the run.
        floor: `runtime.stall_seconds`.
        peers: the processes of the run.
        end: ends the process at once, with a sentence.
    """

    def __init__(
        self, data: str, output: str, floor: float, peers: Cluster, end: Callable[[str], None]
    ) -> None:
        self._data, self._output, self._peers, self._end = data, output, peers, end
        self._patience, self._heartbeats = Patience(floor), Heartbeats(output, floor, peers)
        self._look_s = min(1.0, floor / 20)
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watches for the length of a block."""
        Progress.moved = CLOCK.moved
        if not self._look_s:
            yield
            return
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        self._heartbeats.start(self._over)
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        last, well = time.monotonic(), True
        while well and not self._over.wait(self._look_s):
            now = time.monotonic()
            # What is more than a look late did not run meanwhile, and neither did the rest.
            well = self.look(min(now - last, 2 * self._look_s))
            last = now

    def look(self, seconds: float) -> bool:
        """Looks, `seconds` after the last time; ends the process, or returns that all is well."""
        doing = PULSE.doing
        if self._patience.allows(doing, seconds):
            return True
        # Whoever is at work while others wait for it has a watchdog of its own.
        waits = doing.phase == "peers"
        what = self._heartbeats.blamed() if waits else PHASES[doing.phase]
        if what:
            # A log or a store that hangs as well must not keep the process.
            last = threading.Timer(_WORDS_S, os._exit, [StoppedError.exit_code])
            last.daemon = True
            last.start()
            self._tell(doing, what)
            last.cancel()
        return not what

    def _tell(self, doing: Doing, what: str) -> None:
        sentence, stacks = self._sentence(doing, what), _stacks()
        with contextlib.suppress(Exception):
            logging.error(stacks)
        where = f" and in {kept}" if (kept := self._keep(f"{sentence}\n\n{stacks}")) else ""
        NOTIFIER.stalled(sentence)
        self._end(
            f"{sentence}: the stacks of all threads are above{where}; the same command goes on "
            "from the last checkpoint"
        )

    def _sentence(self, doing: Doing, what: str) -> str:
        own = self._peers.names([self._peers.number]) if self._peers.hosts else []
        about = f", {doing.about}" if doing.about else ""
        if doing.phase in ("input", "check", "validation", "evaluation"):
            about += f", of {self._data}{_open_files(self._data)}"
        idle, most = self._patience.idle, self._patience.most(doing)
        since = datetime.datetime.now() - datetime.timedelta(seconds=idle)
        return (
            f"{own[0] if own else f'the process on {socket.gethostname()}'} hangs in {doing.phase} "
            f"({what}{about}): nothing has moved since {since:%H:%M:%S}, for {idle:.0f} s of at "
            f"most {most:.0f} s (runtime.stall_seconds)"
        )

    def _keep(self, text: str) -> str:
        """Writes stacks into the run's folder; returns where, "" if that did not work in time."""
        path = storage.join(self._output, "stalls", f"worker-{self._peers.number}.txt")
        done = threading.Event()

        def write() -> None:
            with contextlib.suppress(Exception):
                storage.write_text(path, text)
                done.set()

        threading.Thread(target=write, daemon=True).start()
        return path if done.wait(_WRITE_S) else ""


def _stacks() -> str:
    with contextlib.suppress(OSError), tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read(_MOST_CHARACTERS).decode(errors="replace")
    return "(no room for the stacks)"


def _open_files(folder: str) -> str:
    """Returns which files below a local folder this process has open, as part of a sentence."""
    names, below = set(), os.path.join(os.path.realpath(folder), "")
    for at in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        with contextlib.suppress(OSError):
            names.add(os.readlink(f"/proc/self/fd/{at}"))
    found = sorted(name.removeprefix(below) for name in names if name.startswith(below))
    return f", open: {', '.join(found[:3])}" if found else ""
