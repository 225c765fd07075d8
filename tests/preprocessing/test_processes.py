# SPDX-License-Identifier: MIT
"""A process is known by its number and the moment of its birth."""

import os
import subprocess
import sys

from preprocessing.processes import birth


def test_a_living_process_was_born_and_keeps_its_birth() -> None:
    assert int(birth(os.getpid())) > 0
    assert birth(os.getpid()) == birth(os.getpid())
    assert int(birth(os.getppid())) <= int(birth(os.getpid()))


def test_one_that_ended_or_never_was_has_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert birth(child.pid) == ""  # nobody has asked for its exit code yet
    child.wait()
    assert birth(child.pid) == ""
    assert birth(2**22 + 1) == ""
