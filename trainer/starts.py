# SPDX-License-Identifier: MIT
"""Counts starts that got nowhere, so that a job that cannot run does not restart for ever."""

import json

from preprocessing.contract import storage
from preprocessing.contract.errors import ConfigError
from trainer import runfolder

NOTE = "starts.json"


def count(output: str, *, step: int, most: int) -> int:
    """Notes a start and returns which one it is in a row from the same step.

    Args:
        output: folder of the run.
        step: where it starts from: of the newest checkpoint, -1 without one.
        most: how many are allowed; 0 for any number.

    Raises:
        ConfigError: too many; counting begins anew after it, since somebody was told.
    """
    path = storage.join(output, NOTE)
    before = runfolder.read_note(output, NOTE)
    counted = before.get("starts")
    number = counted + 1 if isinstance(counted, int) and before.get("step") == step else 1
    if most and number > most:
        storage.delete(path)
        where = f"step {step}" if step >= 0 else "the beginning"
        raise ConfigError(
            f"{most} starts in a row from {where} ended before another checkpoint was saved: look "
            "at what ended them, lower train.checkpoint_every_steps, or allow more with "
            "train.max_fruitless_starts"
        )
    storage.write_text(path, json.dumps({"step": step, "starts": number}) + "\n")
    return number
