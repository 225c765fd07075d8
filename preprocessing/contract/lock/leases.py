# SPDX-License-Identifier: MIT
"""Makes one process the only one that writes a run's folder, and lets its successor in quickly.

On a file system the kernel knows at once whether a holder on this machine lives. Of one on another
machine, and of one in a bucket, only its renewals tell: a file or object that is written again
every two seconds. After ten seconds without one the folder is taken over, so that a machine that
was lost costs its successor no more; a process that was silent for so long and goes on ends itself
before it deletes or replaces anything.
"""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from absl import logging

from preprocessing.contract.errors import JobError, StoppedError
from preprocessing.contract.files import buckets, storage
from preprocessing.contract.lock import disk
from preprocessing.contract.lock.heart import Heart
from preprocessing.contract.lock.holder import HeldError, taken_over
from preprocessing.contract.process.stopping import tidied

FOLDER = "lease"
BEAT_S, STALE_S = 2.0, 10.0
# More than the 15 s in which a run that is asked to stop has ended.
WAIT_S = 30.0
_PAUSE_S = 0.5


@contextlib.contextmanager
def lease(
    output: str,
    lost: Callable[[str], None],
    *,
    wait_s: float = WAIT_S,
    beat_s: float = BEAT_S,
    stale_s: float = STALE_S,
) -> Iterator[Callable[[], None]]:
    """Holds the lease of a run's folder for the time of a `with` block.

    Args:
        output: the folder, local or in a bucket; a local one is made.
        lost: called with a sentence, by any thread, when another process has taken the lease; it
            must end this process at once.
        wait_s: seconds to wait for a holder that lives.
        beat_s: seconds between two renewals.
        stale_s: seconds without renewal after which the lease may be taken over.

    Yields:
        What is to be called before files are deleted or replaced: it does nothing, or calls `lost`.

    Raises:
        StoppedError: another process held it all the time.
        UsageError: nothing can be written there.
    """
    scheme = storage.scheme_of(output)
    store: buckets.Versions = buckets.of(scheme) if scheme else _Files()
    folder = storage.join(output, FOLDER)
    on_loss = functools.partial(lost, taken_over(output))
    heart = Heart(
        store, f"{folder}/holder", output, beat_s=beat_s, stale_s=stale_s, on_loss=on_loss
    )
    deadline = time.monotonic() + wait_s
    with contextlib.ExitStack() as stack:
        if not scheme:
            held = _on_disk(output, f"{folder}/lock", deadline, wait_s)
            heart.alone = stack.enter_context(held)
        _wait(heart.take, deadline, wait_s)
        heart.start()
        stack.enter_context(_letting_go(heart))
        yield heart.check


@contextlib.contextmanager
def _on_disk(output: str, path: str, deadline: float, wait_s: float) -> Iterator[bool]:
    """Holds the kernel's lock; a folder that is made for it and stays empty is removed."""
    made = not os.path.isdir(output)
    try:
        with contextlib.ExitStack() as stack:
            hold = functools.partial(disk.hold, path, output, needed=False)
            yield _wait(lambda: stack.enter_context(hold()), deadline, wait_s)
    finally:
        if made:
            storage.remove_empty_folder(output)


def _wait(take: Callable[[], Any], deadline: float, wait_s: float) -> Any:
    said = False
    while True:
        try:
            return take()
        except HeldError as held:
            if time.monotonic() >= deadline:
                raise StoppedError(
                    f"{held}; the same command goes on when that one has ended, for which it has "
                    f"waited {wait_s:g} s"
                ) from held
            if not said:
                logging.warning(f"{held}; waiting up to {wait_s:g} s for it")
            said = True
            time.sleep(_PAUSE_S)


@contextlib.contextmanager
def _letting_go(heart: Heart) -> Iterator[None]:
    """Gives the lease back in the end; one that a store refuses to delete goes stale instead."""

    def stop() -> None:
        try:
            heart.stop()
        except (JobError, OSError) as error:
            logging.warning(" ".join(str(error).split()))

    with tidied(stop):
        try:
            yield
        finally:
            stop()


class _Files(buckets.HashedVersions):
    """A file system as a store of locks.

    Of two machines that take a lease in the same instant, the later write counts, and the other one
    finds at its next renewal that it has lost.
    """

    def read(self, path: str) -> bytes:
        return storage.read_bytes(path)

    def write(self, path: str, data: bytes) -> None:
        storage.write_bytes(path, data)

    def delete(self, path: str) -> None:
        storage.delete(path)
