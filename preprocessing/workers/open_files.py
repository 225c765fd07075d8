# SPDX-License-Identifier: MIT
"""Finds too low a limit of open files before worker processes start, which would then hang."""

import os
import resource

from preprocessing.contract.errors import ResourceError

_OWN, _OF_A_WORKER = 32, 8


def reserve(workers: int | None = None) -> None:
    """Raises this process's limit of open files as far as its workers need, where it may.

    Args:
        workers: number of worker processes; by default one for each core.

    Raises:
        ResourceError: the limit is too low and may not be raised.
    """
    needed = _OWN + _OF_A_WORKER * (workers or os.cpu_count() or 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ResourceError(
            f"this process may open {hard} files at a time, and {needed} are needed: raise the "
            "limit (ulimit -n 1024) and run the same command again"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
