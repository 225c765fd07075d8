# SPDX-License-Identifier: MIT
"""Posts what becomes of a run as JSON to an address of the user's; imports no TensorFlow.

There is one notifier a process. It sends in a thread of its own, tries again for minutes while the
run goes on, and holds the end of the process up for a few seconds at most. The address may hold a
secret: only its host is ever shown.
"""

import datetime
import json
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from absl import flags, logging

from preprocessing.contract.errors import JobError, StoppedError, UsageError
from preprocessing.contract.files import given_paths
from preprocessing.contract.process import log

FLAG, VARIABLE = "notify_url", "CXR14_NOTIFY_URL"
_HELP = (
    "Address to which the start, the end, a failure, a stall and a divergence of the run are "
    f"posted as JSON; {VARIABLE} in the environment does the same, unseen in lists of processes."
)
# How long a notice is tried for while the run goes on, and the end of the process is held up.
_PATIENCE_S, _LAST_S = 600.0, 4.0
_TIMEOUTS_S = (3.0, 3.0)
_LONGEST_PAUSE_S, _LAST_PAUSE_S = 30.0, 0.5


def define(values: flags.FlagValues) -> None:
    """Defines the flag."""
    flags.DEFINE_string(FLAG, "", _HELP, flag_values=values)


def chosen(flag: str, environ: Mapping[str, str]) -> str:
    """Returns the address of a flag or else of the environment, "" for none.

    Raises:
        UsageError: it is not an address; the sentence does not repeat it.
    """
    url = flag or environ.get(VARIABLE, "")
    if url and not given_paths.is_web_address(url):
        raise UsageError(
            f"--{FLAG}, or {VARIABLE}, is not an address: begin it with https:// or http://"
        )
    return url


class Notifier:
    """Posts {event, run, worker, step, message, exit_code, time}; without an address, nothing.

    Of several workers the chief tells everything, and another what may be known to it alone.
    """

    def __init__(self) -> None:
        self.begin("", "", 0)

    def begin(self, url: str, run: str, worker: int) -> None:
        """Says for whom notices are, in a process that has sent none yet or whose run is over.

        Args:
            url: where to post, see `chosen`; "" for nowhere.
            run: folder of the run.
            worker: number of this process; 0 is the chief.
        """
        self._url, self._about, self._worker = url, {"run": run, "worker": worker}, worker
        self._notices: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._closing, self._deadline = threading.Event(), float("inf")
        self._lock, self._is_over = threading.Lock(), False
        self._thread = threading.Thread(target=self._send, name="notify", daemon=True)

    def started(self) -> None:
        """Tells that a run starts, or starts again."""
        if not self._worker:
            self._post("start", "", None)

    def ended(self, code: int = 0, message: str = "") -> None:
        """Tells that the process ends as it should: with 0, or with 75 to go on later."""
        if not self._worker:
            self._last("end", message, code)

    def failed(self, error: BaseException) -> None:
        """Tells why the process ends."""
        if isinstance(error, JobError):
            event, code = error.event, error.exit_code
            message = error.notice or str(error)
        else:  # a defect, whose text may hold anything
            event, code, message = "failure", 1, f"defect of the program: {type(error).__name__}"
        if event == "end" or (event == "failure" and code == StoppedError.exit_code):
            self.ended(code, message)
        elif not self._worker or (event == "failure" and code != UsageError.exit_code):
            self._last(event, message, code)

    def stalled(self, message: str) -> None:
        """Tells, from any worker, that nothing moves, just before the process is ended."""
        self._last("stall", message, StoppedError.exit_code)

    def _last(self, event: str, message: str, code: int) -> None:
        """Posts what nothing can come after, and waits a little for all to be sent."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        self._post(event, message, code)
        self._notices.put(None)
        self._deadline = time.monotonic() + _LAST_S
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_S)

    def _post(self, event: str, message: str, code: int | None) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        said = {"step": log.step(), "message": message, "exit_code": code}
        self._notices.put({"event": event, **self._about, **said, "time": now.isoformat()})
        if self._url and self._thread.ident is None:
            self._thread.start()

    def _send(self) -> None:
        while notice := self._notices.get():
            if refused := self._try(json.dumps(notice).encode()):
                host = urlsplit(self._url).hostname
                logging.warning(f"{host} took no notice of the {notice['event']} ({refused})")

    def _try(self, body: bytes) -> str:
        """Posts until it is taken, or there is no hope or time; returns what was wrong."""
        import requests  # here, because the start of the run need not wait for it

        until, pause = time.monotonic() + _PATIENCE_S, 1.0
        while True:
            try:
                headers = {"Content-Type": "application/json"}
                with requests.post(
                    self._url, body, headers=headers, timeout=_TIMEOUTS_S, allow_redirects=False
                ) as answer:
                    wrong, status = f"HTTP {answer.status_code}", answer.status_code
            except Exception as error:  # urllib3's too; its text would hold the address
                wrong, status = type(error).__name__, 0
            if 200 <= status < 300:
                return ""
            if 300 <= status < 500 and status not in (408, 425, 429):
                return wrong
            if not self._closing.wait(pause):
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            elif pause == _LAST_PAUSE_S:
                time.sleep(pause)
            else:  # the end came meanwhile
                pause = _LAST_PAUSE_S
            if time.monotonic() > min(until, self._deadline):
                return wrong


NOTIFIER = Notifier()
