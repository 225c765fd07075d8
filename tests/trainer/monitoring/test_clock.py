# SPDX-License-Identifier: MIT
"""Tests of the clock that counts the seconds of phases."""

import pytest

from trainer.monitoring.clock import Clock


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_every_second_belongs_to_the_innermost_phase():
    hand = Hand()
    clock = Clock(hand)
    hand.at = 3
    with clock.phase("steps"):
        hand.at = 5
        with clock.phase("checkpoint", "ckpt-5"):
            hand.at = 6
            assert (clock.doing.phase, clock.doing.about, clock.doing.since) == (
                "checkpoint",
                "ckpt-5",
                5,
            )
        hand.at = 10
    hand.at = 11
    assert clock.seconds() == {"imports": 4, "steps": 6, "checkpoint": 1}
    assert sum(clock.seconds().values()) == hand.at


def test_what_moves_is_not_old():
    hand = Hand()
    clock = Clock(hand)
    with clock.phase("steps"):
        hand.at = 8
        clock.moved()
        assert clock.doing.since == 8
        with clock.phase("input"):
            hand.at = 9
        assert clock.doing.since == 9


def test_seconds_change_their_phase_and_are_not_lost():
    hand = Hand()
    clock = Clock(hand)
    with clock.phase("steps"):
        hand.at = 8
    clock.reassign(3, source="steps", to="input")
    assert clock.seconds() == {"imports": 0, "steps": 5, "input": 3}
    clock.reassign(30, source="steps", to="input")
    assert clock.seconds() == {"imports": 0, "steps": 0, "input": 8}


def test_a_phase_that_fails_ends():
    clock = Clock()
    with pytest.raises(ValueError, match="no"), clock.phase("steps"):
        raise ValueError("no")
    assert clock.doing.phase == "imports"


def test_a_phase_without_a_meaning_is_refused():
    with pytest.raises(ValueError, match="naps is not one of"), Clock().phase("naps"):
        pass
