# SPDX-License-Identifier: MIT
"""Tests of the answer to SIGTERM: at once, or after a grace, also while the main thread is busy."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from preprocessing.contract.process.stopping import StopRequests

ROOT = pathlib.Path(__file__).parents[4]

# numpy holds the main thread in C code for longer than the grace lasts.
BUSY = """
import sys, time
import numpy as np
from preprocessing.contract.process.stopping import StopRequests
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_afterwards_a_signal_is_what_it_was_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequests(lambda sentence: None).listening():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_ctrl_c_stays_ignored_where_a_shell_has_it_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequests(lambda sentence: None).listening() as requests:
            os.kill(os.getpid(), signal.SIGINT)
            assert not requests.came.wait(0.2)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_ends_a_held_block_at_once_but_an_echo_does_not() -> None:
    said: list[str] = []
    ended = threading.Event()

    def end(sentence: str) -> None:
        said.append(sentence)
        ended.set()

    requests = StopRequests(end)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with requests.listening(), requests.held() as came:
            os.kill(os.getpid(), signal.SIGINT)
            assert requests.came.wait(5)
            os.kill(os.getpid(), signal.SIGINT)  # a wrapper passes on what came to both
            assert not ended.wait(0.7)
            assert came()
            os.kill(os.getpid(), signal.SIGINT)
            assert ended.wait(5)
    finally:
        signal.signal(signal.SIGINT, before)
    assert said == ["stopped by Ctrl-C, given twice: the same command goes on from the last save"]


@pytest.mark.parametrize("hangs", [False, True])
def test_a_process_tidies_up_before_it_leaves_but_not_for_long(hangs: bool) -> None:
    tidy = "lambda: time.sleep(600)" if hangs else "lambda: print('tidied', flush=True)"
    program = (
        "import time; from preprocessing.contract.process.stopping import StopRequests, tidied\n"
        f"with tidied({tidy}): StopRequests(program='me').leave('why')"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (75, "me: why\n")
    assert time.monotonic() - start < 15
    assert done.stdout == ("" if hangs else "tidied\n")


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


# Children may outlive the process, with its standard output and standard error in their hands.
JSON = """
import subprocess, sys, time
from preprocessing.contract.process import log
from preprocessing.contract.process.stopping import StopRequests
log.begin(sys.argv)
with StopRequests().listening():
    log.configure(sys.argv)
    child = subprocess.Popen(["sleep", "60"])
    log.show(f"ready {child.pid}")
    time.sleep(60)
"""


def test_a_process_whose_lines_are_objects_does_not_wait_for_those_who_hold_its_streams(
    tmp_path: pathlib.Path,
) -> None:
    said = tmp_path / "stderr"
    with said.open("wb") as file:  # of a pipe the filters would be seen at work after the end
        process = subprocess.Popen(
            [sys.executable, "-c", JSON, "--log_format=json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=file,
        )
    assert process.stdout is not None
    word, pid = json.loads(process.stdout.readline())["message"].split()
    assert word == "ready"
    try:
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 75
        assert time.monotonic() - start < 3
    finally:
        os.kill(int(pid), signal.SIGKILL)
        process.stdout.close()
    found = json.loads(said.read_text())
    assert found["exit_code"] == 75 and "stopped by SIGTERM" in found["message"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("how", ["free", "held"])
def test_a_process_that_cannot_log_ends_with_75_all_the_same(how: str) -> None:
    program = """
import contextlib, os, signal, sys, time
from preprocessing.contract.process import log
from preprocessing.contract.process.stopping import StopRequests, tidied
log.begin(sys.argv)
signal.signal(signal.SIGINT, signal.default_int_handler)
requests = StopRequests(grace=60)
with tidied(lambda: print("tidied", flush=True)), requests.listening():
    with requests.held() if sys.argv[1] == "held" else contextlib.nullcontext():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
"""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, how],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (75, b"tidied\n")
