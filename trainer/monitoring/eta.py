# SPDX-License-Identifier: MIT
"""Says when a run will be over, from what its parts have cost so far; imports no TensorFlow.

Steps are judged by the newest ones, validations and saves by what they took. What a process cannot
know yet is assumed, as the constants below say.
"""

import collections
import dataclasses
import math
from collections.abc import Mapping

from preprocessing.contract.manifest import Manifest
from trainer import course
from trainer.config import Config

EVALUATION, REPORT, EXPORT = "evaluation", "report", "export"
# The newest steps are half of those of this process, and at most a fifth of the run: the first ones
# fill buffers, and a machine that has become slower stays so, but one that others use too does not.
_HALF, _FIFTH = 0.5, 0.2
# The way back of a step is two products for each one of the way forward.
_FORWARD = 1 / 3
# Seconds of a stage beside its images, for each second that building and tracing have taken.
_FIXED = {EVALUATION: 0.25, REPORT: 0.5, EXPORT: 1.8}
_VIEWS = {"one": 1, "flip": 2, "ten_crop": 10}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run has to do.

    Attributes:
        steps: optimiser steps in all.
        per_epoch: of them.
        batch: images in a step.
        frozen: steps at the start without a way back through the backbone.
        saves_every: steps between saves inside an epoch; 0 for none.
        validation: images that are scored at the end of each epoch.
        after: stage that follows the training -> images that it scores, in order.
        may_end_early: whether patience may end the training before its last step.
    """

    steps: int = 0
    per_epoch: int = 1
    batch: int = 1
    frozen: int = 0
    saves_every: int = 0
    validation: int = 0
    after: Mapping[str, int] = dataclasses.field(default_factory=dict)
    may_end_early: bool = False

    def saves(self, first: int, last: int) -> int:
        """Returns how often a run saves after step `first` and up to step `last`."""
        every = self.saves_every or self.per_epoch
        both = math.lcm(every, self.per_epoch)
        inside, ends, twice = (last // n - first // n for n in (every, self.per_epoch, both))
        return inside + ends - twice


def plan(config: Config, manifest: Manifest, mode: str) -> Plan:
    """Returns what mode "train" or "all" has to do.

    Raises:
        ConfigError: the train split holds not even one batch.
    """
    splits = dict.fromkeys(("validation", "test"), 0)
    count = splits | {name: split.examples for name, split in manifest.splits.items()}
    per_epoch = course.steps_per_epoch(manifest, config.data.global_batch_size)
    asked = config.evaluation
    maps = count["test"] if asked.localisation or asked.gallery else 0
    scored = _VIEWS[asked.views] * (count["validation"] + count["test"]) + maps
    looked_at = sum(min(asked.familiarity, images) for images in count.values())
    return Plan(
        steps=config.train.epochs * per_epoch,
        per_epoch=per_epoch,
        batch=config.data.global_batch_size,
        frozen=config.train.frozen_epochs * per_epoch,
        saves_every=config.train.checkpoint_every_steps,
        validation=count["validation"],
        after={EVALUATION: scored, REPORT: 0, EXPORT: looked_at} if mode == "all" else {},
        may_end_early=bool(config.train.patience_epochs),
    )


class Eta:
    """Seconds that a run still takes.

    It is told how far the run is, and the seconds by phase (`trainer.monitoring.clock`) up to then.
    Whatever is neither a validation, a save nor tracing belongs to the steps: a run pays for it.

    Args:
        plan: what the run has to do.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._seen = plan, dict[str, float]()
        self._step = self._first = self._validated = 0
        self._stepping, self._saving = 0.0, 0.0
        self._marks: collections.deque[tuple[int, float]] = collections.deque()
        self._validations: list[float] = []
        self._ahead, self._entered = list(plan.after), math.inf

    def begin(self, step: int, seconds: Mapping[str, float]) -> None:
        """Says that training begins or goes on after a step."""
        self._step = self._first = step
        self._since(seconds)
        self._saving = 0.0  # what was saved before is not of the steps that follow

    def stepped(self, step: int, seconds: Mapping[str, float]) -> None:
        """Says that steps were taken, up to `step`."""
        before, self._step = self._step, step
        spent = self._since(seconds)
        if spent.get("trace") or before < self._plan.frozen <= step:
            self._marks.clear()  # steps that were compiled, or unlike those before, say nothing
        if self._marks:
            self._stepping += sum(spent.values())
        self._marks.append((step, self._stepping))
        start = max(step - (step - self._first) * _HALF, step - self._plan.steps * _FIFTH)
        while len(self._marks) > 2 and self._marks[1][0] <= start:
            self._marks.popleft()

    def validated(self, seconds: Mapping[str, float]) -> None:
        """Says that the validation split was scored after the newest step."""
        spent = self._since(seconds)
        self._validated = self._step
        self._validations.append(sum(spent.values()) - spent.get("trace", 0.0))

    def enter(self, stage: str, seconds: Mapping[str, float]) -> None:
        """Says that training is over, however far it came, and that a stage begins."""
        self._ahead, self._entered = self._ahead[self._ahead.index(stage) :], sum(seconds.values())

    @property
    def images_per_second(self) -> float:
        """Of training, now; NaN where it is not known."""
        return self._plan.batch / self._per_step

    def left(self, seconds: Mapping[str, float]) -> float:
        """Returns the seconds up to the end of the run; NaN where they cannot be known yet."""
        image = self._per_validation / max(1, self._plan.validation)
        costs = [self._made * _FIXED[name] + self._plan.after[name] * image for name in self._ahead]
        if self._entered < math.inf:
            return _less(costs[0], sum(seconds.values()) - self._entered) + sum(costs[1:])
        plan, step = self._plan, self._step
        slow = max(0, plan.frozen - step)
        steps = slow + (plan.steps - step - slow) / (_FORWARD if slow else 1)
        passes = plan.steps // plan.per_epoch - step // plan.per_epoch
        left = steps * self._per_step + plan.saves(step, plan.steps) * self._per_save
        left += passes * self._per_validation + sum(costs)
        left += self._tracing * (passes > 0 and not self._validations)
        if step % plan.per_epoch == 0 and step != self._validated:  # a pass is under way
            gone = sum(seconds.values()) - sum(self._seen.values())
            left += _less(self._per_validation, gone)
        return left

    @property
    def _per_step(self) -> float:
        if len(self._marks) < 2:
            return math.nan
        (first, start), (last, end) = self._marks[0], self._marks[-1]
        return (end - start) / (last - first)

    @property
    def _made(self) -> float:
        """Seconds that building and tracing the steps have taken."""
        return self._seen.get("build", 0.0) + self._seen.get("trace", 0.0)

    @property
    def _tracing(self) -> float:
        """Seconds for which the first pass of a process traces."""
        return _FIXED[EVALUATION] * self._made

    @property
    def _per_validation(self) -> float:
        guess = self._plan.validation / self._plan.batch * self._per_step * _FORWARD
        if not self._validations:
            return guess
        if len(self._validations) == 1:
            (first,) = self._validations
            return max(first - self._tracing, min(first, guess))
        newest = self._validations[1:][-2:]  # they may grow
        return sum(newest) / len(newest)

    @property
    def _per_save(self) -> float:
        return self._saving / max(1, self._plan.saves(self._first, self._step - 1))

    def _since(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Returns phase -> seconds since the last time, but for those of saves, which it keeps."""
        spent = {name: value - self._seen.get(name, 0.0) for name, value in seconds.items()}
        self._seen = dict(seconds)
        self._saving += spent.pop("checkpoint", 0.0)
        return spent


def _less(expected: float, gone: float) -> float:
    """Returns what is left of an expected time; NaN stays NaN."""
    return expected - min(expected, gone)
