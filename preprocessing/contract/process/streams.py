# SPDX-License-Identifier: MIT
"""Lets a program live on when nobody reads what it prints, and end properly when a disk is full.

`cxr14-train ... | head` closes the pipe after ten lines; a run of days must not end for that, and
--help not in a traceback. For entry points only, before anything else is opened.
"""

import errno
import io
import os
import sys
from typing import Any, TextIO

from preprocessing.contract.errors import ResourceError

# The reader of a pipe, or the terminal, is gone.
_NOBODY_READS = (errno.EPIPE, errno.EIO)


class _Stream(io.FileIO):
    """A stream that turns silent when it cannot be written to any more."""

    def write(self, data: Any, /) -> int:
        """Writes bytes; raises ResourceError once where they are lost though somebody reads."""
        try:
            return super().write(data) or 0
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if error.errno not in _NOBODY_READS:
                raise ResourceError(f"output cannot be written: {error.strerror}") from error
            return memoryview(data).nbytes


def settle() -> None:
    """Replaces standard output and standard error by streams that can always be written to.

    Standard error gets a descriptor of its own, so that what libraries write to number 2 can be
    sent elsewhere for a while (`tensorflow_notes`).
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Or the next file that is opened would get the number, and the output.
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
    sys.stdout = _text(1, sys.stdout)
    sys.stderr = _text(os.dup(2), sys.stderr, by_line=True)


def _text(number: int, before: TextIO | None, *, by_line: bool = False) -> io.TextIOWrapper:
    if before is not None:
        before.flush()
    lines = by_line or bool(getattr(before, "line_buffering", False))
    at_once = bool(getattr(before, "write_through", False))  # as with PYTHONUNBUFFERED
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(number, "w", closefd=False)),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors="backslashreplace",  # a name that is no text must not end the program either
        line_buffering=lines or at_once,
    )
