# SPDX-License-Identifier: MIT
"""Tests of how long a run is: what more epochs do to a schedule, and when a run is over."""

import copy
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer import course
from trainer.config import Config
from trainer.course import Course

FIRST = Course(0, 20, 1e-4)


def config(**train: Any) -> Config:
    made = Config()
    for name, value in train.items():
        section = made.optimizer if hasattr(made.optimizer, name) else made.train
        setattr(section, name, value)
    return made


def planned(made: Config, step: int, before: Course | None) -> Course:
    return course.plan(made, per_epoch=10, step=step, before=before)


def test_a_first_start_takes_its_course_from_the_settings() -> None:
    assert planned(config(epochs=2), 0, None) == FIRST
    assert FIRST.describe(None, "cosine") == ""


@pytest.mark.parametrize("step", [0, 7, 20])
def test_the_same_epochs_change_nothing(step: int) -> None:
    assert planned(config(epochs=2), step, FIRST) == FIRST
    assert FIRST.describe(FIRST, "cosine") == ""


@pytest.mark.parametrize(("restart_rate", "expected"), [(0.0, 1e-4), (2e-5, 2e-5)])
def test_a_cosine_that_has_come_to_zero_starts_anew(restart_rate: float, expected: float) -> None:
    made = config(epochs=5, restart_rate=restart_rate)
    second = planned(made, 20, FIRST)
    assert second == Course(20, 50, expected)
    told = second.describe(FIRST, "cosine")
    assert f"at step 20: a new one falls from a learning rate of {expected:g}" in told
    # On its way it is what it was planned as, whatever the settings say by then.
    made.optimizer.restart_rate = 0.5
    assert planned(made, 33, second) == second
    assert second.describe(second, "cosine") == told
    assert planned(config(epochs=6), 50, second).start == 50


@pytest.mark.parametrize("epochs", [3, 5])
@pytest.mark.parametrize("patience", [0, 2])
def test_a_cosine_under_way_is_not_bent_and_the_way_out_works(epochs: int, patience: int) -> None:
    before = Course(0, 40, 1e-4)
    with pytest.raises(ConfigError, match="in a new --output") as caught:
        planned(config(epochs=epochs, patience_epochs=patience), 30, before)
    assert "go on with train.epochs=4" in str(caught.value)
    assert ("a larger train.patience_epochs" in str(caught.value)) == bool(patience)
    assert planned(config(epochs=4), 30, before) == before
    assert planned(config(epochs=5), 40, before) == Course(40, 50, 1e-4)


PHASE: dict[str, Any] = {"frozen_epochs": 3, "frozen_rate": 0.1, "schedule": "cosine"}


def test_a_cosine_that_waits_for_the_frozen_phase_may_end_elsewhere_until_it_begins() -> None:
    """Nothing of it was taken yet; afterwards it is not bent."""
    before = Course(0, 40, 1e-4)
    for step, epochs in ((0, 5), (20, 3), (30, 6)):
        found = planned(config(epochs=epochs, **PHASE), step, before)
        assert found == Course(0, epochs * 10, 1e-4)
        assert f"{epochs * 10} steps instead of 40" in found.describe(before, "cosine")
    with pytest.raises(ConfigError, match=r"step 31 of 40; go on with train\.epochs=4"):
        planned(config(epochs=6, **PHASE), 31, before)
    # A run that ended inside the phase goes on in it, and its first cosine is still to come.
    assert planned(config(epochs=6, **PHASE), 20, Course(0, 20, 1e-4)) == Course(0, 60, 1e-4)
    assert planned(config(epochs=6, **PHASE), 40, before) == Course(40, 60, 1e-4)
    # Without a rate of its own the phase is part of the cosine.
    with pytest.raises(ConfigError, match="is under way"):
        planned(config(epochs=6, frozen_epochs=3), 20, before)


def test_each_phase_is_announced_by_the_step_that_begins_it() -> None:
    def said(**changed: Any) -> dict[int, str]:
        texts = {
            step: course.turn(config(**changed), per_epoch=10, step=step) for step in range(50)
        }
        return {step: text for step, text in texts.items() if text}

    assert said() == {}
    assert said(**PHASE) == {
        0: "the backbone is frozen up to step 30, only the head learns, at a learning rate of 0.1",
        30: "from step 30 on the backbone learns too, and the schedule of the learning rate begins",
    }
    assert said(frozen_epochs=1) == {
        0: "the backbone is frozen up to step 10, only the head learns",
        10: "from step 10 on the backbone learns too",
    }


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_other_schedules_go_on_wherever_they_are(schedule: str) -> None:
    for step, epochs in ((7, 5), (20, 5), (7, 1)):
        found = planned(config(epochs=epochs, schedule=schedule), step, FIRST)
        assert found == Course(0, 10 * epochs, 1e-4)
        assert "the learning rate goes on as it was" in found.describe(FIRST, schedule)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_fewer_epochs_than_were_done_are_refused_and_the_advice_works(schedule: str) -> None:
    with pytest.raises(ConfigError, match=r"done 23 steps of 10 an epoch: set train\.epochs to 3"):
        planned(config(epochs=2, schedule=schedule), 23, Course(0, 30, 1e-4))
    assert planned(config(epochs=3, schedule=schedule), 23, Course(0, 30, 1e-4)).end == 30


NOTE = {"steps": 14, "best_validation_mean_auc": 0.7, "best_step": 7, "stale_epochs": 1}


def over(manifest: Any, changed: dict[str, Any], **train: Any) -> bool:
    made = config(epochs=2, **train)
    made.data.global_batch_size = 4
    return course.is_over({**copy.deepcopy(NOTE), **changed}, made, manifest)


def test_a_run_is_over_at_its_last_step_or_when_its_patience_is(data_set: Any) -> None:
    manifest = data_set.manifest
    assert course.steps_per_epoch(manifest, 4) == 7
    assert over(manifest, {})
    assert not over(manifest, {"steps": 7})
    assert over(manifest, {"steps": 7}, patience_epochs=1)
    assert not over(manifest, {"steps": 7}, patience_epochs=2)
    # More than these settings ask for: the stage has to refuse.
    assert not over(manifest, {"steps": 21})


@pytest.mark.parametrize(
    "changed",
    [{"steps": None}, {"steps": "14"}, {"best_validation_mean_auc": []}, {"steps": [14]}],
)
def test_a_note_without_its_numbers_is_of_no_run_that_is_over(
    data_set: Any, changed: dict[str, Any]
) -> None:
    assert not over(data_set.manifest, changed)


def test_the_end_says_what_ended_it() -> None:
    assert course.describe_end(NOTE, config()) == (
        "training is complete: 14 steps, best validation mean AUC 0.7000 at step 7"
    )
    told = course.describe_end(NOTE, config(patience_epochs=1))
    assert "14 steps (train.patience_epochs=1 ended it)" in told


def test_the_end_of_a_run_that_watched_the_loss_says_so() -> None:
    assert course.describe_end(NOTE, config(monitor="loss")) == (
        "training is complete: 14 steps, best validation loss at step 7, mean AUC 0.7000"
    )


def test_a_batch_larger_than_the_split_is_refused(data_set: Any) -> None:
    assert course.steps_per_epoch(data_set.manifest, 29) == 1
    with pytest.raises(ConfigError, match="30 is larger .* 29 examples: use 29 or less"):
        course.steps_per_epoch(data_set.manifest, 30)
