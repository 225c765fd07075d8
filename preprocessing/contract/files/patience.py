# SPDX-License-Identifier: MIT
"""Repeats what failed for a reason that passes, for about a minute."""

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 60.0
FIRST_PAUSE_S = 1.0
# Longer ones would leave room for a few tries only.
LONGEST_PAUSE_S = 8.0

_T = TypeVar("_T")


def insist(work: Callable[[], _T], passes: Callable[[Exception], bool]) -> _T:
    """Returns what `work` returns, trying again while its errors are such as pass.

    Args:
        work: may be called any number of times, also after it did part of its work.
        passes: whether another try may help after an error.

    Raises:
        Exception: the last error of `work`.
    """
    deadline = time.monotonic() + SECONDS
    pause = FIRST_PAUSE_S
    while True:
        try:
            return work()
        except Exception as error:
            if time.monotonic() + pause > deadline or not passes(error):
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
