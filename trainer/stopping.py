# SPDX-License-Identifier: MIT
"""Answers SIGTERM within the grace that a pre-empted machine gives; imports no TensorFlow."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from preprocessing.contract.errors import StoppedError

# Spot machines on Google's Kubernetes Engine give 15 seconds, whatever a pod asks for.
GRACE_SECONDS = 12.0


class StopRequests:
    """Whether SIGTERM has come, known to a thread even while TensorFlow holds the main one.

    Args:
        end: called with a sentence when the process has to end at once; by default it ends.
        grace: seconds for which a block that holds a request back may go on.
    """

    def __init__(
        self, end: Callable[[str], None] | None = None, grace: float = GRACE_SECONDS
    ) -> None:
        self._end, self._grace = end or leave, grace
        self._holding = False
        self.came = threading.Event()

    @contextlib.contextmanager
    def listening(self) -> Iterator["StopRequests"]:
        """Answers SIGTERM for the length of a block: at once, unless `held` says otherwise."""
        read, write = socket.socketpair()
        write.setblocking(False)
        handler = signal.signal(signal.SIGTERM, _noted)
        before = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(read,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            signal.set_wakeup_fd(before)
            signal.signal(signal.SIGTERM, handler)
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

    def _listen(self, signals: socket.socket) -> None:
        # Every signal with a handler arrives here, as the byte of its number.
        while received := signals.recv(1):
            if received[0] == signal.SIGTERM and not self.came.is_set():
                self.came.set()
                if not self._holding:
                    self._end("stopped by SIGTERM: the same command goes on")
                    continue
                late = "stopped by SIGTERM before a save was done: the same command goes on from "
                timer = threading.Timer(self._grace, self._end, [late + "the last checkpoint"])
                timer.daemon = True
                timer.start()


def _noted(number: int, frame: object) -> None:
    """Does nothing: the byte that Python writes for every handled signal is what counts."""


def leave(sentence: str, tidy: Callable[[], None] = lambda: None) -> None:
    """Ends the process here and now: nothing that is written counts before it is whole.

    Args:
        sentence: why, for the log.
        tidy: called last; it must be quick.
    """
    print(f"cxr14-train: {sentence}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    tidy()
    os._exit(StoppedError.exit_code)
