# SPDX-License-Identifier: MIT
"""Writes a file of a run's folder anew all the time, from a thread; imports no TensorFlow.

So a slow bucket holds up nothing. What cannot be written is warned of once.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from absl import logging

from preprocessing.contract.errors import JobError
from preprocessing.contract.files import faults


class KeptFile:
    """A file that is written again and again.

    Args:
        path: of the file, for the warning.
        every_s: seconds between two writes.
        last_s: seconds for which the end waits for the last one.
    """

    def __init__(self, path: str, every_s: float, last_s: float) -> None:
        self._path, self._every_s, self._last_s = path, every_s, last_s
        self._wake, self._over, self._warned = threading.Event(), False, False

    @contextlib.contextmanager
    def kept(self, *write: Callable[[], None], at_once: bool) -> Iterator[None]:
        """Calls `write` again and again while a block runs, and once more after it.

        Args:
            write: in this order, up to the first that fails.
            at_once: whether also at the beginning.
        """
        thread = threading.Thread(target=self._keep, args=[write, at_once], daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over = True
            self._wake.set()
            thread.join(self._last_s)

    def renew(self) -> None:
        """Writes the file soon, whenever the next time is."""
        self._wake.set()

    def _keep(self, write: tuple[Callable[[], None], ...], at_once: bool) -> None:
        over = False
        while not over:
            if not at_once:
                self._wake.wait(self._every_s)
                self._wake.clear()
            over, at_once = self._over, False
            try:
                for each in write:
                    each()
            except (JobError, OSError) as error:
                if not self._warned:
                    logging.warning(f"{self._path} cannot be kept ({faults.line(error)})")
                self._warned = True
