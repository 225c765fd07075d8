# SPDX-License-Identifier: MIT
"""What training on Vertex AI and preprocessing on Dataflow have in common: jobs with labels.

One output has one writer: a job is sent only if no other one that is not over writes there.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from preprocessing.contract.errors import ServiceError
from preprocessing.contract.files import patience
from trainer.launch import platform
from trainer.launch.platform import Status
from trainer.launch.vertex import service
from trainer.launch.vertex.entries import Entry

# A job that is cancelled ends within minutes.
POLL_S = 10.0
_LONGEST_S = 1800.0


class Jobs(Protocol):
    """The jobs of one service."""

    def labelled(self, key: str, value: str) -> Iterator[Status]:
        """Yields the jobs with a label, in no order; `*` takes any value."""

    def renewed(self, known: Status) -> Status:
        """Returns what the service says of a job now."""

    def end(self, known: Status) -> None:
        """Asks for the end of a job."""

    def entries(self, known: Status, since: str) -> Iterator[Entry]:
        """Yields what is logged of a job from a time on, RFC 3339, in order."""


def writer(jobs: Jobs, output: str) -> Status | None:
    """Returns the first of the jobs that are not over and write to an output.

    One that is being cancelled is returned only if there is no other.

    Args:
        jobs: among which to look.
        output: the label's value.
    """
    alive = [found for found in jobs.labelled(platform.OUTPUT, output) if not found.is_over]
    return min(
        alive, key=lambda found: (found.is_ending, found.created, found.resource), default=None
    )


def settled_writer(jobs: Jobs, output: str) -> Status | None:
    """Returns the same, after waiting for the end of one that is being cancelled.

    Raises:
        ServiceError: it did not end within half an hour.
    """
    deadline, waits = time.monotonic() + _LONGEST_S, False
    while (found := writer(jobs, output)) and found.is_ending:
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{found.resource} was cancelled, but has not ended within {_LONGEST_S / 60:g} "
                "minutes: run the same command again"
            )
        if not waits:
            platform.say(f"{found.resource} is {platform.ENDING}: waiting until it is over")
        waits = True
        time.sleep(POLL_S)
    return found


def send_once(jobs: Jobs, output: str, create: Callable[[], Status]) -> tuple[Status, bool]:
    """Makes a job unless its output has a writer, and again where there is no answer.

    Args:
        jobs: among which to look first.
        output: the label's value.
        create: one request that makes the job, whether or not it is answered.

    Returns:
        The only writer, and whether it is new.

    Raises:
        ServiceError: there was no answer for about a minute.
        RefusedError: it is refused.
    """
    if found := settled_writer(jobs, output):
        return found, False
    tried = False

    def once() -> Status:
        nonlocal tried
        # After a try without an answer, what writes there is most likely what that try made.
        if tried and (found := writer(jobs, output)):
            return found
        tried = True
        return create()

    made = patience.insist(once, service.passes)
    # Another person may have sent theirs between the look and the request, and a list may be late.
    first = writer(jobs, output)
    if first is None or first.resource == made.resource:
        return made, True
    jobs.end(made)
    return first, False
