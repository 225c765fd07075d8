# SPDX-License-Identifier: MIT
"""Locks a folder of a bucket by an object that is renewed for as long as its job lives.

Stores other than gs:// cannot name the version that a write replaces: of two jobs that are started
there in the same instant, both may go on.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator

from preprocessing.contract.errors import StoppedError
from preprocessing.contract.files import buckets, storage
from preprocessing.contract.lock.heart import Heart
from preprocessing.contract.process.stopping import tidied

# Sent to the main thread by the thread that renews the lock.
_LOST = signal.SIGUSR1


def taken_over(output: str) -> str:
    """Says that the lock of an output was lost."""
    return (
        f"{output} was taken over by another job, because this one was silent for too long: "
        "leave it to that job"
    )


@contextlib.contextmanager
def hold(path: str, output: str, *, beat_s: float, stale_s: float) -> Iterator[None]:
    """Holds the lock of an output in a bucket; `path` is that of the lock's object."""
    interrupts = threading.current_thread() is threading.main_thread()

    def interrupt() -> None:
        if interrupts:
            signal.pthread_kill(threading.main_thread().ident or 0, _LOST)

    store = buckets.of(storage.scheme_of(path))
    heart = Heart(store, path, output, beat_s=beat_s, stale_s=stale_s, on_loss=interrupt)
    heart.take()
    try:
        with _interruptible(), tidied(heart.stop):
            heart.start()
            try:
                yield
            finally:
                heart.stop()
    except KeyboardInterrupt:
        if not heart.lost:  # else it was the heart that interrupted
            raise
    if heart.lost:
        raise StoppedError(taken_over(output))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Lets the heart interrupt the main thread, also where SIGINT is ignored.

    A shell starts what runs in the background so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(_LOST, interrupt)
    try:
        yield
    finally:
        signal.signal(_LOST, before)
