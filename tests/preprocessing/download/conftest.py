# SPDX-License-Identifier: MIT
"""A web server of this machine that serves files, and spoils answers as it is told."""

import hashlib
import http.server
import pathlib
import random
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from preprocessing.contract.files import patience
from preprocessing.download.addresses import File

CHUNK = 1 << 16


class Site:
    """Files by name, and what is to go wrong with the next requests for one.

    A fault is a number of the status to answer, ("cut", bytes) to break off after so many, or
    ("flip", place) to change a byte.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Any]] = {}
        self.kind = "application/octet-stream"
        self.has_ranges = self.tells_size = True
        self.most = 0  # bytes of a range that are given at once; 0 for all
        self.encoding = ""
        self.pause_s = 0.0  # between two chunks
        self.repeated: dict[str, int] = {}  # name -> how often its bytes are sent in a row
        self.requests: list[tuple[str, str]] = []  # name, range
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:  # noqa: N802
                site.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that is killed breaks off

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def file(self, name: str, data: bytes, **changes: Any) -> File:
        """Serves a file and returns how to fetch it."""
        self.files[name] = data
        md5 = hashlib.md5(data).hexdigest()
        return File(**{"name": name, "address": f"{self.url}/{name}", "md5": md5, **changes})

    def bodies(self, name: str) -> list[str]:
        """Returns the ranges that were asked for of a file, but for its size."""
        return [span for asked, span in self.requests if asked == name and span != "bytes=0-0"]

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        name = handler.path.partition("?")[0].rpartition("/")[2]
        span = handler.headers.get("Range", "")
        self.requests.append((name, span))
        probing = span == "bytes=0-0"
        left = self.faults.get(name, [])
        fault = left.pop(0) if left and not probing else None
        if isinstance(fault, int) or name not in self.files:
            handler.send_response(fault or 404)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        data, times = self.files[name], self.repeated.get(name, 1)
        total, start = len(data) * times, 0
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", span) if self.has_ranges else None
        if found:
            start = int(found[1])
            end = min(int(found[2] or total), total - 1, start + (self.most or total) - 1)
            handler.send_response(206 if start < total else 416)
            where = f"{start}-{end}" if start < total else "*"
            handler.send_header(
                "Content-Range", f"bytes {where}/{total if self.tells_size else '*'}"
            )
            size = max(end + 1 - start, 0)
        else:
            handler.send_response(200)
            size = total
        if self.tells_size:
            handler.send_header("Content-Length", str(size))
        if self.encoding:
            handler.send_header("Content-Encoding", self.encoding)
        handler.send_header("Content-Type", self.kind)
        handler.end_headers()
        if isinstance(fault, tuple) and fault[0] == "cut":
            size = min(size, fault[1])
        at = start
        while at < start + size:
            begin = at % len(data)
            piece = bytearray(data[begin : begin + min(CHUNK, start + size - at)])
            if isinstance(fault, tuple) and fault[0] == "flip" and at <= fault[1] < at + len(piece):
                piece[fault[1] - at] ^= 1
            handler.wfile.write(piece)
            at += len(piece)
            time.sleep(self.pause_s)
        handler.close_connection = True


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = Site()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def data() -> bytes:
    return random.Random(5).randbytes(3_000_000)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "nih")
