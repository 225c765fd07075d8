# SPDX-License-Identifier: MIT
"""Answers SIGTERM and Ctrl-C from a process's first moments on; imports nothing that takes time.

As process 1 of a container, a program that has not yet asked for SIGTERM never gets it. So this is
the first thing that a command line imports, and `listening` the first that it calls.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

from preprocessing.contract.errors import StoppedError
from preprocessing.contract.process import log

# Spot machines on Google's Kubernetes Engine give 15 seconds, whatever a pod asks for.
GRACE_SECONDS = 12.0
_TIDY_SECONDS = 2.0
# A program that passes signals on sends what the terminal has sent already.
_ECHO_SECONDS = 0.5
_NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}

_AT_LEAVING: list[Callable[[], None]] = []


@contextlib.contextmanager
def tidied(tidy: Callable[[], None]) -> Iterator[None]:
    """Has something done if the process ends by `StopRequests.leave` while a block runs.

    Args:
        tidy: called in a thread of its own, for which the process waits no more than 2 s.
    """
    _AT_LEAVING.append(tidy)
    try:
        yield
    finally:
        _AT_LEAVING.remove(tidy)


@contextlib.contextmanager
def unheard_by_children() -> Iterator[None]:
    """Keeps Ctrl-C, which a terminal sends to all, from processes that are started in a block.

    For the main thread; a request that comes meanwhile reaches the thread that listens.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class StopRequests:
    """Whether SIGTERM or Ctrl-C has come, known to a thread even while the main one is busy.

    The first request lets a block that saves its state go on for a while; outside of such a block,
    and at a second Ctrl-C, the process ends at once.

    Attributes:
        end: ends the process at once, with a sentence; by default `leave`.
        came: whether a request has come.

    Args:
        end: see above.
        grace: seconds for which a block that holds a request back may go on.
        program: name of the command, for its sentences.
    """

    def __init__(
        self,
        end: Callable[[str], None] | None = None,
        grace: float = GRACE_SECONDS,
        program: str = "cxr14-train",
    ) -> None:
        self.end, self._grace, self._program = end or self.leave, grace, program
        self._holding = False
        self._interrupted = 0.0
        self.came = threading.Event()

    @contextlib.contextmanager
    def listening(self) -> Iterator["StopRequests"]:
        """Answers requests for the length of a block: at once, unless `held` says otherwise."""
        read, write = socket.socketpair()
        write.setblocking(False)
        # A shell starts what runs in the background with Ctrl-C ignored; so it stays.
        heard = [number for number in _NAMES if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, _noted) for number in heard}
        wakeup = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(read,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            write.close()
            thread.join()
            read.close()

    def renew(self) -> None:
        """Takes SIGTERM back from TensorFlow, whose service for clusters has a handler of its own.

        For the main thread, inside `listening`, when a cluster has formed.
        """
        signal.signal(signal.SIGTERM, _noted)

    @contextlib.contextmanager
    def held(self) -> Iterator[Callable[[], bool]]:
        """Lets a block that can save its state go on after a request, for the length of the grace.

        Yields:
            A function that tells whether a request has come.
        """
        self._holding = True
        try:
            yield self.came.is_set
        finally:
            self._holding = False

    def leave(self, sentence: str) -> None:
        """Ends the process here and now: nothing that is written counts before it is whole.

        Args:
            sentence: why, for the log.
        """
        try:
            self._say(sentence, StoppedError.exit_code)
            # In threads of their own: a store that does not answer must not keep the process.
            threads = [threading.Thread(target=tidy, daemon=True) for tidy in tuple(_AT_LEAVING)]
            deadline = time.monotonic() + _TIDY_SECONDS
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            log.end()
        finally:
            os._exit(StoppedError.exit_code)

    def _listen(self, signals: socket.socket) -> None:
        # Every signal with a handler arrives here, as the byte of its number.
        while received := signals.recv(1):
            number = received[0]
            if number not in _NAMES:
                continue
            by = f"stopped by {_NAMES[signal.Signals(number)]}"
            # 1. After the first request only a second Ctrl-C counts, and not the echo of the first.
            if self.came.is_set():
                if number == signal.SIGINT and self._is_repeated():
                    self.end(f"{by}, given twice: the same command goes on from the last save")
                continue
            # 2. The first: with nothing to save the process ends here.
            self._interrupted = time.monotonic()
            self.came.set()
            if not self._holding:
                self.end(f"{by}: the same command goes on")
                continue
            # 3. A save may go on, but not for longer than the grace.
            late = (
                f"{by} before a save was done: the same command goes on from the last checkpoint, "
                "if there is one"
            )
            timer = threading.Timer(self._grace, self.end, [late])
            timer.daemon = True
            timer.start()
            self._say(f"{by}: saving")

    def _say(self, sentence: str, exit_code: int | None = None) -> None:
        # A log that cannot be written, on a full disk for example, must not keep the process.
        with contextlib.suppress(Exception):
            log.say(self._program, sentence, exit_code)

    def _is_repeated(self) -> bool:
        return time.monotonic() - self._interrupted > _ECHO_SECONDS


def _noted(number: int, frame: object) -> None:
    """Does nothing: the byte that Python writes for every handled signal is what counts."""
