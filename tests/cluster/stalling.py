# SPDX-License-Identifier: MIT
"""The trainer's command line with a small network and something that hangs.

    python -m tests.cluster.stalling --hang=WHAT:FILE --flags

hangs at some moment for as long as FILE is there: `step` in a step's augmentation, `input` in the
making of a batch, `barrier` where the last checkpoint is waited for, before processes meet at the
end of training. Of several processes only the last one hangs. `slow` sleeps in every step, for the
seconds that FILE says, and `disk` takes no file above 20 kB.
"""

import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.cluster import small_backbone

_STEPS, _PAUSE_S = 12, 0.15


def hanging(file: pathlib.Path, after: int) -> Callable[[], None]:
    """Returns what is a little slow, and waits for a file to go away from the nth call on."""
    calls = iter(range(sys.maxsize))

    def hang() -> None:
        at = next(calls)
        if file.exists():
            time.sleep(_PAUSE_S)
        if at == after and file.exists():
            file.with_suffix(".began").touch()
        while at >= after and file.exists():
            time.sleep(0.1)

    return hang


def _before(function: Any, hang: Callable[[], None]) -> Any:
    """Returns the function of tensors, computed once `hang` has returned."""
    import tensorflow as tf

    def late(*given: Any, **more: Any) -> Any:
        with tf.control_dependencies([tf.numpy_function(hang, [], [])]):
            first = tf.identity(given[0])
        return function(first, *given[1:], **more)

    return late


def spoil(what: str, file: pathlib.Path) -> None:
    """Makes the trainer hang, if this is the last of its processes."""
    from trainer.checkpoints.checkpoints import Checkpoints
    from trainer.data import dataset
    from trainer.distribution import cluster
    from trainer.training import step

    peers = cluster.find(os.environ)
    if peers.hosts and peers.number != len(peers.tasks) - 1:
        return
    if what == "step":
        step.augment = _before(step.augment, hanging(file, _STEPS))
    elif what == "input":
        made = dataset._example

        def example(manifest: Any, place: str, *given: Any, **more: Any) -> Any:
            # Of the training alone, from the fourth batch on.
            real = made(manifest, place, *given, **more)
            return _before(real, hanging(file, 4 * _STEPS)) if place == "positions" else real

        dataset._example = example
    elif what == "barrier":
        wait, hang = Checkpoints.wait, hanging(file, 0)
        Checkpoints.wait = lambda self: (hang(), wait(self))[1]
    elif what == "slow":
        step.augment = _before(step.augment, lambda: time.sleep(float(file.read_text())))
    elif what == "disk" and file.exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def main() -> None:
    """Runs the trainer."""
    from trainer import task
    from trainer.monitoring import watchdog

    # Where cores are shared by many, what comes first takes minutes.
    watchdog._FIRST = 30.0
    what, _, file = sys.argv.pop(1).removeprefix("--hang=").partition(":")
    spoil(what, pathlib.Path(file))
    with small_backbone.used():
        task.console()


if __name__ == "__main__":
    main()
