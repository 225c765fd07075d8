# SPDX-License-Identifier: MIT
"""Tells which errors of Google's client pass, and says the others in one sentence."""

import contextlib
from collections.abc import Iterator

import requests
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from preprocessing.contract.errors import JobError, UnavailableError, UsageError
from preprocessing.contract.files import faults

_TIRED = (exceptions.RetryError, exceptions.ServerError, exceptions.TooManyRequests)
_WIRE = (requests.RequestException, ConnectionError, DataCorruption)


@contextlib.contextmanager
def explained(
    path: str, done: str, *, no_bucket: bool = False, conditional: bool = False
) -> Iterator[None]:
    """Turns the client's errors into what `storage` promises.

    Args:
        path: what the request was about.
        done: what was to be done with it, as a participle.
        no_bucket: an absence can only be that of the bucket.
        conditional: another version in the place of the one that was named is the caller's matter.
    """
    try:
        yield
    except exceptions.NotFound as error:
        if not no_bucket:
            raise FileNotFoundError(path) from error
        bucket = path.removeprefix("gs://").partition("/")[0]
        raise UsageError(
            f"{path} cannot be {done}: there is no bucket {bucket}; make it, or fix its name"
        ) from error
    except exceptions.PreconditionFailed as error:
        if conditional:
            raise
        raise faults.answered(path, done, 412, error.message) from error
    except (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError) as error:
        raise _meaning(path, done, error) from error
    except _WIRE as error:
        raise faults.tired(path, done, error) from error


def _meaning(path: str, done: str, error: Exception) -> JobError:
    cause = error.cause if isinstance(error, exceptions.RetryError) else error
    if isinstance(cause, exceptions.RetryError) and cause.cause:  # one for each of two layers
        cause = cause.cause
    status = status_of(cause)
    if isinstance(cause, GoogleAuthError) and not passes(cause):
        return UsageError(
            f"{path} cannot be {done}: Google refused the credentials ({faults.line(cause)}): "
            f"{faults.LOGIN}"
        )
    if status and not isinstance(cause, GoogleAuthError):
        return faults.answered(path, done, status, str(getattr(cause, "message", cause)))
    return faults.tired(path, done, cause or error)


def status_of(error: object) -> int:
    """Returns the status of an answer by HTTP, 0 if there was no answer."""
    code = getattr(error, "code", None) or getattr(
        getattr(error, "response", None), "status_code", 0
    )
    return int(code or 0)


def passes(error: Exception) -> bool:
    """Tells whether a request may be repeated with hope."""
    if isinstance(error, RefreshError) and error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    if isinstance(error, TransportError):
        # The metadata server's own words, where it refuses for good.
        return "Status: 403" not in str(error)
    if isinstance(error, GoogleAuthError):
        return bool(error.retryable)
    if status := status_of(error):
        return isinstance(faults.answered("", "", status, str(error)), UnavailableError)
    return isinstance(error, (*_TIRED, *_WIRE)) or bool(DEFAULT_RETRY._predicate(error))
