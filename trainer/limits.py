# SPDX-License-Identifier: MIT
"""What settings of the trainer must be beyond the range of each; imports no TensorFlow."""

from preprocessing.contract.errors import ConfigError

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
