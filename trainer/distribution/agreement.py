# SPDX-License-Identifier: MIT
"""Lets the processes of a run agree: on what they train, from which step, and when it is over."""

import contextlib
import hashlib
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.errors import ConfigError
from trainer.distribution import rendezvous
from trainer.distribution.cluster import Cluster, LostPeerError
from trainer.monitoring.clock import CLOCK

# What TensorFlow raises in the processes that are left when one of them is gone.
LOST_PEER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)

# How TensorFlow names a process, with or without the number of its replica.
_TASK = re.compile(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)")


class Agreement:
    """Exchanges numbers between the processes of a strategy.

    1. Every process makes the same calls in the same order, as for any collective operation.
    2. Each gives a row of integers; a gather over the replicas gives every process all rows.
    3. Equality, the chief's answer and a barrier are all read from that one gather.

    A peer that is gone while others wait for it ends them with a `LostPeerError`.

    Args:
        strategy: the strategy of the run.
        workers: number of processes.
        peers: the processes, to name the one that is gone.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy, workers: int, peers: Cluster | None = None
    ) -> None:
        self._workers, self._peers = workers, peers or Cluster()

        @tf.function
        def everyones(own: tf.Tensor) -> tf.Tensor:
            def replica() -> tf.Tensor:
                # The identity gives it a device, without which it cannot be gathered.
                return tf.distribute.get_replica_context().all_gather(tf.identity(own), axis=0)

            return strategy.experimental_local_results(strategy.run(replica))[0]

        self._everyones = everyones

    def gather(self, numbers: list[int]) -> npt.NDArray[np.int64]:
        """Returns int64 [processes, n]: what each process gave, in the order of the processes."""
        own = np.asarray([numbers], np.int64)
        if self._workers == 1:
            return own
        with CLOCK.phase("peers"), naming_lost_peers(self._peers):
            rows: npt.NDArray[np.int64] = self._everyones(tf.constant(own)).numpy()
        # A process has a row for each of its replicas, all alike.
        return rows[:: len(rows) // self._workers]

    def chiefs(self, number: int) -> int:
        """Returns the number that the chief gave."""
        return int(self.gather([number])[0, 0])

    def check_equal(self, what: str, text: str) -> None:
        """Compares a text between all processes.

        Raises:
            ConfigError: it is not the same in all; the sentence names the ones that differ.
        """
        # Sixteen bytes, as four integers, tell texts apart whatever their length.
        digest = hashlib.sha256(text.encode()).digest()[:16]
        rows = self.gather(np.frombuffer(digest, np.int32).tolist())
        others = [at for at, row in enumerate(rows) if (row != rows[0]).any()]
        if others:
            names = ", ".join(map(str, others))
            raise ConfigError(
                f"{what} of process {names} are not those of process 0: start all with the same "
                "command, image and data set"
            )

    def barrier(self) -> None:
        """Returns when all processes are here."""
        self.gather([0])


@contextlib.contextmanager
def naming_lost_peers(peers: Cluster) -> Iterator[None]:
    """Turns what TensorFlow says when a peer is gone into a request to start again.

    Raises:
        LostPeerError: a peer is gone.
    """
    try:
        yield
    except tf.errors.OpError as error:
        gone = isinstance(error, LOST_PEER) or "ollective ops is aborted" in str(error)
        if not (peers.hosts and gone):
            raise
        raise LostPeerError(
            f"lost a peer ({_lost(peers, str(error))}): the same command, in all processes, goes "
            "on from the last checkpoint"
        ) from error


def _lost(peers: Cluster, text: str) -> str:
    """Names who is gone: who does not answer, or whom TensorFlow names, as who hangs answers."""
    missing = rendezvous.not_answering(peers)
    if not missing:
        named = {(kind, int(index)) for kind, index in _TASK.findall(text)}
        numbers = {at for at, task in enumerate(peers.tasks) if task in named}
        missing = peers.names(numbers - {peers.number})
    return ", ".join(missing) or "which one is not known: by now all answer, and none was named"
