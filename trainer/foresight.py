# SPDX-License-Identifier: MIT
"""Finds settings that do nothing in a run like this one; imports no TensorFlow."""

from collections.abc import Iterator

from trainer import course, limits
from trainer.config import Config


def warning(config: Config, per_epoch: int, stored_size: int) -> str:
    """Returns one line on all settings that do nothing, or something else than they say.

    Args:
        config: all settings.
        per_epoch: steps in an epoch.
        stored_size: side in pixels of the stored pictures.

    Returns:
        "" for none.
    """
    total = config.train.epochs * per_epoch
    found = [*_of_learning(config, total, per_epoch), *_of_records(config, total)]
    if config.data.image_size > stored_size:
        found.append(f"data.image_size={config.data.image_size} only enlarges {stored_size} pixels")
    run = f"a run of {total} steps, {config.train.epochs} epochs"
    return f"warning: settings that do not fit {run}: {'; '.join(found)}" if found else ""


def _of_learning(config: Config, total: int, per_epoch: int) -> Iterator[str]:
    rate, train = config.optimizer, config.train
    scheduled = train.epochs - (train.frozen_epochs if rate.frozen_rate else 0)
    if rate.warmup_steps and course.own_phase(config, per_epoch) + rate.warmup_steps >= total:
        yield f"optimizer.warmup_steps={rate.warmup_steps} never reaches the learning rate"
    if train.frozen_epochs >= train.epochs:
        yield f"train.frozen_epochs={train.frozen_epochs} leaves the backbone frozen to the end"
    if rate.frozen_rate and not train.frozen_epochs:
        yield f"optimizer.frozen_rate={rate.frozen_rate:g} has no train.frozen_epochs"
    if rate.weight_decay != Config().optimizer.weight_decay and rate.name != "adamw":
        yield f"optimizer.weight_decay={rate.weight_decay:g} is of adamw, not of {rate.name}"
    if 0 < scheduled <= train.patience_epochs:
        yield f"train.patience_epochs={train.patience_epochs} cannot end it early"
    if rate.schedule == "plateau" and rate.plateau_epochs >= scheduled:
        yield f"optimizer.plateau_epochs={rate.plateau_epochs} never lowers the learning rate"
    # The steps over which a moving average forgets all but 1/e.
    window = 1.0 / (1.0 - rate.ema_decay)
    if rate.ema_decay and window > total:
        yield f"optimizer.ema_decay={rate.ema_decay:g} averages over {window:.0f} steps"


def _of_records(config: Config, total: int) -> Iterator[str]:
    train, usual = config.train, Config().train
    if span := limits.span(train.profile_steps):
        if span[0] > total:
            yield f"train.profile_steps={train.profile_steps} traces nothing"
        elif span[1] > total:
            yield f"train.profile_steps={train.profile_steps} ends with the run"
    # The defaults are for longer runs and were not chosen for this one.
    every = train.checkpoint_every_steps
    if every > total and every != usual.checkpoint_every_steps:
        yield f"train.checkpoint_every_steps={every} saves at the ends of epochs only"
    every = train.log_every_steps
    if every > total and every != usual.log_every_steps:
        yield f"train.log_every_steps={every} logs no training step"
