# SPDX-License-Identifier: MIT
"""Tells a process from a later one that got the same number."""

import contextlib


def birth(pid: int) -> str:
    """Returns when a process was started, in ticks since boot; "" if it does not live.

    On a system without /proc nothing is known of any process.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        # The name in parentheses may hold anything; the 22nd field is the 20th after it.
        state, *fields = file.read().rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]  # a zombie does nothing any more
    return ""
