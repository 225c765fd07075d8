# SPDX-License-Identifier: MIT
"""Tests of the answer to SIGTERM: at once, or after a grace, also while the main thread is busy."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from preprocessing.contract.stopping import StopRequests

ROOT = pathlib.Path(__file__).parents[3]

# numpy holds the main thread in C code for longer than the grace lasts.
BUSY = """
import sys, time
import numpy as np
from preprocessing.contract.stopping import StopRequests
requests = StopRequests(grace=1.0)
with requests.listening():
    print("ready", flush=True)
    if sys.argv[1] == "held":
        with requests.held() as came:
            square = np.ones([3000, 3000])
            while True:
                square @ square
    time.sleep(60)
"""


def send_term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_outside_of_a_held_block_the_process_ends_at_once() -> None:
    said: list[str] = []
    ended = threading.Event()

    def end(sentence: str) -> None:
        said.append(sentence)
        ended.set()

    with StopRequests(end).listening():
        send_term()
        assert ended.wait(5)
    assert said == ["stopped by SIGTERM: the same command goes on"]


def test_a_held_block_is_told_and_has_its_grace() -> None:
    said: list[str] = []
    requests = StopRequests(said.append, grace=0.3)
    with requests.listening(), requests.held() as came:
        assert not came()
        send_term()
        assert requests.came.wait(5)
        assert came()
        assert said == []
        deadline = time.monotonic() + 5
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "goes on from the last checkpoint" in said[0]


def test_afterwards_sigterm_is_what_it_was_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequests(lambda sentence: None).listening():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("how", ["held", "free"])
def test_a_process_that_is_busy_ends_with_75_in_time(how: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75
    assert time.monotonic() - start < 15
    assert said.startswith("cxr14-train: stopped by SIGTERM")
