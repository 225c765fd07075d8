# SPDX-License-Identifier: MIT
"""Tests of what a start leaves in the run's folder of its time, however it ends."""

import contextlib
import logging as standard_logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from preprocessing.contract.errors import ConfigError, StoppedError
from preprocessing.contract.files import storage
from trainer.checkpoints.progress import Progress
from trainer.config import Config
from trainer.monitoring import ledger
from trainer.monitoring.clock import Clock
from trainer.monitoring.ledger import Ledger

FACTS = {"per_epoch": 10, "replicas": 1, "machines": 1}


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def fine() -> None:
    """The folder is still this run's."""


def train(output, hand, *, steps, clock=None, first=0, **given):
    """One start, of two seconds a step and as much of the rest."""
    clock = clock or Clock(hand)
    own = Ledger(str(output), Config(), clock=clock, **given)
    at = Progress(step=first)
    with own.kept(fine):
        hand.at += steps
        with clock.phase("other"):
            hand.at += steps
        own.trains(at, **FACTS)
        with clock.phase("steps"):
            hand.at += 2 * steps
            at.step += steps
        yield own


def test_a_start_leaves_its_own_file_and_says_where_the_time_went(tmp_path, caplog):
    hand = Hand()
    with (
        caplog.at_level(standard_logging.INFO),
        contextlib.closing(
            train(tmp_path, hand, steps=8, environ={"CXR14_PRICE_PER_HOUR": "450 EUR"})
        ) as start,
    ):
        next(start)
        assert next(start, None) is None
    (found,) = ledger.read(str(tmp_path))
    assert found.seconds == {"imports": 8, "other": 8, "steps": 16}
    assert (found.first, found.last, found.setting_up, found.exit_code) == (0, 8, 8, 0)
    assert (found.price, found.currency, found.batch, found.replicas) == (450, "EUR", 64, 1)
    assert abs(found.began + 32 - time.time()) < 3600  # as the clock began 32 s before
    assert "goodput 50% of 32 s of training in 1 start; the largest loss was start up (50%)" in (
        caplog.text
    )
    assert caplog.text.rstrip().endswith("cost 4.00 EUR")


def test_a_second_start_knows_the_first(tmp_path):
    for hand in (Hand(), Hand()):
        (own,) = train(tmp_path, hand, steps=8)
    note = own.note()
    assert (note["images_seen"], note["goodput"]["starts"]) == (64 * 16, 2)
    assert "cost" not in note
    assert own.scalars()["goodput/start_up"] > 0
    assert len(ledger.read(str(tmp_path))) == 2
    assert len(ledger.read(str(tmp_path), but=own._path)) == 1


@pytest.mark.parametrize(("error", "code"), [(StoppedError("enough"), 75), (KeyError("a"), 1)])
def test_how_a_start_ended_is_noted(tmp_path, error, code):
    start = train(tmp_path, Hand(), steps=8)
    next(start)
    with pytest.raises(type(error)):
        start.throw(error)
    assert [one.exit_code for one in ledger.read(str(tmp_path))] == [code]


def test_a_start_that_is_refused_leaves_nothing(tmp_path):
    own = Ledger(str(tmp_path / "run"))
    with pytest.raises(ConfigError), own.kept(fine):
        raise ConfigError("no")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_holds_nothing_up(tmp_path, caplog):
    (tmp_path / "run").write_text("a file, not a folder")
    list(train(tmp_path / "run", Hand(), steps=8, every_s=0.01))
    assert caplog.text.count("cannot be kept") == 1


def test_a_run_that_another_took_is_left_alone(tmp_path):
    def lost() -> None:
        raise StoppedError("another has the folder")

    own = Ledger(str(tmp_path), every_s=0.01)
    with own.kept(lost):
        own.trains(Progress(step=3), **FACTS)
    assert ledger.read(str(tmp_path)) == []


def test_a_damaged_file_is_warned_of_and_the_others_count(tmp_path, caplog):
    list(train(tmp_path, Hand(), steps=8))
    (tmp_path / ledger.FOLDER / "20260101T000000Z-x.json").write_text('{"began": 3')
    assert len(ledger.read(str(tmp_path))) == 1
    assert "x.json is damaged: the time of that start counts as down time" in caplog.text


KEEPS = """
import sys, time
from trainer.checkpoints.progress import Progress
from trainer.monitoring.ledger import Ledger
from trainer.monitoring.clock import CLOCK
own = Ledger(sys.argv[1], every_s=0.02)
with own.kept(lambda: None):
    own.trains(Progress(step=5), per_epoch=10, replicas=1, machines=1)
    with CLOCK.phase("steps"):
        print("training", flush=True)
        time.sleep(300)
"""


def test_a_killed_process_leaves_what_it_did(tmp_path):
    root = str(pathlib.Path(__file__).parents[3])
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline()
    deadline = time.monotonic() + 60
    while not any("steps" in start.seconds for start in ledger.read(str(tmp_path))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (found,) = ledger.read(str(tmp_path))
    assert (found.exit_code, found.first, found.last) == (None, 5, 5)
    # The process's own beginning, before anything was imported.
    assert found.seconds["imports"] > 0


def test_a_file_is_written_again_and_again(tmp_path):
    own, written = Ledger(str(tmp_path), every_s=0.01), threading.Event()
    with own.kept(fine):
        own.trains(Progress(step=3), **FACTS)
        while not (found := ledger.read(str(tmp_path))):
            written.wait(0.01)
        while ledger.read(str(tmp_path))[0].life <= found[0].life:
            written.wait(0.01)
    assert [storage.basename(own._path)] == os.listdir(tmp_path / ledger.FOLDER)


@pytest.mark.parametrize("text", ["12,50", "EUR", "-1", "1e3", "12.50EUR"])
def test_a_price_that_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError, match="is not a price: set it to what a machine"):
        Ledger("", environ={ledger.PRICE: text})
