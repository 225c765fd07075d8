# SPDX-License-Identifier: MIT
"""Brings the processes of a run together before TensorFlow does; imports no TensorFlow.

TensorFlow waits for ever for a peer that does not come, says nothing of whom, and hears no signal
meanwhile. So processes first meet on the very ports that TensorFlow will use.
"""

import socket
import threading
import time

from preprocessing.contract.errors import ConfigError, StoppedError
from trainer.distribution.cluster import Cluster

_HELLO = b"cxr14 worker %05d\n"
_LENGTH = len(_HELLO % 0)
_PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = 0.2


def meet(peers: Cluster, seconds: float) -> None:
    """Returns when every process has reached this one, and this one every other.

    Nobody needs this process's socket any more then, and TensorFlow can have the port.

    Args:
        peers: the processes.
        seconds: how long to wait.

    Raises:
        ConfigError: another program has the port.
        StoppedError: not all came; the sentence names those that are missing.
    """
    others = set(range(len(peers.tasks))) - {peers.number}
    reached: set[int] = set()
    came: set[int] = set()
    deadline = time.monotonic() + seconds
    with _listen(peers) as server:
        over = threading.Event()
        thread = threading.Thread(target=_answer, args=(server, peers, came, over), daemon=True)
        thread.start()
        try:
            while not (reached >= others and came >= others):
                if time.monotonic() > deadline:
                    missing = ", ".join(peers.names(others - (reached & came)))
                    raise StoppedError(
                        f"not all processes came together within {seconds:g} s "
                        f"(runtime.formation_seconds); missing: {missing}"
                    )
                reached |= {at for at in others - reached if _reach(peers, at)}
                if not (reached >= others and came >= others):
                    time.sleep(_PAUSE_SECONDS)
        finally:
            over.set()
            thread.join()


def not_answering(peers: Cluster) -> list[str]:
    """Returns the other processes on whose port nobody listens, as "worker 1 at host:port"."""
    missing = set()
    for at in set(range(len(peers.tasks))) - {peers.number}:
        try:
            socket.create_connection(_address(peers, at), timeout=_PATIENCE_SECONDS).close()
        except OSError:
            missing.add(at)
    return peers.names(missing)


def _listen(peers: Cluster) -> socket.socket:
    host, port = _address(peers, peers.number)
    try:
        # On all addresses, as TensorFlow does: the name may be that of a service in front.
        server = socket.create_server(("", port))
    except OSError as error:
        raise ConfigError(
            f"port {port} of {host or 'this host'} is taken ({error.strerror}): end the process "
            "that has it, or choose another one (CXR14_PORT, TF_CONFIG)"
        ) from error
    server.settimeout(_PAUSE_SECONDS)
    return server


def _answer(server: socket.socket, peers: Cluster, came: set[int], over: threading.Event) -> None:
    """Answers every process with this one's number, and notes theirs."""
    while not over.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(_PATIENCE_SECONDS)
            try:
                number = _number(connection)
                connection.sendall(_HELLO % peers.number)
            except OSError:
                continue
            if number is not None:
                came.add(number)


def _reach(peers: Cluster, at: int) -> bool:
    try:
        with socket.create_connection(_address(peers, at), timeout=_PATIENCE_SECONDS) as peer:
            peer.sendall(_HELLO % peers.number)
            return _number(peer) == at
    except OSError:
        return False


def _number(connection: socket.socket) -> int | None:
    """Reads a process's number; None from any other program."""
    text = b""
    while len(text) < _LENGTH:
        part = connection.recv(_LENGTH - len(text))
        if not part:
            return None
        text += part
    known, number = text[:-6], text[-6:].strip()
    return int(number) if known == _HELLO[:13] and number.isdigit() else None


def _address(peers: Cluster, at: int) -> tuple[str, int]:
    host, _, port = peers.addresses[at].rpartition(":")
    return host, int(port)
