# SPDX-License-Identifier: MIT
"""What settings of the trainer must be beyond the range of each; imports no TensorFlow."""

from preprocessing.contract.errors import ConfigError
from trainer.recipe import AugmentationConfig

# Said wherever a message advises to change a setting that a run keeps from its first checkpoint on
# (FIXED in `trainer.config`).
ELSEWHERE = "in a new --output if the run has a checkpoint"


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


def crops(augmentation: AugmentationConfig) -> None:
    """Checks the settings of random crops against each other.

    Raises:
        ConfigError: a range without a number in it, or part of the settings alone.
    """
    least, most, ratio = augmentation.min_area, augmentation.max_area, augmentation.max_ratio
    if least > most:
        raise ConfigError(f"augmentation.min_area {least} is more than max_area {most}: lower it")
    if not least and (most < 1 or ratio > 1):
        raise ConfigError(
            f"augmentation.max_area is {most} and augmentation.max_ratio {ratio}, which without "
            "augmentation.min_area changes nothing: set that too, as 0.08"
        )
