# SPDX-License-Identifier: MIT
"""What may not pass is refused by one sentence, whoever sends it, and nothing tells on anybody."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest

from trainer.inference.service.guard import Guard
from trainer.inference.service.settings import Settings

POST = {"type": "http", "method": "POST", "headers": [(b"host", b"localhost")]}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body; "wait" waits, "fail" fails."""
    body = (await receive())["body"]
    # As a response does that is sent bit by bit.
    hung_up = asyncio.create_task(receive())
    await asyncio.sleep(0)
    assert not hung_up.done()
    hung_up.cancel()
    if body == b"wait":
        await asyncio.sleep(60)
    if body == b"fail":
        raise ValueError("John Doe")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def ask(guard: Guard, *chunks: bytes, pause: float = 0, **scope: Any) -> tuple[int, bytes]:
    """Sends a body in chunks; returns status and body of the answer."""
    left, sent = list(chunks), []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause if left else 60)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    await guard({**POST, **scope}, receive, send)
    assert {name for name, _ in sent[0]["headers"]} >= {b"content-security-policy"}
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:1"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, 200),
    ],
)
def test_only_its_own_page_and_name_may_call(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    found = client.get("/api/model", headers=headers)
    assert found.status_code == status
    assert (status == 200) or set(found.json()) == {"error"}


def test_a_large_body_is_refused_with_and_without_its_length() -> None:
    async def run() -> None:
        guard = Guard(echo, Settings(max_body=10))
        assert await ask(guard, b"12345", b"67890") == (200, b"1234567890")
        assert (await ask(guard, b"12345", b"678901"))[0] == 413
        headers = [*POST["headers"], (b"content-length", b"11")]
        assert (await ask(guard, headers=headers))[0] == 413
        assert (guard._held, guard._requests) == (0, 0)

    asyncio.run(run())


def test_more_than_can_be_held_is_refused_and_then_taken_again() -> None:
    async def run() -> None:
        guard = Guard(echo, Settings(max_held=8, answer_seconds=0.2))
        waiting = asyncio.create_task(ask(guard, b"wait"))
        await asyncio.sleep(0.05)
        assert (await ask(guard, b"12345"))[0] == 429
        assert (await waiting)[0] == 429
        assert (await ask(guard, b"12345"))[0] == 200
        guard = Guard(echo, Settings(max_requests=1, answer_seconds=0.2))
        waiting = asyncio.create_task(ask(guard, b"wait"))
        await asyncio.sleep(0.05)
        assert (await ask(guard, b"1"))[0] == 429
        assert (await ask(guard, b"1", method="GET"))[0] == 200
        await waiting
        assert (await ask(guard, b"1"))[0] == 200

    asyncio.run(run())


def test_a_slow_body_is_refused() -> None:
    async def run() -> tuple[int, bytes]:
        return await ask(Guard(echo, Settings(body_seconds=0.1)), b"1", b"2", b"3", pause=0.06)

    status, body = asyncio.run(run())
    assert (status, list(json.loads(body))) == (408, ["error"])


def test_a_defect_is_told_without_what_a_file_holds(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="absl"):
        scope = {"query_string": b"Jane", "path": "/Jane", "client": ("10.9.8.7", 1)}
        status, body = asyncio.run(ask(Guard(echo, Settings()), b"fail", **scope))
    assert (status, "defect" in json.loads(body)["error"]) == (500, True)
    assert "ValueError in " in caplog.text and "POST - 500" in caplog.text
    assert not [one for one in ("Doe", "Jane", "10.9.8.7") if one in caplog.text + body.decode()]
