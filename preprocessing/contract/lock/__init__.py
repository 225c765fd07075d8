# SPDX-License-Identifier: MIT
"""Keeps two jobs from writing one folder, without a lock that outlives a killed job.

`hold` is for a data set, which its second job is refused; `lease` for a run, whose second job is
often the successor of the first, and waits for its end.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator

from preprocessing.contract.errors import StoppedError
from preprocessing.contract.files import buckets, storage
from preprocessing.contract.lock import disk
from preprocessing.contract.lock.heart import Heart
from preprocessing.contract.lock.holder import taken_over
from preprocessing.contract.lock.leases import lease
from preprocessing.contract.process.stopping import tidied

__all__ = ["FOLDER", "NAME", "hold", "lease"]

FOLDER, NAME = "_progress", "lock"
_BEAT_S = 15.0
_STALE_S = 90.0
# Sent to the main thread by the thread that renews the lock.
_LOST = signal.SIGUSR1


@contextlib.contextmanager
def hold(output: str, *, beat_s: float = _BEAT_S, stale_s: float = _STALE_S) -> Iterator[None]:
    """Holds the lock of a data set's folder for the time of a `with` block.

    On a file system the kernel holds it; in a bucket it is an object that is renewed for as long as
    its job lives. Stores other than gs:// cannot name the version that a write replaces: of two
    jobs that are started there in the same instant, both may go on.

    Args:
        output: the folder, local or in a bucket; a local one is made.
        beat_s: seconds between two renewals of a lock in a bucket.
        stale_s: seconds without renewal after which such a lock may be taken over.

    Raises:
        UsageError: another job works on the folder, or nothing can be written there.
        StoppedError: another job took over, because this one was silent for too long.
    """
    path = storage.join(output, FOLDER, NAME)
    if not storage.scheme_of(output):
        with disk.hold(path, output):
            yield
        return
    in_main = threading.current_thread() is threading.main_thread()

    def interrupt() -> None:
        if in_main:
            signal.pthread_kill(threading.main_thread().ident or 0, _LOST)

    store = buckets.of(storage.scheme_of(path))
    heart = Heart(store, path, output, beat_s=beat_s, stale_s=stale_s, on_loss=interrupt)
    heart.take()
    try:
        with _interruptible() if in_main else contextlib.nullcontext(), tidied(heart.stop):
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

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(_LOST, interrupt)
    try:
        yield
    finally:
        signal.signal(_LOST, before)
