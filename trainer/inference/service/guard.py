# SPDX-License-Identifier: MIT
"""Comes before every route: who may call, how much, how long, and what the log says of it.

No line of the log names a client, a query, a file or anything that a body holds.
"""

import asyncio
import json
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from absl import logging

from trainer.inference.service.settings import RefusedError, Settings

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

# The page loads its own files and asks its own server; pictures come as data.
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    b"form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
_BUSY = "the service is busy: send this again"


class Guard:
    """ASGI application around another, with its limits."""

    def __init__(self, app: Application, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._requests = self._held = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, refused = time.perf_counter(), 0, None

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_HEADERS.items()]}
            await send(message)

        try:
            self._check(scope)
            await self._answer(scope, receive, sent)
        except RefusedError as error:
            refused = error
        except ConnectionError:
            status = 499  # as others log a client that hung up
        except asyncio.CancelledError:
            refused = RefusedError(503, "the service is stopping", later=True)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            # Without its text, which may repeat what a file holds.
            logging.error(f"defect: {type(error).__name__} in {at.filename}:{at.lineno}")
            refused = RefusedError(500, "this is a defect of the service: see its log")
        if refused and not status:
            headers = [(b"content-type", b"application/json")]
            headers += [(b"retry-after", b"1")] * refused.later
            start = {"type": "http.response.start", "status": refused.status, "headers": headers}
            await sent(start)
            body = json.dumps({"error": str(refused)}).encode()
            await sent({"type": "http.response.body", "body": body})
        route = getattr(scope.get("route"), "path", "-")
        spent = 1000 * (time.perf_counter() - began)
        logging.info(f"{scope['method']} {route} {status} {spent:.0f} ms")

    def _check(self, scope: Message) -> None:
        headers = {name: text.decode("latin-1").lower() for name, text in scope["headers"]}
        host, hosts = headers.get(b"host", ""), self._settings.hosts
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if hosts and name not in hosts:
            raise RefusedError(403, f"call this service by one of these names: {', '.join(hosts)}")
        if headers.get(b"origin", f"//{host}").partition("//")[2] != host:
            raise RefusedError(403, "the page of another site may not call this service")
        self._check_size(int(headers.get(b"content-length", 0)))

    def _check_size(self, size: int) -> None:
        if size > self._settings.max_body:
            raise RefusedError(413, f"the body has more than {self._settings.max_body:,} bytes")

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        limits, chunks, waiting = self._settings, list[bytes](), list[Message]()

        async def whole() -> Message:
            # Once; who asks again waits for the client to hang up.
            return waiting.pop() if waiting else await receive()

        if scope["method"] == "POST" and self._requests >= limits.max_requests:
            raise RefusedError(429, _BUSY, later=True)
        self._requests += 1
        try:
            late = RefusedError(408, f"the body took more than {limits.body_seconds:g} seconds")
            await _within(limits.body_seconds, self._read(receive, chunks), late)
            chunks[:] = [b"".join(chunks)]  # at once, so that a body is held once
            waiting.append({"type": "http.request", "body": chunks[0]})
            late = RefusedError(429, _BUSY, later=True)
            await _within(limits.answer_seconds, self._app(scope, whole, send), late)
        finally:
            self._requests -= 1
            self._held -= sum(map(len, chunks))

    async def _read(self, receive: Receive, chunks: list[bytes]) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            self._check_size(size)
            if self._held + len(chunk) > self._settings.max_held:
                raise RefusedError(429, _BUSY, later=True)
            self._held += len(chunk)
            chunks.append(chunk)


async def _within(seconds: float, work: Awaitable[None], late: RefusedError) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError:
        raise late from None
