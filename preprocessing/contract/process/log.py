# SPDX-License-Identifier: MIT
"""Gives every line of a job one form: text for people, or one JSON object for a log service.

Modules log by `absl.logging`. Information goes to standard output, warnings and errors to standard
error, which Google's Cloud Logging marks as errors. Of several workers only the first, the chief,
gives information, since the others would repeat it. Imports absl late, so that a program hears
signals early.
"""

import contextlib
import datetime
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, TextIO

from preprocessing.contract.errors import ResourceError, StoppedError
from preprocessing.contract.process import streams

FORMS = ("text", "json")
# What `extra` says of a line: that every worker gives it, or that it has no time and level in text.
EVERYONE = {"everyone": True}
_PLAIN = {"plain": True}

_FLAG = "log_format"
# As Cloud Logging and Python both call them.
_SEVERITIES = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Where both packages lie, by which their lines are known from those of libraries.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
_OURS = tuple(os.path.join(_ROOT, name, "") for name in ("preprocessing", "trainer"))
# All that a reader of lines may take for an end of one; other white space may be part of a path.
_LINE_BREAK = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_OWN = logging.getLogger("cxr14")
_OWN.setLevel(logging.INFO)


class _State:
    """What all lines of this process share; `step` is None outside of training."""

    form = FORMS[0]
    worker = ""
    step: int | None = None
    owned = False  # whether the process is the job's own, whose streams may be replaced
    out: TextIO | None = None  # where lines go if not to sys.stdout and sys.stderr
    err: TextIO | None = None


_state = _State()


class _Text(logging.Formatter):
    """`2026-11-29 19:20:01 WARNING worker 1/2: text`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, or the text alone of a result or an error of the user."""
        text = super().format(record).rstrip("\n")
        if getattr(record, "plain", False):
            return text
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        worker = f" worker {_state.worker}:" if _state.worker else ""
        return f"{when} {record.levelname}{worker} {text}"


class _Json(logging.Formatter):
    """One object a line, with the field names that Cloud Logging knows."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the object; fields that are not known are left out."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        found: dict[str, Any] = {
            "severity": record.levelname if record.levelname in _SEVERITIES else "DEFAULT",
            "message": super().format(record).rstrip("\n"),
            "time": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "logger": _logger(record),
        }
        if _state.worker:
            found["worker"] = _state.worker
        if _state.step is not None:
            found["step"] = _state.step
        if (code := getattr(record, "exit_code", None)) is not None:
            found["exit_code"] = code
        return json.dumps(found)


_FORMATTERS = {"text": _Text, "json": _Json}


class _Handler(logging.Handler):
    """Writes each record by one call, so that processes that share a log do not mix their lines.

    An error in writing is raised, as by `print`: output that is lost must end the job.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record to the stream of its level, or drops what nobody needs."""
        if record.levelno < logging.WARNING and not _is_wanted(record):
            return
        warns = record.levelno >= logging.WARNING
        stream = (_state.err or sys.stderr) if warns else (_state.out or sys.stdout)
        line = f"{self.format(record)}\n"
        # A bar on the terminal is taken away for the moment. Another thread may be in the import.
        bar: Any = getattr(sys.modules.get("tqdm"), "tqdm", None)
        bars = getattr(bar, "_instances", None)
        with bar.external_write_mode(stream) if bars else contextlib.nullcontext():
            stream.write(line)
            stream.flush()


def begin(argv: Sequence[str]) -> None:
    """Takes charge of all output of this process; for entry points, before anything else.

    Args:
        argv: the command line, in which --log_format may be.
    """
    streams.settle()
    _state.owned = True
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _defect((kind, error, trace))
    threading.excepthook = lambda said: _defect((said.exc_type, said.exc_value, said.exc_traceback))
    _install(_form(argv))


def configure(argv: Sequence[str], *, worker: int = 0, workers: int = 1) -> None:
    """Makes absl's logging speak in the form that a command line asks for.

    Args:
        argv: the command line.
        worker: number of this process among the workers; 0 is the chief.
        workers: how many there are; one alone is not named in its lines.
    """
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.INFO)
    _state.worker = f"{worker}/{workers}" if workers > 1 else ""
    _state.step = None
    _speak(_form(argv))


def follow(argv: Sequence[str], values: Any) -> None:
    """Turns to JSON if a command line asks for it once files of flags are read into it.

    Args:
        argv: the command line with their contents.
        values: its flags as absl defines them; without --log_format nothing changes.
    """
    if _FLAG in values and _form(argv) == "json" != _state.form:
        _speak("json")


def define_flag(values: Any) -> None:
    """Defines --log_format, so that it is checked and --help knows it."""
    from absl import flags

    text = "Form of the log: text, or json for one object a line, as log services read them."
    flags.DEFINE_enum(_FLAG, FORMS[0], FORMS, text, flag_values=values)


def at_step(step: int | None) -> None:
    """Says which training step the lines from now on belong to; None for none."""
    _state.step = step


def step() -> int | None:
    """Returns the training step that lines belong to; None outside of training."""
    return _state.step


def is_chief() -> bool:
    """Tells whether this process is the one that gives information."""
    return not _state.worker or _state.worker.startswith("0/")


def for_people() -> bool:
    """Tells whether this process writes text to somebody at a terminal, and no other does."""
    return _state.form == "text" and is_chief() and sys.stderr.isatty()


def show(text: str) -> None:
    """Gives a result as it is, a table for example, or as the message of one JSON object."""
    _OWN.info(text, extra=_PLAIN, stacklevel=2)


def say(program: str, sentence: str, exit_code: int | None = None) -> None:
    """Says in one sentence on standard error why a program ends, or why it will.

    Args:
        program: name of the command.
        sentence: what is wrong, and what to do.
        exit_code: of the process. To be stopped is a warning, since the same command goes on.
    """
    level = logging.WARNING if exit_code in (None, StoppedError.exit_code) else logging.ERROR
    text = _LINE_BREAK.sub(" ", sentence.strip("\r\n"))
    # A full disk behind standard error must not change the code that a job manager acts on.
    with contextlib.suppress(ResourceError):
        extra = {**_PLAIN, "exit_code": exit_code}
        _OWN.log(level, f"{program}: {text}", extra=extra, stacklevel=2)


def descriptors() -> tuple[int, int]:
    """Returns where this process's lines go, for one of the same program that is started by it."""
    return _state.out.fileno() if _state.out else 1, _state.err.fileno() if _state.err else 2


def end() -> None:
    """Waits until everything is written, where others than `logging` write to the streams too."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    streams.join()


def _speak(form: str) -> None:
    _install(form)
    if form == "json" and _state.owned and _state.out is None:
        _state.out, _state.err = streams.as_json(_state.worker)


def _install(form: str) -> None:
    _state.form = form
    root = logging.getLogger()
    handlers = [one for one in root.handlers if isinstance(one, _Handler)] or [_Handler()]
    handlers[0].setFormatter(_FORMATTERS[form]())
    if handlers[0] not in root.handlers:
        root.addHandler(handlers[0])


def _form(argv: Sequence[str]) -> str:
    """Finds --log_format before the command line is parsed, whose errors are lines as well."""
    found = FORMS[0]
    for at, argument in enumerate(argv):
        name, given, value = argument.partition("=")
        if argument == "--":
            break
        if name.lstrip("-") == _FLAG and name.startswith("-"):
            found = value if given else "".join(argv[at + 1 : at + 2])
    return found if found in FORMS else FORMS[0]


def _is_wanted(record: logging.LogRecord) -> bool:
    """Tells whether information is for the log: not what libraries give by absl's logger too."""
    if record.name == "absl" and not record.pathname.startswith(_OURS):
        return False
    return is_chief() or getattr(record, "everyone", False)


def _logger(record: logging.LogRecord) -> str:
    """The module of a line of ours, else the name of the library's logger."""
    if not record.pathname.startswith(_OURS):
        return record.name
    return record.pathname[len(_ROOT) + 1 :].removesuffix(".py").replace(os.sep, ".")


def _defect(found: Any) -> None:
    """Logs what nobody caught; a thread or a user that ends something on purpose is not that."""
    if not issubclass(found[0], (SystemExit, KeyboardInterrupt)):
        _OWN.critical("this is a defect of the program", exc_info=found)
