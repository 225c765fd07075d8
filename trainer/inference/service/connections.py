# SPDX-License-Identifier: MIT
"""Uvicorn's server, with patience that ends and an end that is its own."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

# For the head of a request; and from there to the end of the answer, longer than `Settings` allow
# for body and work: what is late then is a client that does not read.
_HEAD_SECONDS, _REQUEST_SECONDS = 15.0, 180.0
_MOST = 512


class Connection(H11Protocol):
    """A connection that is cut when a request or its answer takes too long on the way.

    Uvicorn bounds only the pause between two requests.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._wait(_HEAD_SECONDS)
        if len(self.connections) > _MOST:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Notes when the head of a request is complete."""
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle:
            self._wait(_REQUEST_SECONDS)

    def on_response_complete(self) -> None:
        """Begins to wait for the next request, or the rest of a body that was refused."""
        self._wait(_HEAD_SECONDS)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        super().connection_lost(exc)
        if self._timer:
            self._timer.cancel()

    def _wait(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)


class _Server(uvicorn.Server):
    """Stops at SIGTERM and Ctrl-C because it is done, not because it failed."""

    stopping: Callable[[], None]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes both signals for the length of a block, and does not raise them again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        # Whoever listened until now would end the process at once.
        wakeup = signal.set_wakeup_fd(-1)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to stop; a second Ctrl-C waits for nobody."""
        self.stopping()
        super().handle_exit(sig, frame)


def server(app: Any, grace: float, stopping: Callable[[], None]) -> uvicorn.Server:
    """Returns a server that is to be run with a socket.

    Args:
        app: ASGI application.
        grace: seconds in which it finishes at the end what it has begun.
        stopping: called when it is asked to stop.
    """
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(grace),
    )
    made = _Server(config)
    made.stopping = stopping
    return made
