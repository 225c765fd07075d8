# SPDX-License-Identifier: MIT
"""What training on Vertex AI and preprocessing on Dataflow have in common: jobs with labels.

One output has one writer: a job is sent only if no other one that is not over writes there.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from preprocessing.contract.files import patience
from trainer.launch import platform
from trainer.launch.platform import Status
from trainer.launch.vertex import service
from trainer.launch.vertex.entries import Entry


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

    Args:
        jobs: among which to look.
        output: the label's value.
    """
    alive = [found for found in jobs.labelled(platform.OUTPUT, output) if not found.is_over]
    return min(alive, key=lambda found: (found.created, found.resource), default=None)


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
    tried = False

    def once() -> tuple[Status, bool]:
        nonlocal tried
        # After a try without an answer, what writes there is most likely what that try made.
        if found := writer(jobs, output):
            return found, tried
        tried = True
        return create(), True

    made, is_new = patience.insist(once, service.passes)
    if not is_new:
        return made, False
    # Another person may have sent theirs between the look and the request, and a list may be late.
    first = writer(jobs, output)
    if first is None or first.resource == made.resource:
        return made, True
    jobs.end(made)
    return first, False
