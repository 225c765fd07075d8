# SPDX-License-Identifier: MIT
"""A log gets few plain lines; a terminal gets one bar that redraws itself."""

import io

import pytest

from preprocessing.contract.process.progress import Progress


class Terminal(io.StringIO):
    """Collects what a terminal would get."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_without_control_characters() -> None:
    log = io.StringIO()
    with Progress("training", 10, unit="images", interval_s=0.0, stream=log) as progress:
        progress.reach(4, "loss 0.5")
        progress.reach(10)
    lines = log.getvalue().splitlines()
    assert lines[0].startswith("training: 4 of 10 images, ")
    assert lines[0].endswith(" s left, loss 0.5")
    assert lines[-1].startswith("training: 10 of 10 images, ")
    assert "\r" not in log.getvalue()
    assert "\x1b" not in log.getvalue()


def test_a_log_gets_no_more_than_the_last_line_between_intervals() -> None:
    log = io.StringIO()
    with Progress("training", 1000, unit="images", interval_s=3600, stream=log) as progress:
        for done in range(1001):
            progress.reach(done)
    assert len(log.getvalue().splitlines()) == 1


def test_what_was_done_before_does_not_count_for_the_rate() -> None:
    log = io.StringIO()
    with Progress("training", 10, unit="images", done=6, interval_s=0.0, stream=log) as progress:
        progress.reach(6)
    assert "6 of 10 images, 0.0 images/s" in log.getvalue()
    assert "left" not in log.getvalue()


def test_a_block_that_failed_does_not_end_with_a_line_of_success() -> None:
    log = io.StringIO()
    with (
        pytest.raises(RuntimeError),
        Progress("training", 10, unit="images", interval_s=3600, stream=log),
    ):
        raise RuntimeError
    assert log.getvalue() == ""


def test_a_terminal_gets_a_bar_that_redraws_with_rate_and_note() -> None:
    terminal = Terminal()
    with Progress("training", 10, unit="images", done=2, stream=terminal) as progress:
        progress.reach(10, "loss 0.5")
    drawn = terminal.getvalue()
    assert drawn.count("\r") >= 2
    assert "| 2/10 [" in drawn
    last = drawn.rpartition("\r")[2]
    assert "100%" in last
    assert "10/10" in last
    assert "images/s" in last
