# SPDX-License-Identifier: MIT
"""A folder for temporary files that goes when the process goes, however it ends.

TensorFlow writes a temporary file for each function that it rewrites, and removes it only when the
interpreter exits normally, which a process that is stopped does not wait for. What a killed process
left behind is removed by the next one that starts on the machine.
"""

import fcntl
import pathlib
import shutil
import tempfile
import time

PREFIX = "cxr14-scratch-"
_LOCK = "lock"
# A folder this young may belong to a process that has not locked it yet.
_SETTLED_SECONDS = 60.0


class Scratch:
    """The process's own folder, in which Python's `tempfile` works from now on."""

    def __init__(self) -> None:
        self._before = tempfile.gettempdir()
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
        # Held until the process ends: the system lets go of it even after SIGKILL.
        self._lock = (self._folder / _LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove_abandoned(pathlib.Path(self._before))
        tempfile.tempdir = str(self._folder)

    @property
    def folder(self) -> str:
        """Where the folder is."""
        return str(self._folder)

    def remove(self) -> None:
        """Removes the folder with all that is in it; a second call does nothing."""
        if tempfile.tempdir == str(self._folder):
            tempfile.tempdir = self._before
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()


def _remove_abandoned(parent: pathlib.Path) -> None:
    """Removes the folders whose processes are gone; what cannot be removed is left."""
    for lock in parent.glob(f"{PREFIX}*/{_LOCK}"):
        try:
            if time.time() - lock.stat().st_mtime < _SETTLED_SECONDS:
                continue
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # its process lives, another one was quicker, or it is another user's
