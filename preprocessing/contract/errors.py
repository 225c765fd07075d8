# SPDX-License-Identifier: MIT
"""The errors that a user can fix, each with the exit code that job managers act on.

Every entry point turns a `JobError` into one sentence on standard error and its exit code; anything
else that escapes is a defect of this program and keeps its traceback.
"""


class JobError(Exception):
    """An error that the user can fix; its text says what is wrong, where, and what to do.

    Attributes:
        exit_code: the exit status of the process (BSD sysexits numbers, but for one).
        event: what a notice calls it that a run posts: failure, end, stall or divergence.
        notice: the text of that notice, where it is not to hold all of the error's.
    """

    exit_code = 70
    event = "failure"
    notice = ""


class UsageError(JobError):
    """The command line is wrong (exit 64, EX_USAGE)."""

    exit_code = 64


class RequirementError(JobError):
    """What was made falls short of what is required of it (exit 3).

    Nothing failed, for which sysexits has no number, and Python and shells use 1 and 2.
    """

    exit_code = 3


class DataError(JobError):
    """The input data cannot be used (exit 65, EX_DATAERR)."""

    exit_code = 65


class ServiceError(JobError):
    """A service could not be reached or did not answer properly (exit 69, EX_UNAVAILABLE)."""

    exit_code = 69


class ResourceError(JobError):
    """The machine or the store lacks something (exit 74, EX_IOERR): a retry may help, and counts.

    A full disk, no memory, or a store that fails for so long that not even the start of the run
    could be noted. Job managers count it against their restart budget, so that a fault that stays
    ends the job.
    """

    exit_code = 74


class OutOfMemoryError(ResourceError):
    """The host or an accelerator has no memory left (exit 74)."""


class UnavailableError(ResourceError):
    """A store or another service failed for as long as it was tried, which will pass (exit 74).

    Where the start of a run is noted and counted already, this becomes a `StoppedError`.
    """


class StoppedError(JobError):
    """The job was stopped and saved its state; the same command goes on (exit 75, EX_TEMPFAIL)."""

    exit_code = 75
    event = "end"


class ConfigError(JobError):
    """The configuration cannot work and a retry cannot help (exit 78, EX_CONFIG)."""

    exit_code = 78
