# SPDX-License-Identifier: MIT
"""Starts Python on this process's modules; tells processes apart; finds what one has started."""

import contextlib
import os
import signal
import sys


def python(program: str) -> tuple[str, ...]:
    """Returns the command that runs a program on the modules that this process has itself.

    `python -m` would look for them in the current folder first, where a user may have a folder
    `trainer` or `preprocessing` too.
    """
    path = [folder or os.getcwd() for folder in sys.path]
    return sys.executable, "-c", f"import sys; sys.path[:] = {path!a}; {program}"


def birth(pid: int) -> str:
    """Returns when a process was started, in ticks since boot; "" if it does not live.

    On a system without /proc nothing is known of any process.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        # The name in parentheses may hold anything; the 22nd field is the 20th after it.
        state, *fields = file.read().rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]  # a zombie does nothing any more
    return ""


def end_descendants() -> None:
    """Sends SIGTERM to every process that this one has started, and to those they have started.

    On a system without /proc they are left alone.
    """
    parents: dict[int, int] = {}
    with contextlib.suppress(FileNotFoundError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    # Those that started others come first: a shell must not go on when its command ends.
    family = [os.getpid()]
    for one in family:
        family += [pid for pid, parent in parents.items() if parent == one]
    for pid in family[1:]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
