# SPDX-License-Identifier: MIT
"""What `progress.json` says while a run goes on and when it ends, and that it holds up nothing."""

import json
import pathlib
import threading
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError, StoppedError
from trainer.monitoring.clock import Clock
from trainer.monitoring.eta import EVALUATION, Eta, Plan
from trainer.monitoring.outlook import Outlook

PLAN = Plan(steps=100, per_epoch=10, batch=4, after={EVALUATION: 0}, may_end_early=True)


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(now=lambda: self.seconds, began=0.0)

    def outlook(self, folder: pathlib.Path, plan: Plan = PLAN) -> Outlook:
        return Outlook(plan, str(folder), "all", self.clock)

    def train(self, outlook: Outlook, first: int, last: int) -> None:
        for step in range(first + 1, last + 1):
            self.seconds += 2.0
            outlook.stepped(step)


def read(folder: pathlib.Path) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((folder / "progress.json").read_text())
    return note


def test_a_run_that_goes_on_says_when_it_ends() -> None:
    hands = Hands()
    outlook = hands.outlook(pathlib.Path())
    assert outlook.words() == ""
    outlook.begin(0, -1.0)
    hands.train(outlook, 0, 15)
    outlook.validated(0.75)
    assert outlook.words() == ", all done in at most 2 min"
    note = outlook.note(1_800_000_000.0)
    assert note.pop("sentence") == (
        "running in training, step 15 of 100, epoch 2 of 10, best validation mean AUC 0.7500, "
        "2 images/s, at most 2 min left, until 2027-01-15T08:02:50Z"
    )
    assert note == {
        "state": "running",
        "mode": "all",
        "stage": "training",
        "step": 15,
        "steps": 100,
        "epoch": 2,
        "epochs": 10,
        "best_validation_mean_auc": 0.75,
        "images_per_second": 2.0,
        "seconds_left": 170,
        "at_most": True,
        "expected_end": "2027-01-15T08:02:50Z",
        "starts": 1,
        "error": "",
        "written": "2027-01-15T08:00:00Z",
    }
    outlook.enter(EVALUATION)
    assert outlook.note(0.0)["stage"] == "evaluation"


def test_the_file_is_there_at_once_and_says_how_the_run_ended(tmp_path: pathlib.Path) -> None:
    hands = Hands()
    outlook = hands.outlook(tmp_path)
    seen: list[str] = []
    began = threading.Event()

    def guard() -> None:
        seen.append("" if not (tmp_path / "progress.json").exists() else read(tmp_path)["state"])
        began.set()

    with outlook.written(guard):
        assert began.wait(60)
        hands.train(outlook, 0, 100)
        outlook.enter(EVALUATION)
    assert seen == ["", "running"]
    note = read(tmp_path)
    assert (note["state"], note["step"], note["seconds_left"]) == ("done", 100, None)
    assert note["expected_end"] is None


def test_a_stop_a_failure_and_the_starts_are_told_apart(tmp_path: pathlib.Path) -> None:
    for error, state, said in (
        (StoppedError("stopped and saved"), "stopped", ": stopped and saved"),
        (ConfigError("the loss is not a number"), "failed", ": the loss is not a number"),
        (RuntimeError("a defect"), "failed", ""),
    ):
        outlook = Hands().outlook(tmp_path)
        with pytest.raises(type(error)), outlook.written(lambda: None):
            outlook.begin(30, 0.5)
            raise error
        note = read(tmp_path)
        assert note["state"] == state
        assert note["sentence"].endswith(f"best validation mean AUC 0.5000{said}")
    assert note["starts"] == 3


def test_a_folder_that_cannot_be_written_is_warned_of_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    outlook = Outlook(PLAN, str(tmp_path / "file"), "all", every_s=0.0)
    tries = threading.Semaphore(0)
    with outlook.written(tries.release):
        for _ in range(3):
            assert tries.acquire(timeout=60)
    warnings = [one.getMessage() for one in caplog.records if "progress.json" in one.getMessage()]
    assert len(warnings) == 1
    assert "file/progress.json cannot be kept (" in warnings[0]


def test_a_store_that_does_not_answer_holds_up_nothing(tmp_path: pathlib.Path) -> None:
    hands, answers = Hands(), threading.Event()
    outlook = hands.outlook(tmp_path)
    with outlook.written(lambda: answers.wait(60) and None):
        outlook.begin(0, -1.0)
        hands.train(outlook, 0, 50)
        assert outlook.left() == pytest.approx(100.0)
        answers.set()
    assert read(tmp_path)["state"] == "done"


def test_a_mode_without_training_leaves_what_is_there(tmp_path: pathlib.Path) -> None:
    outlook = Outlook(None, str(tmp_path), "export")
    with outlook.written(lambda: None):
        outlook.enter("export")
    assert outlook.words() == ""
    assert list(tmp_path.iterdir()) == []


def test_what_was_trained_before_is_evaluated_without_a_time() -> None:
    """Nothing is known of the speed then."""
    plan = Plan(steps=100, per_epoch=10, batch=4, after={EVALUATION: 10})
    eta = Eta(plan)
    eta.begin(100, {})
    eta.enter(EVALUATION, {})
    assert not eta.left({}) >= 0
