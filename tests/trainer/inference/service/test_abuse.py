# SPDX-License-Identifier: MIT
"""Whatever is sent, nothing is answered by a 5xx, and memory stays what it was.

CXR14_LONG=1 sends ten times as much.
"""

import base64
import concurrent.futures
import gc
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import hypothesis
import numpy as np
import psutil
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from trainer.inference.service import app
from trainer.inference.service.settings import Settings

PREDICT = "/v1/models/cxr14:predict"
LONG = 10 if os.environ.get("CXR14_LONG") else 1


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is that large, and all of it zeros."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(50_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + header + rows + chunk(b"IEND", b"")


def damaged(film: bytes, count: int) -> Iterator[bytes]:
    """Files that are nearly films."""
    generator = np.random.default_rng(0)
    for _ in range(count):
        data = bytearray(film[: generator.integers(1, len(film) + 1)])
        for at in generator.integers(0, len(data), generator.integers(0, 9)):
            data[at] = generator.integers(256)
        yield bytes(data)


def test_nearly_films_and_bombs_neither_fail_nor_fill_the_memory(
    client: httpx.Client, png: Callable[..., bytes]
) -> None:
    films = [*damaged(png(), 40 * LONG), bomb(60_000, 60_000), bomb(7_000, 7_000)]
    encoded = [{"b64": base64.b64encode(film).decode()} for film in films]
    bodies = [
        *(("/api/film", film) for film in films),
        *((PREDICT, json.dumps({"instances": [one]}).encode()) for one in encoded),
        *((PREDICT, b"[" * (1 << at)) for at in range(16)),
        *(("/api/heat_maps", film) for film in films[::4]),
    ]

    def send(one: tuple[str, bytes]) -> int:
        return client.post(one[0], content=one[1]).status_code

    def round() -> int:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(send, bodies))
        assert {200, 400} <= set(statuses) <= {200, 400, 429}
        gc.collect()
        return psutil.Process().memory_info().rss

    first = round()
    assert round() - first < 100 << 20


def test_under_overload_it_answers_429_and_recovers(
    served_model: Any, serving: Any, png: Callable[..., bytes]
) -> None:
    asked = {"instances": [{"b64": base64.b64encode(png()).decode()}] * 8}
    with serving(app.create(served_model, Settings(max_waiting=16))) as client:

        def send(_: int) -> httpx.Response:
            return client.post(PREDICT, json=asked)

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            found = list(pool.map(send, range(48)))
        statuses = {one.status_code for one in found}
        assert statuses == {200, 429}
        assert {one.headers.get("retry-after") for one in found} == {None, "1"}
        assert send(0).status_code == 200


def test_its_own_description_finds_no_5xx(client: httpx.Client) -> None:
    schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @hypothesis.settings(
            max_examples=12 * LONG,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def send(case: Any) -> None:
            nonlocal count
            count += 1
            # A schema cannot say what a film is.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        send()
    assert count >= 30
