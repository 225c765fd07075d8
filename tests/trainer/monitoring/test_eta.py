# SPDX-License-Identifier: MIT
"""When simulated runs end, as said while they go on, against when they do."""

import collections
import dataclasses
import math
from collections.abc import Callable, Iterator

import pytest

from trainer.config import Config
from trainer.monitoring import eta
from trainer.monitoring.eta import EVALUATION, EXPORT, REPORT, Eta, Plan

PLAN = Plan(
    steps=1000,
    per_epoch=100,
    batch=32,
    saves_every=30,
    validation=640,
    after={EVALUATION: 1920, REPORT: 0, EXPORT: 900},
)
BUILD, TRACE, SAVE, REPORTING = 10.0, 30.0, 0.2, 20.0


@dataclasses.dataclass
class Simulated:
    """A run that costs what its functions say, and what was said of its end on the way.

    Attributes:
        step: number of a step -> its seconds.
        validation: number of a pass, from 1 on -> its seconds, but for tracing in the first one.
    """

    step: Callable[[int], float]
    validation: Callable[[int], float]
    plan: Plan = PLAN
    start: int = 0

    def __post_init__(self) -> None:
        self.seconds = collections.defaultdict[str, float](float, build=BUILD, imports=15.0)
        self.eta = Eta(self.plan)
        self.said: dict[int | str, tuple[float, float]] = {}  # where -> now, and what was left

    def say(self, where: int | str) -> None:
        self.said[where] = sum(self.seconds.values()), self.eta.left(self.seconds)

    def run(self) -> "Simulated":
        self.eta.begin(self.start, self.seconds)
        plan, first = self.plan, True
        if self.start and self.start % plan.per_epoch == 0:
            self.validate(self.start)
        for step in range(self.start + 1, plan.steps + 1):
            self.seconds["trace" if first else "steps"] += TRACE if first else self.step(step)
            first = False
            self.eta.stepped(step, self.seconds)
            if plan.saves(step - 1, step):
                self.seconds["checkpoint"] += SAVE
            if step % plan.per_epoch == 0:
                self.validate(step)
            self.say(step)
        for stage, cost in self.stages():
            self.eta.enter(stage, self.seconds)
            self.say(stage)
            self.seconds[stage] += cost
            self.say(f"end of {stage}")
        return self

    def validate(self, step: int) -> None:
        if not self.seconds["validation"]:
            self.seconds["validation"] += eta._FIXED[EVALUATION] * (BUILD + TRACE)
        self.seconds["validation"] += self.validation(step // self.plan.per_epoch)
        self.eta.validated(self.seconds)

    def stages(self) -> Iterator[tuple[str, float]]:
        last = self.validation(self.plan.steps // self.plan.per_epoch)
        for name, images in self.plan.after.items():
            yield name, (BUILD + TRACE) * eta._FIXED[name] + images / self.plan.validation * last

    def error(self, where: int | str) -> float:
        """What was said of the time left less what it was, as a share of that."""
        now, left = self.said[where]
        true = sum(self.seconds.values()) - now
        return (left - true) / true


def test_a_steady_run_ends_when_it_is_said_to() -> None:
    # A forward pass of 640 images is a third of 20 steps.
    run = Simulated(lambda step: 0.5, lambda number: 20 / 3 * 0.5).run()
    for where in (50, 99, 100, 250, 500, 900, 999, EVALUATION, REPORT):
        assert abs(run.error(where)) < 0.01, where
    assert run.said["end of export"][1] == pytest.approx(0)


def test_the_first_step_says_nothing_yet() -> None:
    run = Simulated(lambda step: 0.5, lambda number: 3.0).run()
    assert math.isnan(run.said[1][1])
    assert math.isfinite(run.said[2][1])


def test_slow_first_steps_are_forgotten() -> None:
    run = Simulated(lambda step: 5.0 if step < 20 else 0.5, lambda number: 3.3).run()
    assert abs(run.error(50)) < 0.05


def test_a_restart_counts_what_it_measured_itself() -> None:
    run = Simulated(lambda step: 0.5, lambda number: 3.3, start=500).run()
    for where in (510, 600, 900):
        assert abs(run.error(where)) < 0.03, where


def test_validations_are_learned_from_the_first_on_though_they_cost_far_more_than_assumed() -> None:
    run = Simulated(lambda step: 0.5, lambda number: 60.0).run()
    assert run.error(99) < -0.3  # it cannot be known before
    assert abs(run.error(100)) < 0.01


def test_validations_that_cost_more_each_time_are_followed() -> None:
    run = Simulated(lambda step: 0.5, lambda number: 3.0 + 0.3 * number).run()
    for where in (50, 250, 500, 900):
        assert abs(run.error(where)) < 0.1, where


def test_a_rate_that_changes_halfway_is_believed_soon() -> None:
    run = Simulated(lambda step: 0.5 if step <= 500 else 1.5, lambda number: 3.3).run()
    for where in (700, 800, 900):
        assert abs(run.error(where)) < 0.1, where


def test_the_head_alone_learns_faster_than_what_follows() -> None:
    plan = dataclasses.replace(PLAN, frozen=200)
    run = Simulated(lambda step: 0.5 if step <= 200 else 1.5, lambda number: 10.0, plan).run()
    for where in (50, 199, 250, 600):
        assert abs(run.error(where)) < 0.1, where


def test_a_pass_under_way_is_counted_down_and_never_below_what_follows_it() -> None:
    run = Simulated(lambda step: 0.5, lambda number: 20.0).run()
    again = Eta(PLAN)
    again.begin(0, {})
    seconds = {"steps": 0.0, "validation": 0.0}
    for step in range(1, 101):
        seconds["steps"] += 0.5
        again.stepped(step, seconds)
    begun = again.left(seconds)
    assumed = 20 / 3 * 0.5
    assert begun - again.left(seconds | {"validation": 2.0}) == pytest.approx(2.0)
    assert begun - again.left(seconds | {"validation": 99.0}) == pytest.approx(assumed)
    assert abs(run.error(1000)) < 0.01


def test_saves_are_counted_once_where_both_reasons_for_one_meet() -> None:
    assert PLAN.saves(0, 300) == 300 // 30 + 300 // 100 - 1
    assert PLAN.saves(299, 300) == 1
    assert dataclasses.replace(PLAN, saves_every=0).saves(0, 1000) == 10
    run = Simulated(lambda step: 0.1, lambda number: 0.7)
    run.seconds["checkpoint"] = 7.0  # before training began
    assert abs(run.run().error(500)) < 0.02


def test_all_that_a_mode_has_to_do_is_counted(data_set: object) -> None:
    config = Config()
    config.data.global_batch_size, config.train.frozen_epochs = 4, 1
    config.evaluation.views = "ten_crop"
    config.train.patience_epochs = 3
    manifest = data_set.manifest  # type: ignore[attr-defined]
    made = eta.plan(config, manifest, "all")
    assert (made.steps, made.per_epoch, made.frozen, made.validation) == (70, 7, 7, 11)
    # 11 + 9 images by ten views, and nine for heat maps; 29 + 11 + 9 for what is familiar.
    assert dict(made.after) == {EVALUATION: 209, REPORT: 0, EXPORT: 49}
    assert made.may_end_early
    assert not eta.plan(config, manifest, "train").after
