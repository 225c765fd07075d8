# SPDX-License-Identifier: MIT
"""Preprocesses on Dataflow: a program of this machine plans, and writes the manifest at the end.

Beam sends the jobs, one to read archives and one to write shards. What they finish stays, so that
the same command goes on where it was stopped.
"""

import signal
import subprocess
import urllib.parse
from collections.abc import Sequence
from importlib import metadata

from preprocessing.contract.errors import JobError, UsageError
from preprocessing.contract.process import processes
from trainer.launch import platform
from trainer.launch.platform import SUCCEEDED, Status
from trainer.launch.vertex import jobs
from trainer.launch.vertex.dataflow_jobs import DataflowJobs
from trainer.launch.vertex.service import Google

_ADVICE = (
    "Dataflow does the work, but this program plans it and writes the manifest: leave it running "
    "until it ends, and if it was stopped, run the same command again once the Dataflow job is over"
)
# What the program says is about the job; standard output is for the job's name.
_STDERR = 2
# Replaced by tests that need no Beam.
PROGRAM = processes.python("from preprocessing import task; sys.exit(task.main())")


class EndedError(JobError):
    """The program ended without success and said why (its own exit code)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"cxr14-preprocess ended with exit code {code}: it says why above")
        self.exit_code = code


def run(
    google: Google, command: Sequence[str], labels: dict[str, str], output: str
) -> tuple[Status, bool]:
    """Runs the program to its end, unless a job that is not over writes to the same output.

    Args:
        google: where Dataflow is looked at.
        command: cxr14-preprocess and its flags.
        labels: of the jobs that it sends.
        output: folder of the data set.

    Returns:
        The newest job, or a made-up one where nothing was left to do; and whether this program ran.

    Raises:
        UsageError: Beam is not installed.
        EndedError: the program failed, and said why.
    """
    on_dataflow = DataflowJobs(google)
    label = labels[platform.OUTPUT]
    with platform.understood("Dataflow"):
        found = jobs.settled_writer(on_dataflow, label)
    if found:
        return found, False
    try:
        metadata.version("google-cloud-dataflow-client")
    except metadata.PackageNotFoundError as error:
        raise UsageError(
            "sending work to Dataflow needs more packages (apache-beam[gcp]): install "
            "configs/requirements/preprocess.txt, or run what --dry_run prints where they are"
        ) from error
    platform.say(_ADVICE)
    here = []
    if google.is_here:  # Beam speaks REST, not gRPC, to a host called localhost only
        port = urllib.parse.urlsplit(google.api_endpoint or "").port
        here = [f"--dataflow_endpoint=http://localhost:{port}"]
    code = _exit_code([*PROGRAM, *command[1:], *here])
    if code != 0:
        raise EndedError(code if code > 0 else 128 - code)
    name = labels[platform.NAME]
    with platform.understood("Dataflow"):
        sent = on_dataflow.labelled(platform.NAME, name)
        newest = max(sent, key=lambda one: one.created, default=None)
    return newest or Status(name, "preprocess", SUCCEEDED, output, "was complete already"), True


def _exit_code(command: Sequence[str]) -> int:
    """Runs a program to its end, which SIGTERM and Ctrl-C bring about."""
    with subprocess.Popen(command, stdout=_STDERR) as program:
        before = signal.signal(signal.SIGTERM, lambda *_: program.terminate())
        try:
            return program.wait()
        except KeyboardInterrupt:
            program.terminate()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
