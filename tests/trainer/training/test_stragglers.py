# SPDX-License-Identifier: MIT
"""Tests of what shares of waiting say about the slowest worker."""

import logging

import numpy as np
import pytest

from trainer.distribution.cluster import Cluster
from trainer.monitoring.pulse import Pulse
from trainer.training import stragglers
from trainer.training.stragglers import Stragglers

HOSTS = {"chief": ("a:1",), "worker": ("b:2", "c:3")}


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Pulse:
    made = Pulse()
    monkeypatch.setattr(stragglers, "PULSE", made)
    return made


def workers() -> list[Stragglers]:
    return [
        Stragglers(Cluster(HOSTS, kind, at))
        for kind, at in (("chief", 0), ("worker", 0), ("worker", 1))
    ]


def call(pulse: Pulse, made: list[Stragglers], waits: list[tuple[float, float]]) -> None:
    """Lets each worker take a call of ten seconds; then all hear the mean."""
    for one, (others, own_input) in zip(made, waits, strict=True):
        pulse.waited += 7.0  # in a validation
        one.begin()
        pulse.waited += others
        assert one.measured(10.0, own_input) == pytest.approx(others)
    means = np.mean([one.signals for one in made], axis=0, dtype=np.float32)
    for one in made:
        one.heard(means)


def test_a_process_alone_gives_and_says_nothing(pulse: Pulse) -> None:
    alone = Stragglers()
    alone.begin()
    pulse.waited += 2.0
    assert alone.measured(10.0, 3.0) == 2.0
    alone.heard(np.zeros([0], np.float32))
    assert (alone.signals, alone.scalars()) == ([], {})


def test_every_worker_knows_the_shares_of_all(pulse: Pulse) -> None:
    made = workers()
    call(pulse, made, [(4.0, 0.0), (1.0, 0.5), (3.0, 0.0)])
    call(pulse, made, [(2.0, 0.0), (1.0, 1.5), (3.0, 1.0)])
    expected = {"workers/0/wait_share": 0.3, "workers/1/wait_share": 0.1}
    expected |= {"workers/2/wait_share": 0.3, "workers/0/input_wait_share": 0.0}
    expected |= {"workers/1/input_wait_share": 0.1, "workers/2/input_wait_share": 0.05}
    for one in made:
        assert one.scalars() == pytest.approx(expected)
        assert one.scalars() == {}


def test_the_slowest_is_named_once_where_it_costs_more_than_a_tenth(
    pulse: Pulse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made = workers()
    call(pulse, made, [(4.0, 0.0), (1.0, 2.0), (1.9, 0.0)])
    made[0].scalars()
    assert "slowest" not in caplog.text
    for _ in range(2):
        call(pulse, made, [(4.0, 0.0), (1.0, 2.0), (3.5, 0.0)])
        made[0].scalars()
    said = "worker 0 at b:2 is the slowest: all others wait for it 25% of the time, and it for its"
    assert caplog.text.count(said) == 1
    assert "for its input 20%" in caplog.text
