# SPDX-License-Identifier: MIT
"""Counts the rounds of a measurement, and says on standard error how long the rest will take."""

import sys
import time
from collections.abc import Iterator


def rounds(work: str, count: int) -> Iterator[int]:
    """Yields 0 to `count` - 1, and says behind each how long the others will take.

    Args:
        work: what is measured, for the sentence.
        count: how many rounds there are.
    """
    say(f"{work}: {count} rounds begin")
    start = time.monotonic()
    for at in range(count):
        yield at
        left = (time.monotonic() - start) / (at + 1) * (count - at - 1)
        say(f"{work}: round {at + 1} of {count} is over, the others take about {left:.0f} s")


def say(text: str) -> None:
    """Says something to whoever waits; standard output is for the table."""
    print(text, file=sys.stderr, flush=True)
