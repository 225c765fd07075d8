# SPDX-License-Identifier: MIT
"""Ends a job that would start again for ever: by its own count, and by that of its platform.

A run counts the starts in a row that saved no new checkpoint. A platform restarts for nothing after
a pre-emption, and a fault that looks like one, such as workers that never find each other, would
have no end; that count also holds where the folder of the run cannot be written.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence

from preprocessing.contract.errors import ConfigError, StoppedError, UnavailableError
from preprocessing.contract.files import storage
from trainer.runfolder import notes

NOTE = "starts.json"


def count(output: str, *, steps: Sequence[int], most: int) -> int:
    """Notes a start and returns which one it is in a row from the same checkpoints.

    Args:
        output: folder of the run.
        steps: of the checkpoints that are there, newest first.
        most: how many are allowed; 0 for any number.

    Raises:
        ConfigError: too many; after that, counting begins again.
    """
    path = storage.join(output, NOTE)
    before = notes.read_note(output, NOTE)
    counted = before.get("starts")
    same = before.get("steps") == list(steps)
    number = counted + 1 if isinstance(counted, int) and same else 1
    if most and number > most:
        storage.delete(path)
        where = f"step {steps[0]}" if steps else "the beginning"
        raise ConfigError(
            f"{most} starts in a row from {where} ended before another checkpoint was saved: look "
            "at what ended them, lower train.checkpoint_every_steps, or allow more with "
            "train.max_fruitless_starts"
        )
    storage.write_text(path, json.dumps({"steps": list(steps), "starts": number}) + "\n")
    return number


def check_platform(environ: Mapping[str, str]) -> None:
    """Compares CXR14_RESTARTS with CXR14_MOST_RESTARTS, both of which the rendered JobSet sets.

    Raises:
        ConfigError: it has been restarted more often.
    """
    done, most = environ.get("CXR14_RESTARTS", ""), environ.get("CXR14_MOST_RESTARTS", "")
    if done.isdecimal() and most.isdecimal() and int(done) > int(most):
        raise ConfigError(
            f"this job has been restarted {done} times, and at most {most} are allowed: look at "
            "what ended it, and send the job again to go on from the last checkpoint"
        )


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Makes restarts free for what passes, for a block that begins after a start was noted.

    Where it was not, only the exit code of an `UnavailableError` makes a job manager count.

    Raises:
        StoppedError: a store or another service stayed away.
    """
    try:
        yield
    except UnavailableError as error:
        raise StoppedError(str(error)) from error
