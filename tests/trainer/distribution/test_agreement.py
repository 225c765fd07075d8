# SPDX-License-Identifier: MIT
"""Tests of the agreement between processes, as far as one process can tell."""

import re
import socket
from typing import Any

import pytest
import tensorflow as tf

from preprocessing.contract.errors import ConfigError, StoppedError
from trainer.distribution import agreement
from trainer.distribution.agreement import Agreement
from trainer.distribution.cluster import Cluster


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def two(port: int, other: int) -> Cluster:
    return Cluster({"worker": (f"127.0.0.1:{port}", f"127.0.0.1:{other}")}, "worker", 0)


def test_one_process_agrees_with_itself(one_device: Any) -> None:
    alone = Agreement(one_device.strategy, 1)
    assert alone.gather([3, 4]).tolist() == [[3, 4]]
    assert alone.chiefs(7) == 7
    alone.check_equal("settings", "text")
    alone.barrier()


def test_the_processes_that_differ_are_named(
    one_device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Agreement(one_device.strategy, 1)
    gather = alone.gather

    def with_two_more(numbers: list[int]) -> Any:
        own = gather(numbers)
        return tf.concat([own, own, own + 1], axis=0).numpy()

    monkeypatch.setattr(alone, "gather", with_two_more)
    with pytest.raises(ConfigError, match="settings of process 2 are not those of process 0"):
        alone.check_equal("settings", "text")


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.UnavailableError(None, None, "recvmsg: connection reset by peer"),
        tf.errors.InternalError(None, None, "Collective ops is aborted by: no heartbeat"),
    ],
)
def test_a_lost_peer_is_a_reason_to_start_again_and_is_named(error: Exception) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        alive, gone = server.getsockname()[1], free_port()
        hosts = (f"127.0.0.1:{free_port()}", f"127.0.0.1:{alive}", f"127.0.0.1:{gone}")
        peers = Cluster({"worker": hosts}, "worker", 0)
        with (
            pytest.raises(
                StoppedError, match=rf"lost a peer \(worker 2 at 127.0.0.1:{gone}\): the"
            ),
            agreement.naming_lost_peers(peers),
        ):
            raise error


@pytest.mark.parametrize(
    ("text", "who"),
    [
        (
            "Graph execution error:\n\nDetected at node allgather defined at (most recent call "
            "last):"
            "\nfrom remote target /job:worker/replica:0/task:1 while calling RecvBuf, for "
            "/job:worker/replica:0/task:0",
            "worker 1 at 127.0.0.1:{alive}",
        ),
        ("no heartbeat from /job:worker/task:1", "worker 1 at 127.0.0.1:{alive}"),
        ("Detected at node x", "which one is not known: by now all answer, and none was named"),
        ("/job:ps/task:1, /job:worker/task:9", "which one is not known: by now all answer.*"),
    ],
)
def test_a_peer_that_answers_is_named_by_what_tensorflow_says_or_nobody_is(
    text: str, who: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        alive = server.getsockname()[1]
        with (
            pytest.raises(StoppedError) as raised,
            agreement.naming_lost_peers(two(free_port(), alive)),
        ):
            raise tf.errors.UnavailableError(None, None, text)
    assert re.match(rf"lost a peer \({who.format(alive=alive)}\): the same", str(raised.value))
    assert "node" not in str(raised.value)


def test_other_errors_and_those_of_a_process_alone_pass() -> None:
    with (
        pytest.raises(tf.errors.UnavailableError),
        agreement.naming_lost_peers(Cluster()),
    ):
        raise tf.errors.UnavailableError(None, None, "storage")
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        agreement.naming_lost_peers(two(1, 2)),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "shape")
