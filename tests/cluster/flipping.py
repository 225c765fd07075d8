# SPDX-License-Identifier: MIT
"""The trainer's command line with a small network, of which one process remembers wrongly.

    python -m tests.cluster.flipping --flip=FILE --flags

flips a bit of a weight between two calls, in the last process alone and after step 8, where FILE
is there.
"""

import os
import pathlib
import sys

import numpy as np

from tests.cluster import small_backbone

_STEP, _BIT = 8, 20


def spoil(file: pathlib.Path) -> None:
    """Has the bit flipped, if this is the last of its processes."""
    from trainer.distribution import cluster
    from trainer.training.verification import Verification

    peers, check = cluster.find(os.environ), Verification.check
    if not file.exists() or peers.number != max(0, len(peers.tasks) - 1):
        return

    def spoiled(self: Verification, first: int, count: int) -> None:
        check(self, first, count)
        if first < _STEP <= first + count:
            held = self._state[self._moving].value
            (own,) = self._strategy.experimental_local_results(held)
            bits = own.numpy().view(np.int32)
            bits.flat[0] ^= 1 << _BIT
            own.assign(bits.view(np.float32))

    Verification.check = spoiled


def main() -> None:
    """Runs the trainer."""
    from trainer import task

    spoil(pathlib.Path(sys.argv.pop(1).removeprefix("--flip=")))
    with small_backbone.used():
        task.console()


if __name__ == "__main__":
    main()
