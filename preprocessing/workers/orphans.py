# SPDX-License-Identifier: MIT
"""Ends worker processes on this machine whose job was killed and could not end them itself.

A Beam worker process goes on with its work when the job is killed, and would go on writing while
the next job runs. The job leaves its mark in the environment, which its worker processes inherit
and nobody else does: workers on other machines, and containers, have none and are left alone.
"""

import os
import threading
import time

from preprocessing.contract.process.processes import birth

_MARK = "CXR14_JOB_PROCESS"
_INTERVAL_S = 0.5
_EXIT_CODE = 1

_watching = threading.Lock()


def mark() -> None:
    """Makes this process the job that worker processes started from now on belong to."""
    os.environ[_MARK] = f"{os.getpid()} {birth(os.getpid())}"


def watch_parent() -> None:
    """Makes this process end soon after its job; does nothing in the job's own process.

    May be called any number of times, from any thread.
    """
    pid, _, born = os.environ.get(_MARK, "").partition(" ")
    if not born or int(pid) == os.getpid() or not _watching.acquire(blocking=False):
        return
    threading.Thread(target=_watch, args=(int(pid), born), name="orphans", daemon=True).start()


def _watch(pid: int, born: str) -> None:
    while birth(pid) == born:
        time.sleep(_INTERVAL_S)
    # At once: other threads of the worker may be in the middle of anything, and wait for nobody.
    os._exit(_EXIT_CODE)
