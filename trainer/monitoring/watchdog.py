# SPDX-License-Identifier: MIT
"""Ends a process in which nothing moves any more, and says what it was at; no TensorFlow.

A thread of Python looks once a second, which it can as long as whoever hangs has let go of the
interpreter, as TensorFlow does while it computes, reads and waits for others.
"""

import contextlib
import datetime
import faulthandler
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from preprocessing.contract.errors import StoppedError
from preprocessing.contract.files import storage
from preprocessing.contract.process.progress import Progress
from trainer.distribution.cluster import Cluster
from trainer.monitoring.clock import CLOCK, PHASES, Doing
from trainer.monitoring.pulse import PULSE

FOLDER = "stalls"
_KEPT, _MOST_CHARACTERS = 20, 200_000
# How long the stacks and the sentence may take: who reads them may hang too.
_WORDS_S, _WRITE_S = 10.0, 4.0
_LOOK_S = 1.0
# What is done for the first time may wait for so many times the setting, and what is known for so
# many times its longest wait: a run that becomes ten times slower is no run that hangs.
_FIRST, _SLOWER = 6.0, 12.0
# These have deadlines of their own, or none is needed.
_UNWATCHED = ("imports", "cluster", "peers")


class Patience:
    """Decides how long each phase may go without moving, from what it took before.

    Seconds are those in which the watchdog was awake: a process that was stopped, or a machine that
    slept, has not waited meanwhile.

    Attributes:
        idle: seconds since something moved.

    Args:
        floor: seconds that every phase has.
    """

    def __init__(self, floor: float) -> None:
        self.idle = 0.0
        self._floor, self._longest = floor, dict[str, float]()
        self._stretch = "", 0.0

    def allows(self, doing: Doing, seconds: float) -> bool:
        """Tells whether what goes on may go on.

        Args:
            doing: what goes on.
            seconds: since the last call, as far as the watchdog was awake.
        """
        if (doing.phase, doing.since) != self._stretch:
            before = self._stretch[0]
            self._longest[before] = max(self._longest.get(before, 0.0), self.idle)
            self._stretch, self.idle = (doing.phase, doing.since), 0.0
        else:
            self.idle += seconds
        return doing.phase in _UNWATCHED or self.idle <= self.most(doing.phase)

    def most(self, phase: str) -> float:
        """Returns for how many seconds a phase may stand still."""
        if phase not in self._longest:
            return _FIRST * self._floor
        return max(self._floor, _SLOWER * self._longest[phase])


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
        self._patience = Patience(floor)
        self._look_s = min(_LOOK_S, floor / 4)
        self._about = ""
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watches for the length of a block."""
        Progress.moved = CLOCK.moved
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        if self._look_s:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            if self._look_s:
                thread.join()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._over.wait(self._look_s):
            now = time.monotonic()
            # What is more than a look late did not run meanwhile, and neither did the rest.
            if not self.look(min(now - last, 2 * self._look_s)):
                return
            last = now

    def look(self, seconds: float) -> bool:
        """Looks once, and ends the process if it hangs.

        Args:
            seconds: since the last look, as far as the watchdog was awake.

        Returns:
            Whether all is well.
        """
        doing = PULSE.doing
        self._about = doing.about or self._about
        if self._patience.allows(doing, seconds):
            return True
        # A log or a store that hangs as well must not keep the process.
        last = threading.Timer(_WORDS_S, os._exit, [StoppedError.exit_code])
        last.daemon = True
        last.start()
        self._tell(doing)
        last.cancel()
        return False

    def _tell(self, doing: Doing) -> None:
        stacks = _stacks()
        with contextlib.suppress(Exception):
            print(stacks, file=sys.stderr, flush=True)
        kept = self._keep(f"{self._sentence(doing)}\n\n{stacks}")
        where = f" and in {kept}" if kept else ""
        self._end(
            f"{self._sentence(doing)}: the stacks of all threads are above{where}; the same "
            "command goes on from the last checkpoint"
        )

    def _sentence(self, doing: Doing) -> str:
        own = self._peers.names([self._peers.number]) if self._peers.hosts else []
        who = own[0] if own else f"the process on {socket.gethostname()}"
        what = f"{doing.phase} ({PHASES[doing.phase]}{self._works_on(doing.phase)})"
        idle, most = self._patience.idle, self._patience.most(doing.phase)
        since = datetime.datetime.now() - datetime.timedelta(seconds=idle)
        return (
            f"{who} hangs in {what}: nothing has moved since {since:%H:%M:%S}, for {idle:.0f} s of "
            f"at most {most:.0f} s (runtime.stall_seconds)"
        )

    def _works_on(self, phase: str) -> str:
        at = f", {self._about}" if self._about else ""
        if phase not in ("input", "check", "validation", "evaluation"):
            return at
        shards = ", ".join(_open_files(self._data)[:3])
        return f"{at}, of {self._data}{f'; open: {shards}' if shards else ''}"

    def _keep(self, text: str) -> str:
        """Writes stacks into the run's folder; returns where, "" if that did not work in time."""
        now = datetime.datetime.now(datetime.timezone.utc)
        folder = storage.join(self._output, FOLDER)
        path = storage.join(folder, f"{now:%Y%m%dT%H%M%SZ}-worker{self._peers.number}.txt")
        done = threading.Event()

        def write() -> None:
            with contextlib.suppress(Exception):
                storage.write_text(path, text)
                done.set()
                for old in sorted(storage.list_files(folder))[:-_KEPT]:
                    storage.delete(old)

        threading.Thread(target=write, daemon=True).start()
        return path if done.wait(_WRITE_S) else ""


def _stacks() -> str:
    with contextlib.suppress(OSError), tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read(_MOST_CHARACTERS).decode(errors="replace")
    return "(no room for the stacks)"


def _open_files(folder: str) -> list[str]:
    """Returns the names of the files below a local folder that this process has open."""
    names = set()
    with contextlib.suppress(OSError):
        for at in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                names.add(os.readlink(f"/proc/self/fd/{at}"))
    below = os.path.join(os.path.realpath(folder), "")
    return sorted(name.removeprefix(below) for name in names if name.startswith(below))
