# SPDX-License-Identifier: MIT
"""The life of worker processes on this machine: started, watched, and ended with their job.

1. Before they start: with too few files that may be open they would hang.
2. A worker goes on with its work when the job is killed, and would write while the next job runs.
   So the job leaves its mark in the environment, which its workers inherit: those on other machines
   and in containers have none, and are left alone.
3. When the system kills a worker, as it does when memory runs out, a thread of Beam's sees it and
   dies of it, and Beam waits for the worker's answer forever. So the job ends, with a sentence.
"""

import contextlib
import os
import re
import resource
import signal
import threading
import time
from collections.abc import Iterator

from preprocessing.contract.errors import ResourceError
from preprocessing.contract.process import log
from preprocessing.contract.process.processes import birth, end_descendants

_OWN_FILES, _FILES_OF_A_WORKER = 32, 8

_MARK = "CXR14_JOB_PROCESS"
_INTERVAL_S = 0.5
_EXIT_CODE = 1
_watching = threading.Lock()

_END = re.compile(r"Worker subprocess exited with return code (-?\d+)")
# Workers get SIGTERM from a job that is being stopped, which then has its own last words.
_LAST_WORDS_S = 5.0


def reserve_files(workers: int | None = None) -> None:
    """Raises this process's limit of open files as far as its workers need, where it may.

    Args:
        workers: number of worker processes; by default one for each core.

    Raises:
        ResourceError: the limit is too low and may not be raised.
    """
    needed = _OWN_FILES + _FILES_OF_A_WORKER * (workers or os.cpu_count() or 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ResourceError(
            f"this process may open {hard} files at a time, and {needed} are needed: raise the "
            "limit (ulimit -n 1024) and run the same command again"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def mark() -> None:
    """Makes this process the job that worker processes started from now on belong to."""
    os.environ[_MARK] = f"{os.getpid()} {birth(os.getpid())}"


def watch_parent() -> None:
    """Makes this process end soon after its job; does nothing in the job's own process.

    May be called any number of times, from any thread.
    """
    pid, _, born = os.environ.get(_MARK, "").partition(" ")
    if not born or int(pid) == os.getpid() or not _watching.acquire(blocking=False):
        return
    threading.Thread(target=_watch, args=(int(pid), born), name="orphans", daemon=True).start()


def _watch(pid: int, born: str) -> None:
    while birth(pid) == born:
        time.sleep(_INTERVAL_S)
    # At once, whatever other threads of the worker are doing.
    os._exit(_EXIT_CODE)


@contextlib.contextmanager
def ending_with_them() -> Iterator[None]:
    """Ends this process with a sentence and exit code 74 if a worker dies while a block runs.

    Nothing that is half written counts, so that the same command goes on afterwards.
    """
    before = threading.excepthook

    def hook(said: threading.ExceptHookArgs) -> None:
        found = _END.fullmatch(str(said.exc_value))
        if found is None:
            before(said)
            return
        time.sleep(_LAST_WORDS_S if -int(found.group(1)) == signal.SIGTERM else 0.0)
        log.say("cxr14-preprocess", sentence(int(found.group(1))), ResourceError.exit_code)
        end_descendants()
        log.end()
        os._exit(ResourceError.exit_code)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def sentence(code: int) -> str:
    """Returns what to say of a worker that ended with a code; shells add 128 to a signal's number.

    >>> sentence(-9).partition(",")[0]
    'a worker process was ended by SIGKILL'
    """
    number = -code if code < 0 else code - 128
    cause = f"with code {code}"
    with contextlib.suppress(ValueError):
        cause = f"by {signal.Signals(number).name}"
    if number == signal.SIGKILL:
        cause += ", as the system does when memory runs out"
    return (
        f"a worker process was ended {cause}: run the same command again, which goes on; if it "
        "happens again, use fewer workers (--direct_running_mode=multi_processing "
        "--direct_num_workers=N) or a machine with more memory"
    )
