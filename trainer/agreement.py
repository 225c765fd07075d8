# SPDX-License-Identifier: MIT
"""Lets the processes of a run agree: on what they train, from which step, and when it is over."""

import contextlib
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, StoppedError
from trainer.cluster import Cluster

# What TensorFlow raises in the processes that are left when one of them is gone.
LOST_PEER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class Agreement:
    """Exchanges numbers between the processes of a strategy.

    Args:
        strategy: the strategy of the run.
        workers: number of processes.
    """

    def __init__(self, strategy: tf.distribute.Strategy, workers: int) -> None:
        self._strategy, self._workers = strategy, workers

    def gather(self, numbers: list[int]) -> npt.NDArray[np.int64]:
        """Returns int64 [processes, n]: what each process gave, in the order of the processes."""
        own = np.asarray([numbers], np.int64)
        if self._workers == 1:
            return own

        @tf.function
        def everyone() -> tf.Tensor:
            def replica() -> tf.Tensor:
                return tf.distribute.get_replica_context().all_gather(tf.constant(own), axis=0)

            return self._strategy.experimental_local_results(self._strategy.run(replica))[0]

        rows: npt.NDArray[np.int64] = everyone().numpy()
        return rows[:: len(rows) // self._workers]

    def chiefs(self, number: int) -> int:
        """Returns the number that the chief gave."""
        return int(self.gather([number])[0, 0])

    def check_equal(self, what: str, text: str) -> None:
        """Compares a text between all processes.

        Raises:
            ConfigError: it is not the same in all; the sentence names the ones that differ.
        """
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
def forming(peers: Cluster, seconds: float) -> Iterator[None]:
    """Ends the process if its cluster does not come together in the time of a block.

    TensorFlow waits for ever, and does not say for whom.
    """
    over = threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        missing = _not_answering(peers)
        names = ", ".join(missing) or "none, so a peer answers but has not started training"
        print(
            f"cxr14-train: not all processes came together within {seconds:g} s "
            f"(runtime.formation_seconds); not answering: {names}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(StoppedError.exit_code)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def check_port(peers: Cluster) -> None:
    """Checks that this process can listen where its peers expect it.

    Raises:
        ConfigError: another process has the port.
    """
    host, _, port = peers.hosts[peers.kind][peers.index].rpartition(":")
    try:
        with socket.create_server(("", int(port)), reuse_port=False):
            return
    except OSError as error:
        raise ConfigError(
            f"port {port} of {host or 'this host'} is taken ({error.strerror}): end the process "
            "that has it, or choose another one (CXR14_PORT, TF_CONFIG)"
        ) from error


@contextlib.contextmanager
def naming_lost_peers(peers: Cluster) -> Iterator[None]:
    """Turns what TensorFlow says when a peer is gone into a request to start again.

    Raises:
        StoppedError: a peer is gone.
    """
    try:
        yield
    except tf.errors.OpError as error:
        gone = isinstance(error, LOST_PEER) or "ollective ops is aborted" in str(error)
        if not (peers.hosts and gone):
            raise
        missing = ", ".join(_not_answering(peers)) or "unknown"
        first = " ".join(str(error).split())[:120]
        raise StoppedError(
            f"lost a peer ({missing}; {first}): the same command, in all processes, goes on from "
            "the last checkpoint"
        ) from error


def _not_answering(peers: Cluster) -> list[str]:
    """Returns the peers on whose port nobody listens, as "worker 1 at host:port"."""
    missing = []
    for kind, at in peers.tasks:
        address = peers.hosts[kind][at]
        host, _, port = address.rpartition(":")
        if (kind, at) == (peers.kind, peers.index):
            continue
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            missing.append(f"{kind} {at} at {address}")
    return missing
