# SPDX-License-Identifier: MIT
"""The service listens where it is told to, says who can reach it, and ends when it is asked to."""

import asyncio
import base64
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from preprocessing.contract.errors import ConfigError, DataError, JobError, UsageError
from trainer.inference.service import connections, start

ROOT = pathlib.Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """The service ends with its process, so it leaves its handlers of signals in place."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def failing() -> None:
    raise DataError("there is no export there")


@pytest.mark.parametrize(
    ("environ", "host", "port", "kind"),
    [
        ({}, "127.0.0.1", 0, DataError),
        ({}, "192.0.2.1", 0, UsageError),
        ({}, "no host", 0, UsageError),
        ({}, "127.0.0.1", 70_000, UsageError),
        ({"AIP_HTTP_PORT": "http"}, "127.0.0.1", 0, UsageError),
        ({"AIP_HEALTH_ROUTE": "health"}, "127.0.0.1", 0, ConfigError),
    ],
)
def test_what_cannot_work_ends_in_a_sentence(
    environ: dict[str, str], host: str, port: int, kind: type[JobError]
) -> None:
    with pytest.raises(kind) as caught:
        start.serve(failing, host=host, port=port, environ=environ)
    assert "\n" not in str(caught.value)


def test_it_says_who_can_reach_it(capsys: pytest.CaptureFixture[str]) -> None:
    for host, private in (("127.0.0.1", True), ("0.0.0.0", False)):
        with pytest.raises(DataError):
            start.serve(failing, host=host, port=0, environ={})
        said = capsys.readouterr()
        assert ("this machine alone" in said.out) == private
        assert ("it asks nobody who they are" in said.err) == (not private)


def test_a_stop_finishes_what_is_in_flight(
    finished_run: Any, png: Callable[..., bytes], tmp_path: pathlib.Path
) -> None:
    """By the command itself, under Vertex AI's contract."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    environ = {
        **os.environ,
        "AIP_STORAGE_URI": finished_run.output,
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/ready",
        "AIP_PREDICT_ROUTE": "/ask",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "trainer.inference.task", "--serve"]
    films = [{"b64": base64.b64encode(png(at)).decode()} for at in range(64)]
    asked = {"instances": films, "parameters": {"signature_name": "as_array"}}

    async def use(process: subprocess.Popen[bytes]) -> tuple[list[int], int]:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            for _ in range(1200):
                assert process.poll() is None
                try:
                    if (await client.get("/ready")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
            answers = [asyncio.create_task(client.post("/ask", json=asked)) for _ in range(2)]
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            rows = [(await answer).raise_for_status().json() for answer in answers]
            return [len(one["predictions"]) for one in rows], await asyncio.to_thread(process.wait)

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
        try:
            assert asyncio.run(use(process)) == ([64, 64], 0)
        finally:
            process.kill()
    text = (tmp_path / "log").read_text()
    assert re.search(r"POST /ask 200 \d+ ms", text) and "it asks nobody who they are" in text
    assert "Traceback" not in text and "127.0.0.1" not in text


def test_a_client_that_dawdles_is_cut_off(
    served_model: Any, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.inference.service import app

    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.5)
    head = b"GET /health HTTP/1.1\r\nhost: localhost\r\n"
    with serving(app.create(served_model)) as client:
        address = ("127.0.0.1", client.base_url.port)
        with socket.create_connection(address, timeout=20) as slow:
            slow.sendall(head + b"\r\n")
            assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200")
            began = time.monotonic()
            with pytest.raises(ConnectionError):
                while time.monotonic() - began < 10:
                    # The head of a second request, which never ends.
                    slow.sendall(b"x")
                    time.sleep(0.1)
