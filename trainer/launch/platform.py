# SPDX-License-Identifier: MIT
"""What Vertex AI and Kubernetes have in common: a job is rendered, sent, found again and ended.

Nothing of a job is kept on the machine that sent it: jobs are found by their labels, so that a
person finds those of last night from any machine.
"""

import contextlib
import dataclasses
import hashlib
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from preprocessing.contract.errors import JobError, ServiceError
from preprocessing.contract.files import faults
from trainer.launch.description.job import Job
from trainer.launch.manifests import Spec

STAGES = ("train", "tune", "preprocess", "serve")
# The states of a job, whatever words its platform has for them.
WAITING, RUNNING = "waiting", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
# Detail of a job that was cancelled, but may write until it is over.
ENDING = "being cancelled"
# Labels of everything that is sent: what it does, under which name, writing where.
STAGE, NAME, OUTPUT = "cxr14-stage", "cxr14-name", "cxr14-output"


@dataclasses.dataclass(frozen=True)
class Rendered:
    """What a job is to its platform.

    Attributes:
        spec: what --dry_run prints, and other tools of the platform take.
        sent: all that is sent, in which nothing may be left to fill in.
        about: what the spec is, for people.
    """

    spec: Spec
    sent: Any
    about: str


@dataclasses.dataclass(frozen=True)
class Status:
    """A job as its platform sees it.

    Attributes:
        name: as in the job file.
        stage: one of `STAGES`.
        state: waiting, running, succeeded, failed or cancelled.
        resource: the platform's own name of it.
        detail: what the platform says of the state, in one line; empty if nothing.
        created: when it was sent, RFC 3339; empty if the platform does not say.
        started: when it got its machines, likewise.
        ended: when it ended, likewise.
        output: the folder that it writes to; empty if it cannot be known.
        trials: how many trials a tuning has, and in which states; empty for other jobs.
        best: the best trial so far: its metric, number and parameters; likewise.
        link: where a browser shows it; empty if nowhere.
    """

    name: str
    stage: str
    state: str
    resource: str
    detail: str = ""
    created: str = ""
    started: str = ""
    ended: str = ""
    output: str = ""
    trials: str = ""
    best: str = ""
    link: str = ""

    def __post_init__(self) -> None:
        """Refuses what a platform sent in the place of a text; see `understood`."""
        for name, value in vars(self).items():
            if not isinstance(value, str):
                raise TypeError(f"{name} is {value!r}")

    @property
    def is_over(self) -> bool:
        """Whether it will do nothing more."""
        return self.state in (SUCCEEDED, FAILED, CANCELLED)

    @property
    def is_ending(self) -> bool:
        """Whether it was cancelled, and is not over."""
        return self.detail == ENDING and not self.is_over

    def __str__(self) -> str:
        """Returns the job and its state as the beginning of a sentence."""
        return f"{self.resource} is {self.state}"


class UnsuccessfulError(JobError):
    """A job that was waited for ended without success (exit 1), which is not this program's."""

    exit_code = 1


def deleted(resource: str) -> UnsuccessfulError:
    """Returns that a job that was waited for is there no more."""
    return UnsuccessfulError(f"{resource} is {CANCELLED} (somebody deleted it)")


@contextlib.contextmanager
def understood(name: str) -> Iterator[None]:
    """Says in one sentence that an answer does not have the form that its API promises.

    Args:
        name: of what answered.

    Raises:
        ServiceError: reading an answer within the block failed.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ServiceError(
            f"{name} sent an answer of an unexpected form ({type(error).__name__}: "
            f"{faults.line(error)}): run the same command again, and if that does not help, see "
            "whether a proxy answers in its place"
        ) from error


def say(text: str) -> None:
    """Says something to whoever runs the command; standard output is for what it found."""
    print(f"cxr14-launch: {text}", file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that `doctor` looked at.

    Attributes:
        what: was looked at.
        ok: whether it is as it must be; None if it could not be seen.
        said: what was found, in one line.
        fix: what to do about it; empty if nothing.
    """

    what: str
    ok: bool | None
    said: str
    fix: str = ""


class Platform(Protocol):
    """A place that runs jobs.

    All methods but `render` reach the platform and raise:
        ConfigError: it cannot take the job as it is. An error of its own with the same exit code:
            it refuses for another reason. Both say why and what to do.
        ServiceError: it did not answer.
        UsageError: there is no job of that name, or a package is missing.
    """

    def render(self, job: Job, stage: str) -> Rendered:
        """Returns what would be sent. Raises ConfigError: the job lacks what the platform needs."""

    def submit(self, job: Job, stage: str) -> tuple[Status, bool]:
        """Sends a job, unless one that is not over writes to the same output.

        Returns:
            The job, and whether it is new; one found by its label is not.
        """

    def status(self, name: str, stage: str) -> Status:
        """Returns the job of that name: one that is not over before the others, then the newest."""

    def logs(self, name: str, stage: str, *, follow: bool) -> Iterator[str]:
        """Yields the lines of the job that `status` returns; with `follow` until it is over."""

    def cancel(self, name: str, stage: str) -> Status:
        """Ends the job that `status` returns, which may save its state first; returns its state."""

    def list(self) -> Iterator[Status]:
        """Yields the jobs that were sent to this place, newest first."""

    def findings(self, job: Job, stage: str) -> Iterator[Finding]:
        """Looks at everything of the platform that a job needs; changes nothing that stays."""


def labels(job: Job, stage: str, output: str) -> dict[str, str]:
    """Returns the labels by which a job is found; a label has no room for a path itself."""
    digest = hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:32]
    return {STAGE: stage, NAME: job.name, OUTPUT: digest}
