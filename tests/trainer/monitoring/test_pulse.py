# SPDX-License-Identifier: MIT
"""Tests of what the moments of a step say, on a clock that the tests move."""

import pytest

from trainer.monitoring.clock import Clock
from trainer.monitoring.pulse import Pulse


class Time:
    """Seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def at(self, now: float) -> None:
        self.now = now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def clock(time: Time) -> Clock:
    return Clock(time)


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(clock)


def test_a_batch_that_does_not_come_is_waited_for(time: Time, clock: Clock, pulse: Pulse) -> None:
    with clock.phase("steps", "steps 1 to 3"):
        time.at(1)
        pulse.asked()
        assert (pulse.doing.phase, pulse.doing.about, pulse.doing.since) == (
            "input",
            "steps 1 to 3",
            1,
        )
        time.at(5)
        pulse.got()
        assert (pulse.doing.phase, pulse.doing.since) == ("steps", 5)


def test_the_first_step_is_no_part_of_tracing(time: Time, clock: Clock, pulse: Pulse) -> None:
    with clock.phase("trace"):
        assert pulse.doing.phase == "trace"
        time.at(2)
        pulse.asked()
        assert pulse.doing.phase == "input"
        pulse.got()
        assert pulse.doing.phase == "steps"


def test_the_clock_is_right_about_what_came_later(time: Time, clock: Clock, pulse: Pulse) -> None:
    with clock.phase("steps"):
        time.at(1)
        pulse.asked()
        time.at(2)
        with clock.phase("checkpoint"):
            assert pulse.doing.phase == "checkpoint"


def test_who_has_done_its_part_waits_for_others(time: Time, clock: Clock, pulse: Pulse) -> None:
    pulse.replicas = 2
    with clock.phase("steps"):
        time.at(1)
        pulse.asked()
        pulse.got()
        pulse.computed()
        assert pulse.doing.phase == "steps"  # one of its two replicas is at work
        time.at(4)
        pulse.asked()  # ahead of the sum
        pulse.got()
        pulse.computed()
        assert (pulse.doing.phase, pulse.doing.since) == ("peers", 4)
        time.at(9)
        pulse.summed()
        pulse.summed()
        assert pulse.doing.phase == "steps"
    assert pulse.waited == 5


def test_batches_are_yielded_and_an_error_ends_the_wait(clock: Clock, pulse: Pulse) -> None:
    def broken() -> object:
        yield from "ab"
        raise OSError

    assert list(pulse.over("abc")) == ["a", "b", "c"]
    with clock.phase("validation"), pytest.raises(OSError):
        list(pulse.over(broken()))
    assert pulse._awaited == 0
