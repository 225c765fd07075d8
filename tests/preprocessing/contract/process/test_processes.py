# SPDX-License-Identifier: MIT
"""A process is known by its number and the moment of its birth."""

import os
import pathlib
import signal
import subprocess
import sys

from preprocessing.contract.process.processes import birth

ROOT = pathlib.Path(__file__).parents[4]


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


# In a process of its own: pytest has started others, which tests need.
_STARTS = """
import subprocess, sys
from preprocessing.contract.process.processes import end_descendants
command = f"{sys.executable} -c 'import time; print(1, flush=True); time.sleep(600)'; true"
child = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE)
child.stdout.readline()
end_descendants()
print(child.stdout.read(), child.wait())  # the end of the pipe: the grandchild is gone, too
"""


def test_what_a_process_has_started_is_ended_with_what_that_has_started() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARTS], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"b'' {-signal.SIGTERM}\n", done.stderr
