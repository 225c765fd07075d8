# SPDX-License-Identifier: MIT
"""What each setting of the trainer may be; imports no TensorFlow."""

import functools
from typing import Any

from preprocessing.contract.errors import ConfigError

CHOICES = {
    "runtime.strategy": ("auto", "one_device", "mirrored", "multi_worker", "tpu"),
    "runtime.precision": ("float32", "mixed_float16", "mixed_bfloat16"),
    "runtime.accelerator": ("any", "gpu"),
    "runtime.communication": ("auto", "ring", "nccl"),
    "model.batch_norm": ("synchronized", "per_replica"),
    "optimizer.name": ("adam", "sgd"),
    "optimizer.schedule": ("constant", "cosine", "plateau"),
}

_MOST = 2**31 - 1

# Said wherever a message advises to change a setting that a run keeps from its first checkpoint on
# (`identity.FREE` has those that it need not keep).
ELSEWHERE = "in a new --output if the run has a checkpoint"

# From and up to, both allowed.
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, _MOST),
    "runtime.logical_cpus": (0, 64),
    "runtime.formation_seconds": (1, 86_400),
    "data.global_batch_size": (1, 2**20),
    "data.image_size": (32, 2048),
    "data.crop_fraction": (0.25, 1.0),
    "data.shuffle_buffer": (1, _MOST),
    "data.open_shards": (1, 1024),
    "model.hidden_units": (1, 2**16),
    "model.dropout": (0.0, 0.99),
    "model.batch_norm_momentum": (0.0, 0.9999),
    "optimizer.learning_rate": (1e-12, 1e3),
    "optimizer.plateau_factor": (1e-6, 0.999999),
    "optimizer.plateau_epochs": (1, 100_000),
    "optimizer.restart_rate": (0.0, 1e3),
    "optimizer.warmup_steps": (0, _MOST),
    "optimizer.epsilon": (1e-12, 1.0),
    "optimizer.clip_norm": (0.0, 1e6),
    "optimizer.ema_decay": (0.0, 0.999999),
    "optimizer.loss_scale": (1.0, 2.0**24),
    "train.epochs": (1, 100_000),
    "train.steps_per_call": (1, 100_000),
    "train.accumulation_steps": (1, 2**20),
    "train.frozen_epochs": (0, 100_000),
    "train.checkpoint_every_steps": (0, _MOST),
    "train.keep_checkpoints": (1, 1000),
    "train.keep_best": (1, 1000),
    "train.patience_epochs": (0, 100_000),
    "train.max_loss": (0.0, 1e9),
    "train.max_fruitless_starts": (0, 100_000),
    "train.log_every_steps": (1, _MOST),
    "evaluation.global_batch_size": (0, 2**20),
    "evaluation.bootstrap_resamples": (1, 100_000),
    "evaluation.gallery": (0, 20),
}


def check(config: Any) -> None:
    """Checks every setting by itself.

    Args:
        config: a `trainer.config.Config`.

    Raises:
        ConfigError: the first setting that cannot work, in one sentence.
    """
    for name, allowed in CHOICES.items():
        value = _value(config, name)
        if value not in allowed:
            raise ConfigError(f"{name} is {value!r}: use one of {', '.join(allowed)}")
    for name, (low, high) in RANGES.items():
        value = _value(config, name)
        if not low <= value <= high:
            raise ConfigError(f"{name} is {value}: use {low} to {high}")
    span(config.train.profile_steps)


def share(name: str, size: int, replicas: int) -> int:
    """Returns the batch size of one replica.

    >>> share("data.global_batch_size", 96, 8)
    12

    Raises:
        ConfigError: the global batch does not divide over the replicas.
    """
    if size % replicas:
        below = size // replicas * replicas
        near = f"{below} or {below + replicas}" if below else str(replicas)
        where = f", {ELSEWHERE}, or other devices" if name == "data.global_batch_size" else ""
        raise ConfigError(
            f"{name} {size} does not divide over {replicas} replicas: use {near}{where}"
        )
    return size // replicas


def span(steps: str) -> tuple[int, int] | None:
    """Returns first and last step of `train.profile_steps`, None for an empty text.

    >>> span("100,120")
    (100, 120)

    Raises:
        ConfigError: anything but two rising numbers.
    """
    if not steps:
        return None
    first, _, last = (part.strip() for part in steps.partition(","))
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last)):
        raise ConfigError(f"train.profile_steps is {steps!r}: use two steps, as 100,120")
    return int(first), int(last)


def _value(config: Any, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), config)
