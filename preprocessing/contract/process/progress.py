# SPDX-License-Identifier: MIT
"""Shows how far a job is: a bar with rate and time left on a terminal, plain lines in a log."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar

import tqdm
from absl import logging

from preprocessing.contract.process import log

# As usual, without the time left.
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"


class Progress:
    """Counts work done, for use in a `with` block.

    Attributes:
        moved: called whenever more is done, in any `Progress` of the process.

    Args:
        title: what is counted, at the head of each line.
        total: how much there is.
        unit: name of one piece, in the plural.
        done: how much was done before, which does not count for the rate.
        interval_s: seconds between plain lines.
        says_left: whether to say the time left by the mean rate; a note may know it better.
    """

    moved: ClassVar[Callable[[], None]] = staticmethod(lambda: None)

    def __init__(
        self,
        title: str,
        total: int,
        *,
        unit: str,
        done: int = 0,
        interval_s: float = 30.0,
        says_left: bool = True,
    ) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = self._first = done
        self._interval_s, self._says_left = interval_s, says_left
        self._start = self._last = time.monotonic()
        self._bar = (
            tqdm.tqdm(
                total=total,
                initial=done,
                desc=title,
                unit=f" {unit}",
                bar_format=None if says_left else _BAR,
            )
            if log.for_people()
            else None
        )

    def __enter__(self) -> "Progress":
        """Starts counting."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the bar, or says the last line of a block that ended well."""
        if self._bar is not None:
            self._bar.close()
        elif error is None:
            self._say("")

    def reach(self, done: int, note: str = "") -> None:
        """States how much is done in all.

        Args:
            done: pieces done, counted from the start of the work.
            note: what else to show, such as the loss.
        """
        Progress.moved()
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._done)
        self._done = done
        if self._bar is None and time.monotonic() - self._last >= self._interval_s:
            self._say(note)

    def _say(self, note: str) -> None:
        self._last = time.monotonic()
        rate = (self._done - self._first) / max(self._last - self._start, 1e-9)
        says_left = self._says_left and rate > 0
        left = f", {(self._total - self._done) / rate:.0f} s left" if says_left else ""
        share = f"{self._done} of {self._total} {self._unit}"
        text = f"{self._title}: {share}, {rate:.1f} {self._unit}/s{left}"
        logging.info(f"{text}, {note}" if note else text)
