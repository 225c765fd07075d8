# SPDX-License-Identifier: MIT
"""Tests of a file that is written again and again while something goes on."""

import logging
import threading

import pytest

from trainer.runfolder.kept_file import KeptFile


def test_it_is_written_at_once_when_it_is_due_when_asked_for_and_at_the_end() -> None:
    written = threading.Semaphore(0)
    file = KeptFile("f", every_s=3600, last_s=60)
    with file.kept(written.release, at_once=True):
        assert written.acquire(timeout=60)
        assert not written.acquire(timeout=0.1)
        file.renew()
        assert written.acquire(timeout=60)
    assert written.acquire(timeout=0)
    with KeptFile("f", every_s=0.01, last_s=60).kept(written.release, at_once=False):
        for _ in range(3):
            assert written.acquire(timeout=60)


def test_what_is_not_written_at_once_is_written_at_the_end() -> None:
    said: list[str] = []
    with KeptFile("f", every_s=3600, last_s=60).kept(lambda: said.append("it"), at_once=False):
        assert said == []
    assert said == ["it"]


def test_a_write_that_fails_ends_nothing_and_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    tries = threading.Semaphore(0)

    def refuse() -> None:
        tries.release()
        raise PermissionError("no rights")

    def never() -> None:
        raise AssertionError("behind one that failed")

    with KeptFile("/run/f", every_s=0.01, last_s=60).kept(refuse, never, at_once=True):
        for _ in range(3):
            assert tries.acquire(timeout=60)
    assert caplog.text.count("/run/f cannot be kept (") == 1


def test_the_end_waits_only_for_a_while() -> None:
    answer = threading.Event()
    with KeptFile("f", every_s=3600, last_s=0.1).kept(lambda: answer.wait() and None, at_once=True):
        pass
    answer.set()
