# SPDX-License-Identifier: MIT
"""A machine whose credentials come from a metadata server that comes up late, or not at all."""

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

PROGRAM = """
import sys
from preprocessing.contract.files import patience, storage
from preprocessing.contract.errors import JobError
patience.SECONDS, patience.FIRST_PAUSE_S = float(sys.argv[1]), 0.2
try:
    print(storage.read_text(sys.argv[2]))
except JobError as error:
    print(error)
    sys.exit(error.exit_code)
"""


class Metadata(http.server.BaseHTTPRequestHandler):
    """Answers as Google's metadata server does."""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keeps the terminal quiet."""

    def do_GET(self) -> None:  # noqa: N802
        """Answers with a token, or with what is known of the account."""
        known: Any = {"email": "test@example.com", "scopes": ["all"], "aliases": ["default"]}
        if "/token" in self.path:
            known = {"access_token": "token-of-the-test", "expires_in": 3600}
            known["token_type"] = "Bearer"
        if "universe" in self.path:
            known = "googleapis.com"
        data = (known if isinstance(known, str) else json.dumps(known)).encode()
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        kind = "text" if isinstance(known, str) else "json"
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def late(port: int) -> Iterator[None]:
    """The server, from the fourth second on."""
    servers = []

    def serve() -> None:
        time.sleep(4)
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", port), Metadata))
        servers[0].serve_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    if servers:
        servers[0].shutdown()
        servers[0].server_close()
    thread.join()


def _run(gcs: Any, port: int, home: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **gcs.environment,
        "GCE_METADATA_HOST": f"127.0.0.1:{port}",
        "GCE_METADATA_IP": f"127.0.0.1:{port}",
        "GCE_METADATA_TIMEOUT": "1",
        "GCE_METADATA_DETECT_RETRIES": "1",
        "HOME": str(home),
        "CLOUDSDK_CONFIG": str(home),
    }
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "NO_GCE_CHECK"):
        del environment[name]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )


@pytest.mark.slow
def test_credentials_that_come_late_are_waited_for(
    gcs: Any, port: int, late: None, tmp_path: Any
) -> None:
    path = f"{gcs.make_bucket()}/x"
    gcs.write(path, b"content")
    done = _run(gcs, port, tmp_path, "30", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["content"]


def test_credentials_that_never_come_are_no_mistake_of_the_user(
    gcs: Any, port: int, tmp_path: Any
) -> None:
    done = _run(gcs, port, tmp_path, "3", "gs://bucket/x")
    assert done.returncode == 74, done.stderr
    (sentence,) = done.stdout.splitlines()
    assert "though the metadata server was asked for 3 s: run the same command again" in sentence
    assert done.stderr == ""
