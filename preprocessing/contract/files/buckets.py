# SPDX-License-Identifier: MIT
"""Reaches object stores: gs:// by Google's client, other schemes by TensorFlow's file systems.

Both kinds have the same methods, which `storage` calls; every path is a full URL.
"""

import abc
import ctypes
import functools
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from preprocessing.contract.errors import UsageError
from preprocessing.contract.process import tensorflow_notes

if TYPE_CHECKING:
    from preprocessing.contract.files.google_storage import GoogleCloudStorage


class Versions(Protocol):
    """What a lock needs of a store; a version changes with every write and is "" for no object."""

    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Returns an object's content and version; raises FileNotFoundError."""

    def write_version(self, path: str, data: bytes, version: str) -> str:
        """Puts an object in the place of a version; returns its own version, "" if it lost."""

    def delete_version(self, path: str, version: str) -> None:
        """Deletes an object if it still is that version."""


class HashedVersions(abc.ABC):
    """Versions, by the hash of the content, of a store that has no conditional writes.

    Of two writers in the same instant both may believe that they won, until they read again.
    """

    @abc.abstractmethod
    def read(self, path: str) -> bytes:
        """Returns the content; raises FileNotFoundError."""

    @abc.abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Writes all of it at once."""

    @abc.abstractmethod
    def delete(self, path: str) -> None:
        """Deletes it if it is there."""

    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Returns the content and its hash as version; raises FileNotFoundError."""
        data = self.read(path)
        return data, hashlib.sha256(data).hexdigest()

    def write_version(self, path: str, data: bytes, version: str) -> str:
        """Writes in the place of a version; returns its own version, "" if it lost."""
        if self._version(path) != version:
            return ""
        self.write(path, data)
        return hashlib.sha256(data).hexdigest()

    def delete_version(self, path: str, version: str) -> None:
        """Deletes what still is that version."""
        if self._version(path) == version:
            self.delete(path)

    def _version(self, path: str) -> str:
        try:
            return self.read_versioned(path)[1]
        except FileNotFoundError:
            return ""


@functools.cache
def of(scheme: str) -> "GoogleCloudStorage | TensorFlowFiles":
    """Returns the object store for a scheme, one client for the process.

    Raises:
        UsageError: nothing installed here can reach that scheme.
    """
    if scheme != "gs":
        return TensorFlowFiles(scheme)
    # Imported here because it costs half a second that local runs need not pay.
    from preprocessing.contract.files.google_storage import GoogleCloudStorage

    return GoogleCloudStorage()


class TensorFlowFiles(HashedVersions):
    """Other schemes through TensorFlow, whose plug-ins come with the extra `tensorflow-io`."""

    def __init__(self, scheme: str) -> None:
        # Imported here because only users of such a scheme have, and need, these packages. The
        # rarer one comes first: a refusal need not wait the seconds that TensorFlow takes.
        try:
            import tensorflow_io as tfio  # registers the schemes

            tensorflow_notes.load()

            tfio.__version__  # noqa: B018  # the import is lazy until something is touched
        except (ImportError, NotImplementedError, AttributeError) as error:
            raise UsageError(
                f"{scheme}:// paths need the tensorflow-io environment (TensorFlow 2.16): install "
                "configs/requirements/tensorflow-io.txt, or use a local or gs:// path"
            ) from error
        import tensorflow as tf

        if scheme not in tf.io.gfile.get_registered_schemes():
            raise UsageError(
                f"{scheme}:// paths are not known to this installation: it reads local paths and "
                f"{', '.join(f'{s}://' for s in tf.io.gfile.get_registered_schemes() if s)}"
            )
        _leave_without_destructors()
        self._files = tf.io.gfile
        self._not_found = tf.errors.NotFoundError
        self._refused = (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError)

    def read(self, path: str) -> bytes:
        """Returns an object's content; raises FileNotFoundError."""
        try:
            with self._files.GFile(path, "rb") as file:
                data: bytes = file.read()
        except self._not_found as error:
            raise FileNotFoundError(path) from error
        # The S3 client reads a folder as if it were an empty object.
        if not data and self._files.isdir(path):
            raise FileNotFoundError(path)
        return data

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Returns part of an object, less at its end; raises FileNotFoundError."""
        size, read = self.reader(path)
        return read(start, min(length, size - start))

    def reader(self, path: str) -> tuple[int, Callable[[int, int], bytes]]:
        """Returns an object's size and (start, length) -> bytes; raises FileNotFoundError."""

        def read(start: int, length: int) -> bytes:
            if length <= 0:  # to TensorFlow a negative length means all the rest
                return b""
            with self._files.GFile(path, "rb") as file:
                file.seek(start)
                data: bytes = file.read(length)
            return data

        return self._size(path), read

    def _size(self, path: str) -> int:
        try:
            status = self._files.stat(path)
        except self._not_found as error:
            raise FileNotFoundError(path) from error
        if status.is_directory:
            raise FileNotFoundError(path)
        return int(status.length)

    def write(self, path: str, data: bytes) -> None:
        """Puts an object, replacing what was there, all at once.

        Raises:
            UsageError: there is no such bucket, or it may not be written to.
        """
        try:
            with self._files.GFile(path, "wb") as file:
                file.write(data)
        except (self._not_found, *self._refused) as error:
            raise UsageError(
                f"{path} cannot be written ({' '.join(str(error).split())}): name a bucket that is "
                "there and that these credentials may write to"
            ) from error

    def exists(self, path: str) -> bool:
        """Tells whether an object, or anything below it, exists."""
        return bool(self._files.exists(_folder(path)))

    def files(self, folder: str) -> list[str]:
        """Returns the URLs of all objects below a folder."""
        return [
            f"{parent.rstrip('/')}/{name}"
            for parent, _, names in self._files.walk(_folder(folder))
            for name in names
        ]

    def sizes(self, folder: str) -> dict[str, int]:
        """Returns URL -> bytes of all objects below a folder."""
        return {path: self._size(path) for path in self.files(folder)}

    def delete(self, path: str) -> None:
        """Deletes an object if it is there."""
        try:
            self._files.remove(path)
        except self._not_found:
            return

    def rename(self, source: str, target: str) -> None:
        """Moves an object; raises FileNotFoundError."""
        # The S3 client takes a missing source for an empty folder, and moves nothing.
        if not self._files.exists(source):
            raise FileNotFoundError(source)
        self._files.rename(source, target, overwrite=True)


def _leave_without_destructors() -> None:
    """Makes the process end, with its own exit code, right after Python has shut down.

    The destructors of tensorflow-io's S3 client abort ("pure virtual method called"), which turns a
    good run's exit code 0 into 134, in Beam's worker processes too. Python's own clean-up, which
    closes files and writers, is over when the handler runs.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "on_exit"):  # glibc has it
        library.on_exit(library._exit, None)


def _folder(path: str) -> str:
    """Returns a path with which TensorFlow's file systems find a bucket as a whole.

    >>> _folder("s3://bucket"), _folder("s3://bucket/a")
    ('s3://bucket/', 's3://bucket/a')
    """
    return path if "/" in path.partition("://")[2] else f"{path}/"
