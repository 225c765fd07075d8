# SPDX-License-Identifier: MIT
"""Takes a lock that lives by being renewed, and renews it in a thread of its own.

A lock that is renewed belongs to a job that lives. One that is not renewed for longer than a job
can be silent, or whose process has died on this very machine, is taken over. Every step replaces a
named version of the lock, so that of two takers one loses.
"""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable

from absl import logging

from preprocessing.contract.files.buckets import Versions
from preprocessing.contract.lock.holder import Holder, refusal

_POLLS_PER_BEAT = 5
# Goes on while the machine sleeps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Heart(threading.Thread):
    """Takes a lock, renews it, and says so when another job has taken it over.

    Args:
        store: where the lock lies.
        path: of the lock.
        output: the folder that is locked, for sentences.
        beat_s: seconds between two renewals.
        stale_s: seconds without renewal after which a lock may be taken over.
        on_loss: called when the lock was lost, by the thread that finds it.

    Attributes:
        lost: whether another job has taken the lock over.
        alone: whether no other process of this machine can hold the lock, as the kernel says.
    """

    def __init__(
        self,
        store: Versions,
        path: str,
        output: str,
        *,
        beat_s: float,
        stale_s: float,
        on_loss: Callable[[], None],
    ) -> None:
        super().__init__(name="lock", daemon=True)
        self._store, self._path, self._output = store, path, output
        self._beat_s, self._stale_s = beat_s, stale_s
        self._on_loss = on_loss
        self._me = Holder.of_this_process()
        self._version, self._beaten = "", 0.0
        self._one_at_a_time = threading.Lock()
        self._stopped = threading.Event()
        self.lost = self.alone = False

    def take(self) -> None:
        """Takes the lock, waiting as long as its holder may still live.

        Raises:
            HeldError: its holder lives.
        """
        first = ""
        since = time.monotonic()
        while True:
            # 1. Look first: a write that must fail counts against the rate of the holder's own. A
            #    free lock is taken by the write that expects none, so that of two one loses.
            try:
                data, version = self._store.read_versioned(self._path)
            except FileNotFoundError:
                if self._write(""):
                    return
                continue
            # 2. Give way to a holder that lives: its process does, or it has renewed the lock since
            #    the first look.
            holder = Holder.from_json(data)
            lives = self._lives(holder) if holder else None
            if lives or version != (first or version):
                raise refusal(self._output, holder)
            # 3. Take over from a holder that is dead, or silent for longer than a job can be. The
            #    write names the version that was looked at: a renewal in between makes it fail.
            if lives is False or time.monotonic() - since >= self._stale_s:
                if self._write(version):
                    return
            elif not first:
                logging.warning(_patience(self._output, holder, self._stale_s))
            # 4. Otherwise wait, and compare the next version with this one.
            first = version
            time.sleep(self._beat_s / _POLLS_PER_BEAT)

    def _lives(self, holder: Holder) -> bool | None:
        return False if self.alone and holder.shares_kernel else holder.lives()

    def _write(self, version: str) -> bool:
        now = time.clock_gettime(_CLOCK)
        self._me = dataclasses.replace(self._me, beats=self._me.beats + 1)
        mine = self._store.write_version(self._path, self._me.to_json(), version)
        if mine:
            self._version, self._beaten = mine, now
        return bool(mine)

    def run(self) -> None:
        """Renews the lock until it is stopped or finds that another job has it."""
        while not self.lost and not self._stopped.wait(self._beat_s):
            # A store that fails now, in its library's own words, may answer the next time.
            with contextlib.suppress(Exception):
                self._renew()
        if self.lost:
            self._on_loss()

    def check(self) -> None:
        """Makes sure that the lock is still this job's, for use before others' files may suffer.

        Asks the store only after a silence, such as that of a process that was stopped.

        Raises:
            JobError: the store does not answer.
        """
        if time.clock_gettime(_CLOCK) - self._beaten > self._stale_s / 2:
            self._renew()
        if self.lost:
            self._on_loss()

    def _renew(self) -> None:
        with self._one_at_a_time:
            if not self._stopped.is_set() and not self._write(self._version):
                self.lost = self.lost or not self._is_mine()

    def _is_mine(self) -> bool:
        """Finds out whether an earlier renewal came through whose answer did not."""
        try:
            data, version = self._store.read_versioned(self._path)
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
        with self._one_at_a_time:
            if not self.lost:
                self._store.delete_version(self._path, self._version)


def _patience(output: str, holder: Holder | None, stale_s: float) -> str:
    host = holder.host if holder else "another machine"
    return (
        f"{output} was last written by a job on {host}: finding out whether that job still runs, "
        f"which takes up to {stale_s:.0f} s"
    )
