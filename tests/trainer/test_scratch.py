# SPDX-License-Identifier: MIT
"""The folder for temporary files goes with its process, and a killed one's with the next start."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from trainer.scratch import PREFIX, Scratch

HOLD = """
import tempfile, time
from trainer.scratch import Scratch
scratch = Scratch()
tempfile.NamedTemporaryFile(delete=False).close()
print(scratch.folder, flush=True)
time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder for temporary files of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def folders(parent: pathlib.Path) -> list[str]:
    return sorted(str(path) for path in parent.glob(f"{PREFIX}*"))


def age(folder: str) -> None:
    """Makes a folder an hour old: a young one may belong to a process that just begins."""
    then = time.time() - 3600
    os.utime(pathlib.Path(folder) / "lock", (then, then))


def test_temporary_files_lie_in_the_folder_and_go_with_it(parent: pathlib.Path) -> None:
    scratch = Scratch()
    with tempfile.NamedTemporaryFile(delete=False) as file:
        assert pathlib.Path(file.name).parent == pathlib.Path(scratch.folder)
    assert folders(parent) == [scratch.folder]
    scratch.remove()
    scratch.remove()
    assert folders(parent) == []
    assert tempfile.gettempdir() == str(parent)


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_not(
    parent: pathlib.Path,
) -> None:
    environment = {**os.environ, "TMPDIR": str(parent)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        held = [process.stdout.readline().strip() for process in processes if process.stdout]
        for folder in held:
            age(folder)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        assert folders(parent) == sorted(held)
        scratch = Scratch()
        assert folders(parent) == sorted([held[1], scratch.folder])
        scratch.remove()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_folder_that_has_just_been_made_is_left_alone(parent: pathlib.Path) -> None:
    young = parent / f"{PREFIX}young"
    young.mkdir()
    (young / "lock").touch()
    scratch = Scratch()
    assert str(young) in folders(parent)
    scratch.remove()
