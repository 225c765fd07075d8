# SPDX-License-Identifier: MIT
"""Tests of how processes meet: all or none, and who is missing is named."""

import concurrent.futures
import socket
import time

import pytest

from preprocessing.contract.errors import ConfigError, StoppedError
from trainer.distribution import rendezvous
from trainer.distribution.cluster import Cluster


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def cluster(ports: list[int], index: int) -> Cluster:
    return Cluster({"worker": tuple(f"127.0.0.1:{port}" for port in ports)}, "worker", index)


@pytest.mark.parametrize("count", [2, 5])
def test_all_meet_however_late_one_comes_and_leave_their_ports_free(count: int) -> None:
    ports = free_ports(count)

    def come(index: int) -> float:
        time.sleep(0.3 * index)
        rendezvous.meet(cluster(ports, index), 30)
        return time.monotonic()

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        start = time.monotonic()
        left = list(pool.map(come, range(count)))
    assert min(left) >= start + 0.3 * (count - 1)
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_who_is_missing_is_named() -> None:
    ports = free_ports(3)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tries = [pool.submit(rendezvous.meet, cluster(ports, at), 1.5) for at in (0, 1)]
        for one in tries:
            with pytest.raises(StoppedError, match=f"missing: worker 2 at 127.0.0.1:{ports[2]}$"):
                one.result()


def test_a_program_that_is_none_of_ours_does_not_count_as_a_peer() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        peers = cluster([port, stranger.getsockname()[1]], 0)
        with pytest.raises(StoppedError, match="missing: worker 1"):
            rendezvous.meet(peers, 1)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 is taken"):
            rendezvous.meet(cluster([port, 1], 0), 5)


def test_who_does_not_answer_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        alive, gone = server.getsockname()[1], free_ports(1)[0]
        assert rendezvous.not_answering(cluster([1, alive, gone], 0)) == [
            f"worker 2 at 127.0.0.1:{gone}"
        ]
