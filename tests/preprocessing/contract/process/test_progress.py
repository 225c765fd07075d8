# SPDX-License-Identifier: MIT
"""A log gets few plain lines; a terminal gets one bar that redraws itself."""

import contextlib
import io
import re

import pytest
from absl import logging

from preprocessing.contract.process import log
from preprocessing.contract.process.progress import Progress

Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """Collects what a terminal would get."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_without_control_characters(capsys: Capture) -> None:
    with Progress("training", 10, unit="images", interval_s=0.0) as progress:
        progress.reach(4, "loss 0.5")
        progress.reach(10)
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert " INFO training: 4 of 10 images, " in lines[0]
    assert lines[0].endswith(" s left, loss 0.5")
    assert " INFO training: 10 of 10 images, " in lines[-1]
    assert "\r" not in said.out
    assert "\x1b" not in said.out
    assert said.err == ""


def test_whoever_knows_the_time_left_better_says_it_alone(capsys: Capture) -> None:
    with Progress("training", 10, unit="images", interval_s=0.0, says_left=False) as progress:
        progress.reach(4, "all done in 3 min")
    assert capsys.readouterr().out.splitlines()[0].endswith(" images/s, all done in 3 min")


def test_a_log_gets_no_more_than_the_last_line_between_intervals(capsys: Capture) -> None:
    with Progress("training", 1000, unit="images", interval_s=3600) as progress:
        for done in range(1001):
            progress.reach(done)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_what_was_done_before_does_not_count_for_the_rate(capsys: Capture) -> None:
    with Progress("training", 10, unit="images", done=6, interval_s=0.0) as progress:
        progress.reach(6)
    said = capsys.readouterr().out
    assert "6 of 10 images, 0.0 images/s" in said
    assert "left" not in said


def test_a_block_that_failed_does_not_end_with_a_line_of_success(capsys: Capture) -> None:
    with (
        pytest.raises(RuntimeError),
        Progress("training", 10, unit="images", interval_s=3600),
    ):
        raise RuntimeError
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar_that_redraws_with_rate_and_note() -> None:
    drawn_on = contextlib.redirect_stderr(Terminal())
    with drawn_on as terminal, Progress("training", 10, unit="images", done=2) as progress:
        progress.reach(10, "loss 0.5")
    drawn = terminal.getvalue()
    assert drawn.count("\r") >= 2
    assert "| 2/10 [" in drawn
    last = drawn.rpartition("\r")[2]
    assert "100%" in last
    assert "10/10" in last
    assert "images/s" in last


def test_a_line_is_not_written_into_a_bar() -> None:
    drawn_on = contextlib.redirect_stderr(Terminal())
    with drawn_on as terminal, Progress("training", 10, unit="images") as progress:
        progress.reach(5)
        logging.warning("a disk is slow")
        progress.reach(10)
    assert re.search(r"\r *\r\S+ \S+ WARNING a disk is slow\n\r", terminal.getvalue())


@pytest.mark.parametrize(
    ("argv", "worker"), [(["x", "--log_format=json"], 0), (["x"], 1)], ids=["json", "not chief"]
)
def test_a_log_service_and_other_workers_get_no_bar(argv: list[str], worker: int) -> None:
    log.configure(argv, worker=worker, workers=2)
    try:
        drawn_on = contextlib.redirect_stderr(Terminal())
        with drawn_on as terminal, Progress("training", 10, unit="images") as progress:
            progress.reach(10)
    finally:
        log.configure([])
    assert terminal.getvalue() == ""
