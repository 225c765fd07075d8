# SPDX-License-Identifier: MIT
"""Fetches several files at once, and says what can be done with them."""

import contextlib
import dataclasses
import shlex
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures

from absl import logging

from preprocessing.contract import lock, wording
from preprocessing.contract.archives.archives import PUBLISHED_MD5
from preprocessing.contract.errors import (
    JobError,
    ResourceError,
    StoppedError,
    UnavailableError,
    UsageError,
)
from preprocessing.contract.files import faults, storage
from preprocessing.contract.process.progress import Progress
from preprocessing.download import fetching
from preprocessing.download.addresses import BOXES, LABEL_FILE, LISTS, PAGE, File
from preprocessing.download.parts import Part

_MB = 1_000_000


class _Job:
    """The files of one download: what has come of them, and what went wrong."""

    def __init__(self, output: str, at_once: int) -> None:
        self._output, self._at_once = output, at_once
        self.sums, self.failures = dict[str, str](), dict[str, JobError]()
        self.parts = dict[File, Part]()
        self.bytes, self._lock, self._is_over = 0, threading.Lock(), False
        self._present = self.names()

    def names(self) -> set[str]:
        names = ((storage.basename(path), path) for path in storage.sizes(self._output))
        return {name for name, path in names if path == storage.join(self._output, name)}

    def prepare(self, file: File) -> None:
        if file.name in self._present:
            self.sums[file.name] = fetching.examined(file, self._output)
            return
        file = dataclasses.replace(file, size=fetching.size_of(file))
        self.parts[file] = fetching.begun(file, self._output)

    def fetch(self, file: File) -> None:
        part = self.parts[file]
        self.sums[file.name] = fetching.fetch(file, part, self._output, self.count)

    def count(self, number: int) -> None:
        if self._is_over:  # another job has taken the folder, say
            raise StoppedError("the download was stopped: the same command goes on")
        with self._lock:
            self.bytes += number

    def each(
        self,
        do: Callable[[File], None],
        files: Iterable[File],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Does something for every file; one that fails does not keep the others from their end."""
        with futures.ThreadPoolExecutor(self._at_once) as pool:
            begun = {pool.submit(do, file): file for file in files}
            try:
                waiting = set(begun)
                while waiting:
                    done, waiting = futures.wait(waiting, 1.0, futures.FIRST_COMPLETED)
                    meanwhile()
                    for future in done:
                        self._heed(begun[future], future.exception())
            except BaseException:
                self._is_over = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _heed(self, file: File, error: BaseException | None) -> None:
        told = faults.explain(error) if error else None
        if error and not told:
            raise error
        if told:
            self.failures[file.name] = told
            logging.warning(f"{file.name}: {told}")

    def close(self) -> None:
        for part in self.parts.values():
            part.close()


def run(output: str, files: Sequence[File], *, at_once: int = 4) -> str:
    """Fetches files to a folder, where one has its name only when all of it is right.

    Args:
        output: the folder, local or on gs://.
        files: to fetch; what lies there already is checked instead.
        at_once: how many at the same time.

    Returns:
        What lies there now, what of it could not be checked, and what to do next.

    Raises:
        StoppedError: a server was silent for a minute; the same command goes on.
        DataError: what was fetched twice, or lies there, is not the file that was published.
        ResourceError: the disk is full, or too small, which is said before anything is fetched.
        UsageError: a server refuses, or nothing may be written.
    """
    if storage.scheme_of(output) not in ("", "gs"):
        raise UsageError(f"--output={output}: a download goes to a local folder or to gs://")
    with lock.hold(output), contextlib.closing(_Job(output, at_once)) as job:
        job.each(job.prepare, files)
        left = {file: max(file.size - part.at, 0) for file, part in job.parts.items()}
        _check_room(output, left)
        job.bytes = sum(part.at for part in job.parts.values())
        total = (job.bytes + sum(left.values())) // _MB
        with Progress("download", total, unit="MB", done=job.bytes // _MB) as progress:
            job.each(job.fetch, left, lambda: progress.reach(job.bytes // _MB))
        names = job.names()
    _raise(job.failures, len(files))
    return _told(output, files, job.sums, names)


def _check_room(output: str, left: dict[File, int]) -> None:
    """Refuses to begin what the disk cannot hold; a bucket holds everything."""
    if unknown := [file.name for file in left if not file.size]:
        logging.warning(f"no server tells the size of {', '.join(unknown)}")
    needed = sum(left.values())
    if not storage.scheme_of(output) and needed > (free := shutil.disk_usage(output).free):
        raise ResourceError(
            f"{output} has room for {free / _MB:,.0f} MB, and {needed / _MB:,.0f} MB are "
            "to come: make room there, name another folder or a bucket, or fetch less with "
            "--first=N; nothing was fetched"
        )


def _raise(failures: dict[str, JobError], number: int) -> None:
    """Raises what went wrong, first of all what the same command would not fix."""
    ordered = sorted(failures.values(), key=lambda error: isinstance(error, UnavailableError))
    if not ordered:
        return
    first, others = ordered[0], len(ordered) - 1
    kind = StoppedError if isinstance(first, UnavailableError) else type(first)
    more = f"; {others} more of {number} files failed, as said above" if others else ""
    raise kind(f"{first}{more}")


def _told(output: str, files: Sequence[File], sums: dict[str, str], names: set[str]) -> str:
    unchecked = [file.name for file in files if not file.md5]
    right = len(sums) - len(unchecked)
    lines = [f"{output}: {wording.counted(len(sums), 'file')}, {right} with the right MD5"]
    lines += [
        f"  {name} is not checked, since no MD5 of it is known here; it has {sums[name]}"
        for name in unchecked
    ]
    needed = [name for name in (LABEL_FILE, *LISTS) if name not in names]
    if needed:
        lines.append(
            f"still needed there: {', '.join(needed)}, which NIH gives to browsers alone: fetch "
            f"them from {PAGE}, or from a folder on the web with --labels_url"
        )
    folder = shlex.quote(output.rstrip("/") or "/")
    command = [
        f"cxr14-preprocess --source=nih --images={folder}",
        f"--labels={folder}/{LABEL_FILE}",
        *(f"--{name.removesuffix('.txt')}={folder}/{name}" for name in LISTS),
        *([f"--boxes={folder}/{BOXES}"] if BOXES in names else []),
        *(["--allow_missing"] if PUBLISHED_MD5.keys() - names else []),
    ]
    lines.append(f"then: {' '.join(command)} --output=SHARDS")
    return "\n".join(lines)
