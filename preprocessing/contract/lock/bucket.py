# SPDX-License-Identifier: MIT
"""Locks a folder of a bucket by an object that is renewed for as long as its job lives.

A lock that is renewed belongs to a job that lives. One that is not renewed for longer than a job
can be silent, or whose process has died on this very machine, is taken over. Every step replaces a
named version, so that of two takers one loses. (Stores other than gs:// have no such step here: of
two jobs started in the same instant, both may go on.)
"""

import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Iterator

from preprocessing.contract import buckets, storage
from preprocessing.contract.errors import JobError, StoppedError
from preprocessing.contract.lock.holder import Holder, refusal

# Sent to the main thread by the thread that renews the lock.
_LOST = signal.SIGUSR1

_POLLS_PER_BEAT = 5


@contextlib.contextmanager
def hold(path: str, output: str, *, beat_s: float, stale_s: float) -> Iterator[None]:
    """Holds the lock of an output in a bucket; `path` is that of the lock's object."""
    heart = _Heart(path, output, beat_s=beat_s)
    heart.take(stale_s)
    try:
        with _interruptible():
            heart.start()
            try:
                yield
            finally:
                heart.stop()
    except KeyboardInterrupt:
        if not heart.lost:  # else it was the heart that interrupted
            raise
    if heart.lost:
        raise StoppedError(
            f"{output} was taken over by another job, because this one was silent for too long: "
            "leave it to that job"
        )


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


class _Heart(threading.Thread):
    """Takes a lock in a bucket, renews it, and interrupts the job that has lost it."""

    def __init__(self, path: str, output: str, *, beat_s: float) -> None:
        super().__init__(name="lock", daemon=True)
        self._bucket = buckets.of(storage.scheme_of(path))
        self._path, self._output, self._beat_s = path, output, beat_s
        self._me = Holder.of_this_process()
        self._version = ""
        self._stopped = threading.Event()
        self._interrupts = threading.current_thread() is threading.main_thread()
        self.lost = False

    def take(self, stale_s: float) -> None:
        """Takes the lock, waiting as long as its holder may still live."""
        first = ""
        since = time.monotonic()
        while not self._write(""):
            try:
                data, version = self._bucket.read_versioned(self._path)
            except FileNotFoundError:
                continue
            holder = Holder.from_json(data)
            lives = holder.lives() if holder else None
            if lives or version != (first or version):  # a renewed lock has a living holder
                raise refusal(self._output, holder)
            if lives is False or time.monotonic() - since >= stale_s:
                if self._write(version):
                    return
            elif not first:
                print(_patience(self._output, holder, stale_s), file=sys.stderr, flush=True)
            first = version
            time.sleep(self._beat_s / _POLLS_PER_BEAT)

    def _write(self, version: str) -> bool:
        self._me = dataclasses.replace(self._me, beats=self._me.beats + 1)
        mine = self._bucket.write_version(self._path, self._me.to_json(), version)
        self._version = mine or self._version
        return bool(mine)

    def run(self) -> None:
        """Renews the lock until it is stopped or finds that another job has it."""
        while not self._stopped.wait(self._beat_s):
            # A store that does not answer now may answer the next time.
            with contextlib.suppress(JobError, OSError):
                if not self._write(self._version) and not self._is_mine():
                    self.lost = True
                    break
        if self.lost and self._interrupts:
            signal.pthread_kill(threading.main_thread().ident or 0, _LOST)

    def _is_mine(self) -> bool:
        """Finds out whether an earlier renewal came through whose answer did not."""
        try:
            data, version = self._bucket.read_versioned(self._path)
        except FileNotFoundError:
            return False
        holder = Holder.from_json(data)
        if holder is None or holder.nonce != self._me.nonce:
            return False
        self._version = version
        return True

    def stop(self) -> None:
        """Ends the renewal and removes the lock, if it is still this job's."""
        self._stopped.set()
        self.join()
        if not self.lost:
            self._bucket.delete_version(self._path, self._version)


def _patience(output: str, holder: Holder | None, stale_s: float) -> str:
    host = holder.host if holder else "another machine"
    return (
        f"{output} was last written by a job on {host}: finding out whether that job still runs, "
        f"which takes up to {stale_s:.0f} s"
    )
