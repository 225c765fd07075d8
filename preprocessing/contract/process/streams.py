# SPDX-License-Identifier: MIT
"""Lets a program live on when nobody reads what it prints, and end properly when a disk is full.

`cxr14-train ... | head` closes the pipe after ten lines; a run of days must not end for that, and
--help not in a traceback. For entry points only, before anything else is opened.
"""

import contextlib
import errno
import io
import os
import sys
import time
from typing import Any, TextIO

from preprocessing.contract.errors import ResourceError

# The reader of a pipe, or the terminal, is gone.
_NOBODY_READS = (errno.EPIPE, errno.EIO)
# Of the grace at a stop this may take a part only, whoever still holds the streams.
_JOIN_SECONDS = 1.0
# Makes an object of each line, with the severity that TensorFlow's C++ or Python put in front.
_AS_JSON = r"""
import datetime, json, os, re, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends when all that it reads is written
severity, worker = sys.argv[1:]
marked = re.compile(
    r"(?:\d{4}-\d\d-\d\d [\d:.]+: )?(?=[IWEF] |[IWEF]\d{4} |(?:INFO|WARNING|ERROR|FATAL):)(.)"
)
names = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}
for line in sys.stdin.buffer:
    text = line.decode(errors="replace").rstrip()
    found = marked.match(text)
    one = {
        "severity": names[found[1]] if found else severity,
        "message": text,
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "logger": "stderr" if severity == "ERROR" else "stdout",
    }
    if worker:
        one["worker"] = worker
    try:
        os.write(1, (json.dumps(one) + "\n").encode())
    except OSError:
        pass  # nobody reads, or the disk is full: what writes here must not be held up
"""


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


class Diversion:
    """Sends what is written to a descriptor, by child processes too, through a program.

    The program runs in a process of its own, so that what a process that dies writes last passes as
    well, unless that is process 1 of a container, with which the kernel kills all others.

    Args:
        number: of the descriptor.
        program: Python source that reads its standard input and writes what the descriptor gets.
        arguments: of the program.
    """

    def __init__(self, number: int, program: str, *arguments: str) -> None:
        import subprocess  # here, because a program that starts has to hear signals first

        self._number, self._own = number, os.dup(number)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=self._own,
            start_new_session=True,  # Ctrl-C is this process's to answer
        )
        assert self._process.stdin is not None
        os.dup2(self._process.stdin.fileno(), number)
        self._process.stdin.close()

    def restore(self) -> None:
        """Lets the descriptor be what it was; call it once."""
        os.dup2(self._own, self._number)
        os.close(self._own)

    def wait(self, seconds: float) -> None:
        """Waits until all has passed, which takes longer where a child holds the pipe open."""
        import subprocess

        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, seconds))


_diverted: list[Diversion] = []


def as_json(worker: str) -> tuple[TextIO, TextIO]:
    """Makes JSON of all lines that are written to standard output and standard error from now on.

    That holds for TensorFlow's C++, for libraries that print and for child processes.

    Args:
        worker: what the lines say of this process; empty for nothing.

    Returns:
        Streams for lines that are JSON already.
    """
    ready = _text(os.dup(1), sys.stdout, by_line=True), _text(os.dup(2), sys.stderr, by_line=True)
    _diverted.append(Diversion(1, _AS_JSON, "INFO", worker))
    _diverted.append(Diversion(2, _AS_JSON, "ERROR", worker))
    sys.stdout = _text(1, sys.stdout, by_line=True)
    sys.stderr = _text(2, sys.stderr, by_line=True)
    return ready


def join() -> None:
    """Waits until what `as_json` reads is written, for 1 s at most; for the end of the process."""
    ended: list[Diversion] = []
    with contextlib.suppress(IndexError):  # another thread may end the process as well
        while True:
            ended.append(_diverted.pop())
    for diversion in ended:
        diversion.restore()
    deadline = time.monotonic() + _JOIN_SECONDS
    for diversion in ended:
        diversion.wait(deadline - time.monotonic())


def _text(number: int, before: TextIO | None, *, by_line: bool = False) -> io.TextIOWrapper:
    if before is not None:
        before.flush()
    lines = by_line or bool(getattr(before, "line_buffering", False))
    at_once = bool(getattr(before, "write_through", False))  # as with PYTHONUNBUFFERED
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(number, "w", closefd=False)),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors="backslashreplace",  # a name that is not text must not end the program either
        line_buffering=lines or at_once,
    )
