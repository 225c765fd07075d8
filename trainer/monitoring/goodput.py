# SPDX-License-Identifier: MIT
"""Says where the time of a run went, over all its starts, and what to do about it; no TensorFlow.

Each second belongs to one bucket. What happened between the last sign of life of a start that was
killed and the next start is down time. Goodput is as Google's ml-goodput-measurement has it, the
share of productive training that was kept, but that validations count too.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from preprocessing.contract import wording
from trainer.config import Config
from trainer.runfolder import progress_note

USEFUL = ("steps", "validation")
LOSSES = ("start_up", "peers", "input", "lost_work", "checkpoint", "down_time", "other")
_STAGES = ("evaluation", "report", "export")
AFTER = (*_STAGES, "starting_stages")  # the last: of starts that found the training over
DEFINITION = (
    "training steps and validations, each counted once, as a share of the time from the first "
    "start to the end of training; steps taken again after a kill are lost_work"
)
_START_UP = ("imports", "cluster", "check", "build", "restore", "trace")


@dataclasses.dataclass(frozen=True)
class Start:
    """What one start of a run did, as its file in the run's folder holds it.

    Attributes:
        began: when the process began, in seconds since 1970.
        seconds: phase (`trainer.monitoring.clock`) -> seconds, which add up to its life so far.
        setting_up: seconds of the phase "other" before the training.
        first: optimiser steps of the run when this start began to train; None if it never did.
        last: when it was last heard of.
        per_epoch: steps in an epoch.
        batch: images in a step.
        replicas: that shared them.
        machines: that these were on.
        exit_code: None while it runs, and if it was killed.
        price: of a machine an hour; None if not stated.
        currency: of that.
    """

    began: float
    seconds: Mapping[str, float]
    setting_up: float = 0.0
    first: int | None = None
    last: int = 0
    per_epoch: int = 1
    batch: int = 0
    replicas: int = 0
    machines: int = 0
    exit_code: int | None = None
    price: float | None = None
    currency: str = ""

    @property
    def life(self) -> float:
        """Seconds from its beginning to its last sign of life."""
        return sum(self.seconds.values())


def parse(note: Mapping[str, Any]) -> Start | None:
    """Returns the start that a file's content is of; None for anything else."""
    try:
        start = Start(**note)
        made = summary([start])["seconds"].values()
        sound = all(each >= 0 for each in (start.began, start.setting_up, *made))
        return start if sound and math.isfinite(start.began + start.life) else None
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        return None


def buckets(starts: Sequence[Start]) -> dict[str, float]:
    """Returns bucket -> seconds; together the time from the first beginning to the last sign.

    The time after a start that ended well is left out: nothing was asked for then. Where a start
    was still alive when the next one began, only its time up to then counts.
    """
    found = dict.fromkeys((*USEFUL, *LOSSES, *AFTER), 0.0)
    following, again, gap = math.inf, math.inf, ""
    for start in sorted(starts, key=lambda start: start.began, reverse=True):
        end = start.began + start.life
        if end < following < math.inf and start.exit_code != 0:
            found[gap] += following - end
        share = (min(end, following) - start.began) / start.life if start.life else 0.0
        for name, seconds in _parts(start, again).items():
            found[name] += seconds * share
        following, gap = start.began, "starting_stages" if _is_after(start) else "down_time"
        again = again if start.first is None else min(again, start.first)
    return found


def _is_after(start: Start) -> bool:
    """Tells whether the training was over when a start began."""
    return start.first is None and any(start.seconds.get(name) for name in _STAGES)


def _parts(start: Start, again: float) -> dict[str, float]:
    """Buckets of one start; a later one took all steps after step `again` once more."""
    spent = start.seconds
    names = (*USEFUL, "peers", "input", "checkpoint", *AFTER)
    found = {name: spent.get(name, 0.0) for name in names} | {"lost_work": 0.0}
    before = min(start.setting_up, spent.get("other", 0.0))
    found["start_up"] = before + sum(spent.get(name, 0.0) for name in _START_UP)
    found["other"] = max(0.0, start.life - sum(found.values()))
    if _is_after(start):
        found |= {"starting_stages": sum(found[name] for name in ("start_up", "peers", "other"))}
        found |= dict.fromkeys(("start_up", "peers", "other"), 0.0)
    if start.first is None or again == math.inf:
        return found
    kept = max(start.first, int(again))
    steps = max(0, start.last - kept) / max(1, start.last - start.first)
    passes = _passes(start, kept) / max(1, _passes(start, start.first))
    for name, share in (("steps", steps), ("input", steps), ("validation", passes)):
        found["lost_work"] += found[name] * share
        found[name] *= 1 - share
    return found


def _passes(start: Start, first: int) -> int:
    """Validations from a step to the last; whoever goes on from the end of an epoch validates."""
    return max(0, start.last // start.per_epoch - (max(first, 1) - 1) // start.per_epoch)


def summary(starts: Sequence[Start]) -> dict[str, Any]:
    """Returns what is worth keeping of all starts of a run.

    Returns:
        `percent`, the goodput, of the time of training, `of_seconds`; `starts`; `seconds` by
        bucket; `images_seen` by training, those of lost work too; `accelerator_hours`, replicas by
        hours up; `cost` and `currency`, None and "" unless each start was told a price.
    """
    found = buckets(starts)
    training = sum(found[name] for name in (*USEFUL, *LOSSES))
    # What a start that died before it knew had is what the others had.
    replicas = max((start.replicas for start in starts), default=0)
    machines = max((start.machines for start in starts), default=0)
    hours = [(each.replicas or replicas) * each.life / 3600 for each in starts]
    costs = [(each.price or 0) * (each.machines or machines) * each.life / 3600 for each in starts]
    known = None not in {each.price for each in starts} and len({e.currency for e in starts}) == 1
    steps = [(each.last - each.first) * each.batch for each in starts if each.first is not None]
    return {
        "percent": round(100 * sum(found[name] for name in USEFUL) / (training or 1), 1),
        "of_seconds": round(training, 1),
        "starts": len(starts),
        "seconds": {name: round(seconds, 1) for name, seconds in found.items()},
        "images_seen": sum(steps),
        "accelerator_hours": round(sum(hours), 3),
        "cost": round(sum(costs), 2) if known else None,
        "currency": starts[0].currency if known else "",
    }


def scalars(made: Mapping[str, Any]) -> dict[str, float]:
    """Returns the goodput and each loss of a `summary` in percent of the time of training."""
    shares = {name: 100 * made["seconds"][name] / (made["of_seconds"] or 1) for name in LOSSES}
    return {
        f"goodput/{name}": share for name, share in (shares | {"percent": made["percent"]}).items()
    }


def line(starts: Sequence[Start], config: Config) -> str:
    """Returns in one line where the time went, the largest loss and what to do about it."""
    made = summary(starts)
    count = wording.counted(made["starts"], "start")
    span = progress_note.span(made["of_seconds"])
    text = f"goodput {made['percent']:.0f}% of {span} of training in {count}"
    shares = {name: scalars(made)[f"goodput/{name}"] for name in LOSSES}
    worst = max(LOSSES, key=lambda name: shares[name])
    if shares[worst] >= 1:
        what = f"{worst.replace('_', ' ')} ({shares[worst]:.0f}%)"
        per_epoch = max(start.per_epoch for start in starts)
        text += f"; the largest loss was {what}: {advice(worst, config, per_epoch)}"
    text += f"; {made['accelerator_hours']:.3g} accelerator hours"
    cost = "" if made["cost"] is None else f", cost {made['cost']:.2f} {made['currency']}"
    return f"{text}{cost}".rstrip()


def advice(loss: str, config: Config, per_epoch: int) -> str:
    """Returns what can be done about one of `LOSSES`, by the settings and the steps in an epoch."""
    every = min(config.train.checkpoint_every_steps or per_epoch, per_epoch)
    seldom = f"save less often, with train.checkpoint_every_steps above {every}, or "
    return {
        "start_up": "each start pays for it, so fewer starts or more epochs make its share smaller",
        "peers": "look for a machine that comes up late or is slow, or for a slow network",
        "input": "give each accelerator more CPU cores"
        + ("" if config.data.cache else ", or set data.cache to keep the shards near"),
        "lost_work": f"save more often, with train.checkpoint_every_steps below {every}",
        "checkpoint": f"{seldom * (every < per_epoch)}write to a faster disk or a nearer bucket",
        "down_time": "it waited so long to be started again: look at the queue of the platform",
        "other": f"log less often, with train.log_every_steps above {config.train.log_every_steps}",
    }[loss]
