# SPDX-License-Identifier: MIT
"""Keeps two jobs from writing one folder, without a lock that outlives a killed job.

`hold` is for a data set, which its second job is refused; `lease` for a run, whose second job is
often the successor of the first, and waits for its end.
"""

import contextlib
from collections.abc import Iterator

from preprocessing.contract.files import storage
from preprocessing.contract.lock import bucket, disk
from preprocessing.contract.lock.leases import lease

__all__ = ["FOLDER", "NAME", "hold", "lease"]

FOLDER, NAME = "_progress", "lock"
_BEAT_S = 15.0
_STALE_S = 90.0


@contextlib.contextmanager
def hold(output: str, *, beat_s: float = _BEAT_S, stale_s: float = _STALE_S) -> Iterator[None]:
    """Holds the lock of a data set's folder for the time of a `with` block.

    Args:
        output: the folder, local or in a bucket; a local one is made.
        beat_s: seconds between two renewals of a lock in a bucket.
        stale_s: seconds without renewal after which such a lock may be taken over.

    Raises:
        UsageError: another job works on the folder, or nothing can be written there.
        StoppedError: another job took over, because this one was silent for too long.
    """
    path = storage.join(output, FOLDER, NAME)
    held = (
        bucket.hold(path, output, beat_s=beat_s, stale_s=stale_s)
        if storage.scheme_of(output)
        else disk.hold(path, output)
    )
    with held:
        yield
