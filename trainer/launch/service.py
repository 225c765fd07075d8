# SPDX-License-Identifier: MIT
"""Says what went wrong between this machine and the service that a job is sent to."""

from preprocessing.contract.errors import JobError


class ServiceError(JobError):
    """The service could not be reached or did not answer properly (exit 69, EX_UNAVAILABLE)."""

    exit_code = 69


def first_line(error: object) -> str:
    """Returns what an error of a client library says, on one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
