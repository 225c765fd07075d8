# SPDX-License-Identifier: MIT
"""Finds out which worker the others wait for, from numbers that travel with every call.

All workers of a synchronous run take equally long for a step. What tells them apart is how long
each waits, before the network's first sum and before that of the gradients, which the slowest does
least. One that computes slowly keeps the others waiting in the many sums between, where batch
normalisation is synchronized; that is not seen.
"""

import time

import numpy as np
from absl import logging

from trainer.distribution.cluster import Cluster
from trainer.monitoring.pulse import PULSE

# Share of the time that may be lost to one worker before it is named, and how often it is.
_COST, _QUIET_S = 0.1, 600.0


class Stragglers:
    """Exchanges shares of waiting; of a process that is alone there are none.

    Attributes:
        signals: what this worker gives to the sum: two shares, among zeros in others' places.
    """

    def __init__(self, peers: Cluster | None = None) -> None:
        self._peers = peers or Cluster()
        self.signals = [0.0] * (2 * len(self._peers.tasks))
        self._waited, self._named = 0.0, -_QUIET_S
        self._heard: list[np.ndarray] = []

    def begin(self) -> None:
        """Says that a call begins: what was waited for before, in a validation, is not its own."""
        self._waited = PULSE.waited

    def measured(self, seconds: float, for_input: float) -> float:
        """Takes how long a call was and waited for batches; returns how long it did for others."""
        waited = PULSE.waited - self._waited
        if self.signals:
            at = 2 * self._peers.number
            self.signals[at : at + 2] = min(1.0, waited / seconds), min(1.0, for_input / seconds)
        return waited

    def heard(self, means: np.ndarray) -> None:
        """Takes the means of all workers' `signals`."""
        if self.signals:
            self._heard.append(np.reshape(means, [-1, 2]) * len(self._peers.tasks))

    def scalars(self) -> dict[str, float]:
        """Returns shares since the last time by their tags; names who costs too much."""
        if not self._heard:
            return {}
        shares, self._heard = np.mean(self._heard, axis=0), []
        slowest, second = np.argsort(shares[:, 0])[:2]
        # What would be saved if it were as quick as the next one.
        cost = shares[second, 0] - shares[slowest, 0]
        if cost > _COST and time.monotonic() - self._named > _QUIET_S:
            self._named = time.monotonic()
            logging.info(
                f"{self._peers.names([int(slowest)])[0]} is the slowest: all others wait for it "
                f"{cost:.0%} of the time, and it for its input {shares[slowest, 1]:.0%}"
            )
        tags = {"wait_share": shares[:, 0], "input_wait_share": shares[:, 1]}
        return {
            f"workers/{at}/{tag}": float(share)
            for tag, column in tags.items()
            for at, share in enumerate(column)
        }
