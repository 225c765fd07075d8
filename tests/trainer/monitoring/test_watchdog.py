# SPDX-License-Identifier: MIT
"""Tests of the watchdog: its deadlines on a hand-moved clock, and what it says and leaves."""

import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from trainer.distribution.cluster import Cluster
from trainer.monitoring import clock as clocks
from trainer.monitoring import heartbeats, watchdog
from trainer.monitoring import pulse as pulses
from trainer.monitoring.clock import Clock, Doing
from trainer.monitoring.notify import Notifier
from trainer.monitoring.pulse import Pulse
from trainer.monitoring.watchdog import Patience, Watchdog


def _lasts(patience: Patience, phase: str, since: float, seconds: float) -> float:
    """Lets a phase stand still; returns after how many seconds it is too long, 0 if never."""
    patience.allows(Doing(phase, "", since), 1.0)
    for second in range(1, int(seconds) + 1):
        if not patience.allows(Doing(phase, "", since), 1.0):
            return second
    return 0


def test_what_was_done_before_has_the_floor_and_what_was_not_has_more() -> None:
    patience = Patience(10)
    assert _lasts(patience, "steps", 0, 60) == 0
    assert _lasts(patience, "steps", 1, 1000) == 721  # 12 times the longest
    patience = Patience(10)
    assert _lasts(patience, "steps", 0, 1000) == 61
    patience = Patience(10)
    _lasts(patience, "validation", 0, 0)
    assert _lasts(patience, "steps", 1, 0) == 0
    assert _lasts(patience, "validation", 2, 100) == 11


@pytest.mark.parametrize("usual", [1, 2, 7, 50])
def test_a_run_that_becomes_ten_times_slower_is_left_alone(usual: int) -> None:
    patience, at = Patience(10), 0.0
    for seconds in [usual] * 20 + [10 * usual + 1] * 20:
        at += 1
        assert _lasts(patience, "steps", at, seconds) == 0
    assert 10 * usual < _lasts(patience, "steps", at + 1, 10_000) < 10_000


def test_the_longest_wait_of_one_phase_is_none_of_another() -> None:
    patience = Patience(10)
    _lasts(patience, "steps", 0, 0)
    _lasts(patience, "checkpoint", 1, 50)
    _lasts(patience, "steps", 2, 0)
    _lasts(patience, "other", 3, 0)
    _lasts(patience, "steps", 4, 0)
    _lasts(patience, "evaluation", 5, 0)
    _lasts(patience, "steps", 6, 0)
    phases = ("checkpoint", "steps", "other", "evaluation")
    most = [patience.most(Doing(phase, "", 6)) for phase in phases]
    assert most == [600, 10, 60, 60]


def test_what_was_done_between_two_looks_is_not_new() -> None:
    clock, patience = Clock(), Patience(10)
    with clock.phase("checkpoint"):
        assert patience.most(clock.doing) == 60
    with clock.phase("checkpoint"):
        assert patience.most(clock.doing) == 10
    for _ in range(2):
        with clock.phase("evaluation"):
            assert patience.most(clock.doing) == 60  # holds parts that are new each time


def test_what_has_deadlines_of_its_own_is_left_alone() -> None:
    patience = Patience(1)
    for at, phase in enumerate(watchdog._UNWATCHED):
        assert _lasts(patience, phase, at, 1000) == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watchdog, "CLOCK", made)
    monkeypatch.setattr(watchdog, "NOTIFIER", Notifier())
    for module in (watchdog, heartbeats):
        monkeypatch.setattr(module, "PULSE", Pulse(made))
    return made


@pytest.fixture
def dog(tmp_path: pathlib.Path, clock: Clock) -> Callable[..., tuple[Watchdog, list[str]]]:
    def make(output: str = str(tmp_path / "run"), floor: float = 3.0) -> tuple[Watchdog, list[str]]:
        ended: list[str] = []
        data = str(tmp_path / "data")
        return Watchdog(data, output, floor, Cluster(), ended.append), ended

    return make


def test_it_says_where_a_process_hangs_and_leaves_the_stacks(
    tmp_path: pathlib.Path,
    clock: Clock,
    dog: Callable[..., tuple[Watchdog, list[str]]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, ended = dog()
    told: list[str] = []
    monkeypatch.setattr(watchdog.NOTIFIER, "stalled", told.append)
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "train-00003.tfrecord").open("w"), clock.phase("validation", "v 7"):
        looks = 0
        while made.look(1.0):
            looks += 1
    assert looks == 19  # six times three seconds
    (sentence,) = ended
    assert len(told) == 1 and sentence.startswith(f"{told[0]}: the stacks")
    (kept,) = (tmp_path / "run" / "stalls").iterdir()
    for part in ("hangs in validation (scoring the validation split, v 7", "the same command"):
        assert part in sentence
    assert f"of {tmp_path}/data, open: train-00003.tfrecord)" in sentence
    assert str(kept) in sentence
    for text in (kept.read_text(), capsys.readouterr().err):
        assert "test_it_says_where_a_process_hangs" in text
        assert "thread" in text.lower()


def test_a_folder_that_cannot_be_written_does_not_keep_it(
    tmp_path: pathlib.Path, dog: Callable[..., tuple[Watchdog, list[str]]]
) -> None:
    (tmp_path / "file").write_text("")
    made, ended = dog(str(tmp_path / "file" / "run"), floor=1.0)
    made._patience.allows(Doing("other", "", 0.0), 0.0)
    made._tell(Doing("other", "", 0.0), "this and that")
    assert "stacks of all threads are above; the same" in ended[0]


def test_who_waits_for_others_goes_on_until_one_is_silent(
    clock: Clock,
    dog: Callable[..., tuple[Watchdog, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, ended = dog(floor=1.0)
    blamed = ""
    monkeypatch.setattr(made._heartbeats, "blamed", lambda: blamed)
    with clock.phase("peers"):
        assert all(made.look(1.0) for _ in range(100))
        blamed = "no sign of life from worker 1 at b:2"
        assert not made.look(1.0)
    assert "hangs in peers (no sign of life from worker 1 at b:2): nothing" in ended[0]


def test_it_watches_for_the_length_of_a_block(
    clock: Clock, dog: Callable[..., tuple[Watchdog, list[str]]]
) -> None:
    made, ended = dog(floor=0.05)
    came = threading.Event()

    def end(sentence: str) -> None:
        ended.append(sentence)
        came.set()

    made._end = end
    with clock.phase("steps", "steps 8 to 9"), made.watching():
        assert came.wait(60)
    assert "steps 8 to 9" in ended[0]
    assert not [one for one in threading.enumerate() if one.name == "watchdog"]
    made, ended = dog(floor=0)
    with made.watching():
        assert not [one for one in threading.enumerate() if one.name == "watchdog"]


HANGS = """
import sys
import tensorflow as tf
from preprocessing.contract.process.stopping import StopRequests
from trainer.distribution.cluster import Cluster
from trainer.monitoring.clock import CLOCK
from trainer.monitoring.watchdog import Watchdog
with StopRequests().listening() as stops:
    with Watchdog("data", sys.argv[1], 1.0, Cluster(), stops.end).watching():
        with CLOCK.phase("steps", "steps 8 to 9"):
            tf.queue.FIFOQueue(1, tf.int64).dequeue()
"""


def test_a_process_that_waits_inside_tensorflow_ends_to_be_started_again(
    tmp_path: pathlib.Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 75, done.stderr
    assert "hangs in steps (training steps, steps 8 to 9)" in done.stderr
    for text in (done.stderr, (tmp_path / "stalls" / "worker-0.txt").read_text()):
        assert "in dequeue" in text


def test_time_in_which_the_process_itself_was_stopped_does_not_count(
    clock: Clock,
    dog: Callable[..., tuple[Watchdog, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, ended = dog(floor=20.0)
    looks = iter(range(30))
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: 1000.0 * next(looks))
    monkeypatch.setattr(made._over, "wait", lambda seconds: next(looks) > 26)
    with clock.phase("steps"):
        made._watch()
    assert ended == []
    assert 10.0 <= made._patience.idle <= 26.0  # two of each look


def test_the_process_has_one_clock() -> None:
    assert pulses.PULSE._clock is clocks.CLOCK
