# SPDX-License-Identifier: MIT
"""Says in one sentence what a disk, a bucket or the machine refused, whichever library raised it.

TensorFlow reaches gs:// by a client of its own, which raises its own errors: they end with the same
sentences and codes as those of Google's client. Imports no TensorFlow.
"""

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from preprocessing.contract.errors import (
    ConfigError,
    JobError,
    OutOfMemoryError,
    ResourceError,
    UnavailableError,
    UsageError,
)
from preprocessing.contract.files import patience

LOGIN = (
    "run `gcloud auth application-default login`, name a key file in "
    "GOOGLE_APPLICATION_CREDENTIALS, or give the machine a service account"
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN = (errno.EIO, errno.ESTALE, errno.EREMOTEIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
# Not the user's mistake, as far as the number tells.
OF_THE_MACHINE = (*FULL, *_BROKEN)
_REFUSED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
    *(errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTEMPTY),
)
_NO_TEMPORARY = "No usable temporary directory"
# By the status of an answer; every other one below 500 is a refusal.
_PASSING = (401, 408, 409, 412, 425, 429)
_LIMITED = re.compile("rateLimit|RateLimit|quotaExceeded|SlowDown", flags=re.IGNORECASE)
_KEPT = re.compile(r"retention|\bhold\b", flags=re.IGNORECASE)
# The permission that a request needs, by what was to be done.
_PERMISSIONS = {
    "read": "storage.objects.get",
    "looked": "storage.buckets.get",
    "listed": "storage.objects.list",
    "written": "storage.objects.create, and storage.objects.delete to replace",
    "deleted": "storage.objects.delete",
    "moved": "storage.objects.create and storage.objects.delete",
}
_T = TypeVar("_T")


def answered(path: str, done: str, status: int, message: str) -> JobError:
    """Returns what a store's refusal of a request means.

    Args:
        path: what the request was about.
        done: what was to be done with it, as a participle.
        status: of the answer, by HTTP.
        message: what the store said.
    """
    said = f"HTTP {status}: {line(message)}"
    if status == 401:
        return UnavailableError(
            f"{path} could not be {done}: the store did not take the credentials ({said}): run the "
            f"same command again, and if that does not help, {LOGIN}"
        )
    if status in _PASSING or status >= 500 or (status == 403 and _LIMITED.search(message)):
        return tired(path, done, said)
    if status == 403 and _KEPT.search(message):
        return UsageError(
            f"{path} cannot be {done} ({said}): its bucket keeps what it holds (retention policy "
            "or hold), and a run replaces and deletes files; name a path in another bucket"
        )
    if status == 404:
        return UsageError(f"{path} cannot be {done}: it, or its bucket, is not there ({said})")
    if status != 403:
        return UsageError(f"{path} cannot be {done}: the store refused it ({said})")
    permission = _PERMISSIONS.get(done.partition(" ")[0], "storage.objects.*")
    return UsageError(
        f"{path} cannot be {done} ({said}): that needs {permission}; ask for the role Storage "
        "Object User (roles/storage.objectUser) on the bucket, or name another path"
    )


def tired(path: str, done: str, error: object) -> UnavailableError:
    """Returns that a request failed for as long as it was tried."""
    return UnavailableError(
        f"{path} could not be {done} in spite of several tries ({line(error)}): run the same "
        "command again"
    )


def explain(error: BaseException) -> JobError | None:
    """Returns what a user can change about an error, None for a defect of this program.

    Args:
        error: of the operating system, of TensorFlow's files, or of memory that is used up.
    """
    if isinstance(error, JobError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError(f"this machine has no memory left ({line(error) or 'MemoryError'})")
    if isinstance(error, OSError):
        return _of_system(error)
    if hasattr(error, "error_code") and hasattr(error, "message"):
        return _of_tensorflow(type(error).__name__, _plain(error.message))
    return None


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns what `explain` knows into its sentence, for the length of a block."""
    try:
        yield
    except Exception as error:
        found = explain(error)
        if found is None or found is error:
            raise
        raise found from error


def insist(work: Callable[[], _T]) -> _T:
    """Does what reaches a store through TensorFlow, again where that may help.

    TensorFlow repeats what failed on the way, but neither a 401, for a token that ran out, nor
    a 412, nor anything once it has given up.

    Raises:
        JobError: what `explain` says.
    """
    with explained():
        return patience.insist(work, lambda error: isinstance(explain(error), UnavailableError))


def line(error: object) -> str:
    """Returns a message as part of a sentence: one line, not too long.

    >>> line(" a  b ")
    'a b'
    """
    text = " ".join(str(error).split())
    return text if len(text) < 300 else f"{text[:300]}..."


def _of_system(error: OSError) -> JobError | None:
    if _NO_TEMPORARY in str(error):
        return ConfigError(
            "there is no folder for temporary files: make /tmp writable, or name another folder in "
            "TMPDIR"
        )
    if isinstance(error, FileNotFoundError) and not error.errno:  # as of an object in a bucket
        return _local(line(error), errno.ENOENT)
    return _local(str(error.filename2 or error.filename or "a file"), error.errno or 0)


def _local(path: str, number: int) -> JobError | None:
    """Returns what an error number of the operating system means for a path."""
    reason = os.strerror(number)
    if number in FULL:
        return ResourceError(
            f"{path} cannot be written ({reason}): make room there, or name another folder; the "
            "same command then goes on"
        )
    if number in _BROKEN:
        return ResourceError(f"{path} cannot be used now ({reason}): look at the machine")
    if number in _REFUSED:
        return UsageError(f"{path} cannot be used ({reason}): check the path and its permissions")
    return None


_DONE = {"reading": "read", "deleting": "deleted", "renaming": "moved", "listing": "listed"}


def _of_tensorflow(kind: str, text: str) -> JobError | None:
    # 1. What was done to which path, as TensorFlow's own client for buckets says it.
    where = re.search(r"when (\w+)[^/]*?(gs://\S+)", text)
    path = where.group(2) if where else "a path on gs://"
    done = _DONE.get(where.group(1), "written") if where else "used"
    # 2. What the store answered, or that it did not.
    status = re.search(r"HTTP response code (\d+)(?: with body '(.*?)'(?: when|$))?", text)
    if status:
        body = status.group(2) or ""
        message = re.search(r'"message": *"(.*?)"', body)
        return answered(path, done, int(status.group(1)), message.group(1) if message else body)
    if "Error executing an HTTP request" in text:  # it got no answer at all
        return tired(path, done, text.partition("HTTP request: ")[2])
    if missing := re.search(r"bucket (gs://\S+?)/? was not found", text):
        return UsageError(f"there is no bucket {missing.group(1)}: make it, or fix its name")
    if kind == "ResourceExhaustedError" and "No space left" not in text:
        return OutOfMemoryError(f"the device has no memory left ({line(text)})")
    # 3. What the operating system said.
    for number in (*OF_THE_MACHINE, *_REFUSED):
        # TensorFlow ends what the operating system said with its words: "PATH; WORDS".
        if found := re.search(rf"(\S+); {re.escape(os.strerror(number))}", text):
            return _local(found.group(1), number)
    return None


def _plain(message: str) -> str:
    """Returns what TensorFlow says without the names of its nodes."""
    text = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:\w+\]( name:)?", " ", str(message))
    return " ".join(text.split())
