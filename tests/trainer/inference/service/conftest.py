# SPDX-License-Identifier: MIT
"""A service with a real model, in the process of the tests or one of its own."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest


@pytest.fixture(scope="session")
def served_model(finished_run: Any) -> Any:
    """The exported model of a small run."""
    from trainer.serving.served import ServedModel

    return ServedModel(finished_run.output)


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """Makes the file of a film of noise."""

    def make(seed: int = 0, height: int = 90, width: int = 60) -> bytes:
        grey = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
        return cv2.imencode(".png", grey)[1].tobytes()

    return make


@pytest.fixture(scope="session")
def serving() -> Callable[[Any], contextlib.AbstractContextManager[httpx.Client]]:
    """A function that runs a service for the length of a block and yields a client of it."""
    return running


@pytest.fixture(scope="module")
def client(served_model: Any) -> Iterator[httpx.Client]:
    """A client of a service on a port of this machine, with the usual limits."""
    from trainer.inference.service import app

    with running(app.create(served_model)) as found:
        yield found


@contextlib.contextmanager
def running(service: Any) -> Iterator[httpx.Client]:
    """Runs a service in a thread for the length of a block, and yields a client of it."""
    import socket

    from trainer.inference.service import connections

    bound = socket.create_server(("127.0.0.1", 0))
    server = connections.Server(service, 5, lambda: None)
    thread = threading.Thread(target=lambda: server.run(sockets=[bound]))
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=60
        ) as found:
            yield found
    finally:
        server.should_exit = True
        thread.join()
