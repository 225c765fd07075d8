# SPDX-License-Identifier: MIT
"""Finds in what Beam raises the error that a worker raised, and says it in one sentence.

A runner in this process raises the worker's error with a note at its end, or a RuntimeError in its
place. A runner with worker processes raises a RuntimeError with their tracebacks as text; and
the processes print them, too.
"""

import collections
import contextlib
import io
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator

from preprocessing.contract.errors import (
    ConfigError,
    DataError,
    JobError,
    OutOfMemoryError,
    ResourceError,
    StoppedError,
    UnavailableError,
    UsageError,
)
from preprocessing.contract.files import faults

_PIECE_BYTES = 1 << 16
_HELD_PIECES = 64
_LAST_WORDS_S = 1.0
_JOB_ERRORS = {
    kind.__name__: kind
    for kind in (
        *(UsageError, DataError, ConfigError, StoppedError),
        *(ResourceError, OutOfMemoryError, UnavailableError),
    )
}
_NOTE = r"(?: \[while running .*)?$"
_SENTENCE = re.compile(
    rf"^(?:RuntimeError: )?(?:[\w.]+\.)?({'|'.join(_JOB_ERRORS)}): (.+?){_NOTE}", flags=re.MULTILINE
)
_SYSTEM = re.compile(
    rf"^(?:RuntimeError: )?\w*Error: \[Errno (\d+)\] (.+?)(?:: '(.+?)')?(?: -> '(.+?)')?{_NOTE}",
    flags=re.MULTILINE,
)


def explain(error: BaseException) -> JobError | None:
    """Returns what a user can fix, None for a defect of this program.

    Args:
        error: what the run of a pipeline raised.
    """
    text = f"{type(error).__name__}: {error}"
    # The last of several is what the others led to.
    said = _SENTENCE.findall(text)
    if said:
        kind, sentence = said[-1]
        return _JOB_ERRORS[kind](sentence)
    refused = _SYSTEM.findall(text)
    if isinstance(error, MemoryError) or text.rstrip().endswith("MemoryError"):
        return faults.explain(MemoryError("a worker"))
    if no_temporary_folder := faults.explain(OSError(text)):
        return no_temporary_folder
    if refused:
        number, cause, path, target = refused[-1]
        place = target or path or None
        return faults.explain(OSError(int(number), cause, place)) or UsageError(
            f"{place or 'a file'}: {cause}; fix that and run the same command again, which keeps "
            "the shards that are finished"
        )
    return None


@contextlib.contextmanager
def explained(*, processes: bool) -> Iterator[None]:
    """Says in one sentence what goes wrong in the workers, for use around the run of a pipeline.

    Args:
        processes: the workers are processes that print to this one's standard error.

    Raises:
        JobError: a worker met what the user can fix.
    """
    for name in ("common", "portability"):  # they print the tracebacks which the error has
        logging.getLogger(f"apache_beam.runners.{name}").setLevel(logging.CRITICAL)
    with _held_back() if processes else contextlib.nullcontext():
        try:
            yield
        except Exception as error:
            known = explain(error)
            if known is None:
                raise
            raise known from error


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Holds back what other processes print, and shows it if an error stays unexplained.

    This process goes on printing: through a copy of its standard error.
    """
    shown = os.dup(2)
    own = io.TextIOWrapper(os.fdopen(os.dup(shown), "wb"), line_buffering=True)
    outlet, inlet = os.pipe()  # not a file: the disk may be full
    held: collections.deque[bytes] = collections.deque(maxlen=_HELD_PIECES)
    reader = threading.Thread(target=_drain, args=(outlet, held), daemon=True)
    reader.start()
    redirected: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if _is_standard_error(sys.stderr):
        redirected = contextlib.redirect_stderr(own)
    os.dup2(inlet, 2)
    os.close(inlet)
    try:
        with own, redirected:
            yield
    except BaseException as error:
        os.dup2(shown, 2)
        if not isinstance(error, JobError):
            reader.join(_LAST_WORDS_S)  # a worker may keep the pipe open for longer
            for piece in tuple(held):
                os.write(shown, piece)
        raise
    finally:
        os.dup2(shown, 2)
        os.close(shown)


def _drain(outlet: int, held: collections.deque[bytes]) -> None:
    with os.fdopen(outlet, "rb", buffering=0) as file:
        while piece := file.read(_PIECE_BYTES):
            held.append(piece)


def _is_standard_error(stream: object) -> bool:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return bool(stream.fileno() == 2)  # type: ignore[attr-defined]
    return False
