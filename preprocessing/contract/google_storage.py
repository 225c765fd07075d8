# SPDX-License-Identifier: MIT
"""Reaches gs:// paths through Google's client, and tells every refusal in one sentence.

Whatever may be repeated without harm is repeated for two minutes: reads, listings, writes of a
whole object, deletions. A write or a deletion that must happen once names the version it replaces.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from preprocessing.contract.errors import StoppedError, UsageError

_PATIENCE_S = 120.0
# Longer ones would leave room for a few tries only.
_LONGEST_PAUSE_S = 8.0
_FIRST_PAUSE_S = 1.0
_LOGIN = (
    "run `gcloud auth application-default login`, name a key file in "
    "GOOGLE_APPLICATION_CREDENTIALS, or give the machine a service account"
)
_TIRED = (exceptions.RetryError, exceptions.ServerError, exceptions.TooManyRequests)
_WIRE = (requests.RequestException, ConnectionError, DataCorruption)


class GoogleCloudStorage:
    """gs:// paths; each method raises UsageError for what the user can mend.

    Args:
        patience_s: seconds for which a request is repeated that failed on the way.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        # Only the making of buckets needs a project, and not every login has one.
        logging.getLogger("google.auth._default").setLevel(logging.ERROR)
        try:
            self._client = storage.Client(project=None)
        except DefaultCredentialsError as error:
            raise UsageError(
                f"gs:// paths need Google credentials, and none are found here: {_LOGIN}"
            ) from error
        pauses = DEFAULT_RETRY.with_delay(initial=_FIRST_PAUSE_S, maximum=_LONGEST_PAUSE_S)
        self._retry = pauses.with_timeout(patience_s)

    def _split(self, path: str) -> tuple[Any, str]:
        """Returns the bucket of a path, without asking for it, and the name inside it."""
        name, _, inside = path.removeprefix("gs://").partition("/")
        try:
            return self._client.bucket(name), inside
        except (ValueError, IndexError) as error:  # the client's check stumbles over ""
            raise UsageError(f"{path} names no bucket: write gs://BUCKET/NAME") from error

    def _blob(self, path: str) -> Any:
        bucket, name = self._split(path)
        if not name:
            raise UsageError(f"{path} names no object: write gs://BUCKET/NAME")
        return bucket.blob(name)

    def read(self, path: str) -> bytes:
        """Returns an object's content; raises FileNotFoundError."""
        blob = self._blob(path)
        with _told(path, "read"):
            try:
                data: bytes = blob.download_as_bytes(retry=self._retry)
            except DataCorruption:  # spoilt on the way: the checksum tells, another try mends
                data = blob.download_as_bytes(retry=self._retry)
        return data

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Returns part of an object, less at its end; raises FileNotFoundError."""
        return self._range(self._blob(path), path, start, length)

    def _range(self, blob: Any, path: str, start: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with _told(path, "read"), contextlib.suppress(exceptions.RequestRangeNotSatisfiable):
            data: bytes = blob.download_as_bytes(
                start=start, end=start + length - 1, checksum=None, retry=self._retry
            )
            return data
        return b""

    def reader(self, path: str) -> tuple[int, Callable[[int, int], bytes]]:
        """Returns an object's size and (start, length) -> bytes; raises FileNotFoundError."""
        blob = self._blob(path)
        with _told(path, "read"):
            blob.reload(retry=self._retry)
        pinned = blob.bucket.blob(blob.name, generation=blob.generation)
        return int(blob.size), lambda start, length: self._range(pinned, path, start, length)

    def write(self, path: str, data: bytes) -> None:
        """Puts an object, replacing what was there, all at once."""
        self._put(path, data)

    def _put(self, path: str, data: bytes, **conditions: int) -> str:
        blob = self._blob(path)
        with _told(path, "written", no_bucket=True):
            blob.upload_from_string(
                data, content_type="application/octet-stream", retry=self._retry, **conditions
            )
        return str(blob.generation)

    def exists(self, path: str) -> bool:
        """Tells whether an object, or anything below it, exists."""
        bucket, name = self._split(path)
        with _told(path, "read"):
            there = bool(name) and bool(bucket.blob(name).exists(retry=self._retry))
        return there or bool(self._below(path, limit=1))

    def files(self, folder: str) -> list[str]:
        """Returns the URLs of all objects below a folder."""
        return list(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        """Returns URL -> bytes of all objects below a folder."""
        return self._below(folder)

    def _below(self, folder: str, limit: int | None = None) -> dict[str, int]:
        bucket, name = self._split(folder)
        prefix = name.rstrip("/")
        with _told(folder, "listed", no_bucket=True):
            blobs = self._client.list_blobs(
                bucket,
                prefix=f"{prefix}/" if prefix else None,
                max_results=limit,
                fields="items(name,size),nextPageToken",
                retry=self._retry,
            )
            found = {blob.name: blob.size for blob in blobs}
        # A name with a slash at its end stands for a folder, which some programs make.
        start = f"gs://{bucket.name}"
        return {f"{start}/{name}": size for name, size in found.items() if name[-1] != "/"}

    def delete(self, path: str) -> None:
        """Deletes an object if it is there."""
        with contextlib.suppress(FileNotFoundError), _told(path, "deleted"):
            self._blob(path).delete(retry=self._retry)

    def rename(self, source: str, target: str) -> None:
        """Moves an object; raises FileNotFoundError."""
        from_blob, to_blob = self._blob(source), self._blob(target)
        with _told(source, f"moved to {target}"):
            # A large object takes several calls; each hands the next its token.
            token, _, _ = to_blob.rewrite(from_blob, retry=self._retry)
            while token:
                token, _, _ = to_blob.rewrite(from_blob, token=token, retry=self._retry)
        self.delete(source)

    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Returns an object's content and version; raises FileNotFoundError."""
        blob = self._blob(path)
        with _told(path, "read"):
            blob.reload(retry=self._retry)
            return blob.download_as_bytes(retry=self._retry), str(blob.generation)

    def write_version(self, path: str, data: bytes, version: str) -> str:
        """Puts an object in the place of a version, "" for none; returns its own version or ""."""
        try:
            return self._put(path, data, if_generation_match=int(version or 0))
        except exceptions.PreconditionFailed:
            # Also the answer to a repeated request whose first answer was lost.
            with contextlib.suppress(FileNotFoundError):
                found, now = self.read_versioned(path)
                return now if found == data else ""
            return ""

    def delete_version(self, path: str, version: str) -> None:
        """Deletes an object if it still is that version."""
        with contextlib.suppress(FileNotFoundError, exceptions.PreconditionFailed):  # noqa: SIM117
            with _told(path, "deleted"):
                self._blob(path).delete(if_generation_match=int(version), retry=self._retry)


@contextlib.contextmanager
def _told(path: str, done: str, *, no_bucket: bool = False) -> Iterator[None]:
    """Turns the client's errors into what `storage` promises.

    Args:
        path: what the request was about.
        done: what was to be done with it, as a participle.
        no_bucket: an absence can only be that of the bucket.
    """
    bucket = path.removeprefix("gs://").partition("/")[0]
    try:
        yield
    except exceptions.NotFound as error:
        if not no_bucket:
            raise FileNotFoundError(path) from error
        raise UsageError(
            f"{path} cannot be {done}: there is no bucket {bucket}; make it, or mend its name"
        ) from error
    except (exceptions.Forbidden, exceptions.Unauthorized, exceptions.BadRequest) as error:
        raise UsageError(
            f"{path} cannot be {done} ({_line(error.message)}): ask for the role Storage Object "
            "User on the bucket, or name another path"
        ) from error
    except GoogleAuthError as error:
        if getattr(error, "retryable", False):  # the login service itself is ill
            raise _tired(path, done, error) from error
        raise UsageError(
            f"{path} cannot be {done}: Google refused the credentials ({_line(error)}): {_LOGIN}"
        ) from error
    except (*_TIRED, *_WIRE) as error:
        raise _tired(path, done, error) from error


def _tired(path: str, done: str, error: Exception) -> StoppedError:
    return StoppedError(
        f"{path} could not be {done} in spite of several tries ({_line(error)}): run the same "
        "command again"
    )


def _line(error: object) -> str:
    """Returns a message as part of a sentence: one line, not too long.

    >>> _line(" a  b ")
    'a b'
    """
    text = " ".join(str(error).split())
    return text if len(text) < 300 else f"{text[:300]}..."
