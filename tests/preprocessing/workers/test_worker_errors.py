# SPDX-License-Identifier: MIT
"""What a user can fix is found in what Beam raises; a defect keeps its traceback."""

import logging
import subprocess
import sys
from collections.abc import Iterable

import apache_beam as beam
import pytest

from preprocessing.contract.errors import ConfigError, DataError, JobError, UsageError
from preprocessing.workers import worker_errors

KINDS = {
    "usage": UsageError("a sentence: with 'colons' [and more]"),
    "data": DataError("two of 3 are wrong"),
    "config": ConfigError("no"),
    "full": OSError(28, "No space left on device", "/out/x"),
    "nameless": OSError(28, "No space left on device"),
    "strange": OSError(61, "No data available", "/out/x"),
    "moved": IsADirectoryError(21, "Is a directory", "/out/x.partial-1", None, "/out/x"),
    "defect": ZeroDivisionError("division by zero"),
}
FIX = "make room there, or name another folder; the same command then goes on"
TOLD = {
    "usage": (64, "a sentence: with 'colons' [and more]"),
    "data": (65, "two of 3 are wrong"),
    "config": (78, "no"),
    "full": (74, f"/out/x cannot be written (No space left on device): {FIX}"),
    "nameless": (74, f"a file cannot be written (No space left on device): {FIX}"),
    "strange": (
        64,
        "/out/x: No data available; fix that and run the same command again, which keeps the "
        "shards that are finished",
    ),
    "moved": (64, "/out/x cannot be used (Is a directory): check the path and its permissions"),
}


class Fail(beam.DoFn):
    def process(self, kind: str) -> Iterable[str]:
        raise KINDS[kind]
        yield kind


def _run(kind: str, *flags: str) -> None:
    options = beam.options.pipeline_options.PipelineOptions(["--runner=FnApiRunner", *flags])
    with beam.Pipeline(options=options) as pipeline:
        _ = pipeline | beam.Create([kind]) | beam.Reshuffle() | "Work" >> beam.ParDo(Fail())


@pytest.mark.parametrize("kind", TOLD)
def test_an_error_in_a_worker_of_this_process_is_one_sentence(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(JobError) as caught, worker_errors.explained(processes=False):
        _run(kind)
    assert (caught.value.exit_code, str(caught.value)) == TOLD[kind]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("kind", TOLD)
def test_the_text_of_a_worker_process_is_understood(kind: str) -> None:
    """As Beam's workers write it: the traceback of the worker's error, then that of the note."""
    error = KINDS[kind]
    name = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
    text = (
        f'Traceback (most recent call last):\n  File "x.py", line 1, in process\n{name}: {error}\n'
        "\nDuring handling of the above exception, another exception occurred:\n\n"
        f"Traceback (most recent call last):\n{name}: {error} [while running 'Work']\n"
    ).replace("\\\n", "\n")
    known = worker_errors.explain(RuntimeError(text))
    assert (known.exit_code, str(known)) == TOLD[kind]


def test_no_folder_for_temporary_files_is_said_with_its_setting() -> None:
    error = FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")
    known = worker_errors.explain(error)
    assert known is not None
    assert (known.exit_code, "TMPDIR" in str(known)) == (78, True)


def test_a_defect_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), worker_errors.explained(processes=False):
        _run("defect")
    assert worker_errors.explain(RuntimeError("Traceback ...\nValueError: 1")) is None
    assert worker_errors.explain(ValueError("UsageError: is mentioned")) is None


_PROGRAM = """
import os, subprocess, sys
from preprocessing.workers import worker_errors
from preprocessing.contract.errors import UsageError
with worker_errors.explained(processes=True):
    subprocess.run(["sh", "-c", "echo of a worker >&2"])
    print("of the job", file=sys.stderr)
    if sys.argv[1:]:
        raise RuntimeError(sys.argv[1])
print("afterwards", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ([], ["of the job", "afterwards"]),
        (["Traceback\nx.UsageError: a sentence"], ["of the job"]),
        (["ValueError: a defect"], ["of the job", "of a worker"]),
    ],
)
def test_what_workers_print_is_shown_where_an_error_stays_unexplained(
    error: list[str], shown: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *error], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if line.startswith(("of ", "after"))]
    assert said == shown
    assert done.returncode == bool(error)


@pytest.fixture(autouse=True)
def _levels_as_before() -> Iterable[None]:
    loggers = [logging.getLogger(f"apache_beam.runners.{n}") for n in ("common", "portability")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
