# SPDX-License-Identifier: MIT
"""Reaches gs:// paths through Google's client, and tells every refusal in one sentence.

Whatever may be repeated without harm is repeated for about a minute: reads, listings, writes of a
whole object, deletions. A write or a deletion that must happen once names the version it replaces.
"""

import base64
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from google.api_core import exceptions
from google.auth.compute_engine._metadata import detect_gce_residency_linux
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from preprocessing.contract.errors import UnavailableError, UsageError
from preprocessing.contract.files import faults, google_login, patience
from preprocessing.contract.files.google_errors import explained, passes, status_of

_PIECE_TIMEOUT_S = 60.0
# What says that a server for credentials is meant to be near, though it may come up late.
_WITH_METADATA = ("GCE_METADATA_HOST", "KUBERNETES_SERVICE_HOST", "CLOUD_ML_PROJECT_ID")


class GoogleCloudStorage:
    """gs:// paths.

    Each method raises UsageError for what the user can change, and UnavailableError for what
    stayed away for as long as it was tried.

    Args:
        patience_s: seconds for which a request is repeated that failed on the way.
    """

    def __init__(self, patience_s: float | None = None) -> None:
        logging.getLogger("google.auth._default").setLevel(logging.ERROR)
        logging.getLogger("google.auth.compute_engine._metadata").setLevel(logging.ERROR)
        self._client = _client()
        pauses = DEFAULT_RETRY.with_delay(
            initial=patience.FIRST_PAUSE_S, maximum=patience.LONGEST_PAUSE_S
        ).with_timeout(patience.SECONDS if patience_s is None else patience_s)
        self._retry = pauses.with_predicate(passes)
        # For a request that names the version it replaces, another version is an answer.
        self._once = pauses.with_predicate(lambda error: passes(error) and status_of(error) != 412)

    @property
    def account(self) -> str:
        """Whose rights these are: an account's e-mail, or "" if the credentials do not say."""
        credentials = self._client._credentials
        named = getattr(credentials, "service_account_email", "") or ""
        return str(named or getattr(credentials, "account", "") or "")

    def location(self, path: str) -> str:
        """Returns where a path's bucket keeps its objects, such as US-CENTRAL1, EU or NAM4."""
        bucket, _ = self._split(path)
        with explained(path, "looked up", no_bucket=True):
            bucket.reload(retry=self._retry)
        return str(bucket.location or "")

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
        with explained(path, "read"):
            try:
                data: bytes = blob.download_as_bytes(retry=self._retry)
            except DataCorruption:  # spoilt on the way: the checksum tells, another try helps
                data = blob.download_as_bytes(retry=self._retry)
        return data

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Returns part of an object, less at its end; raises FileNotFoundError."""
        return self._range(self._blob(path), path, start, length)

    def _range(self, blob: Any, path: str, start: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with explained(path, "read"), contextlib.suppress(exceptions.RequestRangeNotSatisfiable):
            data: bytes = blob.download_as_bytes(
                start=start, end=start + length - 1, checksum=None, retry=self._retry
            )
            return data
        return b""

    def reader(self, path: str) -> tuple[int, Callable[[int, int], bytes]]:
        """Returns an object's size and (start, length) -> bytes; raises FileNotFoundError."""
        blob = self._blob(path)
        with explained(path, "read"):
            blob.reload(retry=self._retry)
        pinned = blob.bucket.blob(blob.name, generation=blob.generation)
        return int(blob.size), lambda start, length: self._range(pinned, path, start, length)

    def write(self, path: str, data: bytes) -> None:
        """Puts an object, replacing what was there, all at once."""
        self._put(path, data)

    def _put(self, path: str, data: bytes, **conditions: int) -> str:
        blob = self._blob(path)
        retry = self._once if conditions else self._retry
        with explained(path, "written", no_bucket=True, conditional=bool(conditions)):
            blob.upload_from_string(
                data, content_type="application/octet-stream", retry=retry, **conditions
            )
        return str(blob.generation)

    def begin_upload(self, path: str) -> str:
        """Returns the address of an upload in pieces, which any process may go on for a week."""
        with explained(path, "written", no_bucket=True):
            session: str = self._blob(path).create_resumable_upload_session(
                content_type="application/octet-stream", checksum=None, retry=self._retry
            )
        return session

    def put_piece(self, session: str, path: str, where: str, data: bytes = b"") -> Any:
        """Sends a piece of an upload once, or asks how far it is; returns the answer as it is."""
        with explained(path, "written"):
            return self._client._http.put(
                session,
                data=data,
                headers={"Content-Range": f"bytes {where}"},
                timeout=_PIECE_TIMEOUT_S,
                allow_redirects=False,
            )

    def size_and_md5(self, path: str) -> tuple[int, str]:
        """Returns bytes and MD5 of an object, "" for none; raises FileNotFoundError."""
        blob = self._blob(path)
        with explained(path, "read"):
            blob.reload(retry=self._retry)
        return int(blob.size), base64.b64decode(blob.md5_hash or "").hex()

    def exists(self, path: str) -> bool:
        """Tells whether an object, or anything below it, exists."""
        bucket, name = self._split(path)
        with explained(path, "read"):
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
        with explained(folder, "listed", no_bucket=True):
            blobs = self._client.list_blobs(
                bucket,
                prefix=f"{prefix}/" if prefix else None,
                max_results=limit,
                fields="items(name,size),nextPageToken",
                retry=self._retry,
            )
            found = {blob.name: blob.size for blob in blobs}
        # A name with a slash at its end is a folder's, which some programs make.
        start = f"gs://{bucket.name}"
        return {f"{start}/{name}": size for name, size in found.items() if name[-1] != "/"}

    def delete(self, path: str) -> None:
        """Deletes an object if it is there."""
        with contextlib.suppress(FileNotFoundError), explained(path, "deleted"):
            self._blob(path).delete(retry=self._retry)

    def rename(self, source: str, target: str) -> None:
        """Moves an object; raises FileNotFoundError."""
        from_blob, to_blob = self._blob(source), self._blob(target)
        with explained(source, f"moved to {target}"):
            # A large object takes several calls; each hands the next its token.
            token, _, _ = to_blob.rewrite(from_blob, retry=self._retry)
            while token:
                token, _, _ = to_blob.rewrite(from_blob, token=token, retry=self._retry)
        self.delete(source)

    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Returns an object's content and version; raises FileNotFoundError."""
        blob = self._blob(path)
        with explained(path, "read"):
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
            with explained(path, "deleted", conditional=True):
                self._blob(path).delete(if_generation_match=int(version), retry=self._once)


def _client() -> Any:
    """Connects, waiting for credentials where a server for them is meant to come up.

    GKE's metadata server is late in new pods.
    """

    def come(error: Exception) -> bool:
        if isinstance(error, DefaultCredentialsError):
            return _may_come()
        return isinstance(error, GoogleAuthError) and passes(error)

    try:
        with google_login.named():
            # Only the making of buckets needs a project, and not every login has one.
            return patience.insist(lambda: storage.Client(project=None), come)
    except GoogleAuthError as error:
        none = "gs:// paths need Google credentials, and none are found here"
        if come(error):
            raise UnavailableError(
                f"{none}, though the metadata server was asked for {patience.SECONDS:.0f} s: run "
                f"the same command again, and if that does not help, {faults.LOGIN}"
            ) from error
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            none = f"gs:// paths need Google credentials ({faults.line(error)})"
        raise UsageError(f"{none}: {faults.LOGIN}") from error


def _may_come() -> bool:
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    asked = os.environ.get("NO_GCE_CHECK", "").lower() != "true"
    near = any(map(os.environ.get, _WITH_METADATA)) or detect_gce_residency_linux()
    return bool(asked and near and not named)
