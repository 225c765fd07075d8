# SPDX-License-Identifier: MIT
"""Ends the job when one of its worker processes dies, for whose answer Beam would wait for ever.

The system kills a process when memory runs out. A thread of Beam's sees the end of the worker and
dies of it, but nobody else learns of that.
"""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator

from preprocessing.contract.errors import ResourceError
from preprocessing.contract.process import log
from preprocessing.contract.process.processes import end_descendants

_END = re.compile(r"Worker subprocess exited with return code (-?\d+)")
# Workers get SIGTERM from a job that is being stopped, which then has its own last words.
_LAST_WORDS_S = 5.0


@contextlib.contextmanager
def watched() -> Iterator[None]:
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
