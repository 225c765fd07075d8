# SPDX-License-Identifier: MIT
"""Locks a folder of a file system: the kernel holds the lock and drops it with the process."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator

from preprocessing.contract.errors import JobError, UsageError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.lock.holder import Holder, refusal

_FIRST_WORDS_S = 2.0


# What file systems without locks say.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def hold(path: str, output: str, *, needed: bool = True) -> Iterator[bool]:
    """Holds the lock of an output on a file system; `path` is that of the lock file.

    Args:
        path: of the lock file.
        output: the folder that is locked, for sentences.
        needed: False where something else keeps others out, should the system have no locks.

    Yields:
        Whether it could be locked.

    Raises:
        HeldError: another job holds it.
        UsageError: nothing may be written there, or nothing can be locked that must be.
        ResourceError: nothing can be written there now, as on a full disk.
    """
    try:
        descriptor, locked = _locked(path, output, needed)
    except OSError as error:
        raise _unwritable(output, error) from error
    try:
        _say(descriptor, output)
        yield locked
    finally:
        # Removed while it is still locked: who waits for it sees that the file is not this one.
        storage.delete(path)
        os.close(descriptor)
        storage.remove_empty_folder(os.path.dirname(path))


def _say(descriptor: int, output: str) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, Holder.of_this_process().to_json(), 0)
    except OSError as error:
        raise _unwritable(output, error) from error


def _unwritable(output: str, error: OSError) -> JobError:
    if error.errno in faults.OF_THE_MACHINE:
        error.filename = output
        return faults.explain(error) or UsageError(str(error))
    return UsageError(
        f"--output={output} cannot be written: {error.strerror}; name a folder in which files can "
        "be made"
    )


def _locked(path: str, output: str, needed: bool) -> tuple[int, bool]:
    """Returns a descriptor of the lock file, and whether it is locked.

    The kernel unlocks it if the process dies.
    """
    while True:
        # 1. Open the file that is there, or make it. Not with O_EXCL: a file that a killed job left
        #    is not a lock, the kernel's is.
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # another job has just removed the folder
            continue
        try:
            # 2. Lock it.
            locked = _lock(descriptor, needed)
            # 3. See that it still has its name. Between 1 and 2 a job that was done may have
            #    removed it, and others would lock a new file of that name.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return os.dup(descriptor), locked
        except BlockingIOError:
            with contextlib.suppress(FileNotFoundError):  # its holder has just left
                raise refusal(output, _first_words(path)) from None
        finally:
            os.close(descriptor)  # a duplicate keeps the lock


def _lock(descriptor: int, needed: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if needed or error.errno not in _NO_LOCKS:
            raise
        return False


def _first_words(path: str) -> Holder | None:
    """Reads who holds a lock, which is written a moment after it was taken.

    Raises:
        FileNotFoundError: the lock is gone.
    """
    until = time.monotonic() + _FIRST_WORDS_S
    while time.monotonic() < until:
        holder = Holder.from_json(storage.read_bytes(path))
        if holder:
            return holder
        time.sleep(0.02)
    return None
