# SPDX-License-Identifier: MIT
"""Uvicorn's server, with patience that ends and an end that is its own."""

import asyncio
import signal
from collections.abc import Callable
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
        cycle = self.cycle
        super().on_response_complete()
        # A client may have sent the next one before the answer to this.
        self._wait(_HEAD_SECONDS if self.cycle is cycle else _REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        super().connection_lost(exc)
        if self._timer:
            self._timer.cancel()

    def _wait(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)


class Server(uvicorn.Server):
    """Stops at SIGTERM and Ctrl-C because it is done, not because it failed.

    Args:
        app: ASGI application.
        grace: seconds in which it finishes at the end what it has begun.
        stopping: called when it is asked to stop.
    """

    def __init__(self, app: Any, grace: float, stopping: Callable[[], None]) -> None:
        quiet: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
        limits: dict[str, Any] = {"http": Connection, "timeout_graceful_shutdown": round(grace)}
        super().__init__(uvicorn.Config(app, ws="none", server_header=False, **quiet, **limits))
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to stop; a second Ctrl-C waits for nobody. Uvicorn would raise both again."""
        self._stopping()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
