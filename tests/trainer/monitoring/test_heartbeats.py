# SPDX-License-Identifier: MIT
"""Tests of the files by which processes of a run learn who is silent."""

import json
import pathlib
from collections.abc import Callable

import pytest

from trainer.distribution.cluster import Cluster
from trainer.monitoring import heartbeats
from trainer.monitoring.clock import Doing
from trainer.monitoring.heartbeats import Heartbeats

HOSTS = {"worker": ("a:1", "b:2", "c:3")}


class Pulse:
    """What each process does, as far as heartbeats ask."""

    def __init__(self) -> None:
        self.doing = Doing("steps", "", 0.0)


@pytest.fixture
def beat(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Lets processes 0, 1 and 2 beat, each in a phase or not at all; returns whom 0 blames."""
    made = [Heartbeats(str(tmp_path), 4.0, Cluster(HOSTS, "worker", at)) for at in range(3)]
    pulse = Pulse()
    monkeypatch.setattr(heartbeats, "PULSE", pulse)

    def run(*phases: str, times: int = 10) -> str:
        for _ in range(times):
            for one, phase in zip(made, phases, strict=True):
                pulse.doing = Doing(phase, "", 0.0)
                if phase:
                    one.beat()
        return made[0].blamed()

    return run


def test_a_process_at_work_is_waited_for(beat: Callable[..., str]) -> None:
    assert beat("peers", "report", "peers") == ""
    assert beat("peers", "validation", "steps") == ""


def test_the_silent_one_is_named(beat: Callable[..., str]) -> None:
    beat("peers", "steps", "peers")
    assert beat("peers", "peers", "", times=3) == ""
    assert beat("peers", "peers", "") == "no sign of life from worker 2 at c:3"
    assert beat("peers", "", "") == "no sign of life from worker 1 at b:2, worker 2 at c:3"
    assert beat("peers", "report", "report") == ""


def test_one_that_never_could_write_is_not_called_silent(beat: Callable[..., str]) -> None:
    assert beat("peers", "steps", "") == ""


def test_a_file_of_another_form_ends_nothing(
    tmp_path: pathlib.Path, beat: Callable[..., str]
) -> None:
    beat("peers", "steps", "steps", times=1)
    for text in ("{", "[]", "{}"):
        (tmp_path / "heartbeats" / "2.json").write_text(text)
        assert beat("peers", "steps", "") == ""


def test_the_past_is_forgotten(beat: Callable[..., str]) -> None:
    beat("peers", "steps", "peers", times=1)
    assert beat("peers", "steps", "") == "no sign of life from worker 2 at c:3"
    assert beat("steps", "", "", times=1) == ""
    assert beat("peers", "steps", "peers", times=1) == ""


def test_nobody_goes_on_where_all_wait(beat: Callable[..., str]) -> None:
    assert beat("peers", "peers", "peers") == "all processes wait for each other"


def test_a_folder_that_cannot_be_read_makes_nobody_silent(
    tmp_path: pathlib.Path, beat: Callable[..., str]
) -> None:
    (tmp_path / "heartbeats").write_text("a file")
    assert beat("peers", "steps", "steps") in ("", "no sign of life from " + _both())
    (tmp_path / "heartbeats").unlink()
    beat("peers", "steps", "steps", times=1)
    assert json.loads((tmp_path / "heartbeats" / "1.json").read_text())["phase"] == "steps"


def _both() -> str:
    return ", ".join(Cluster(HOSTS, "worker", 0).names([1, 2]))
