# SPDX-License-Identifier: MIT
"""Job files, golden files and a local stand-in of a cloud API for the tests of the launcher."""

import dataclasses
import http.server
import json
import os
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from preprocessing.contract.files import buckets

ROOT = pathlib.Path(__file__).parents[3]

JOB: dict[str, Any] = {
    "name": "quick-run",
    "image": "registry.example.com/cxr14:1.0",
    "output": "gs://my-bucket/runs/quick",
    "args": {
        "mode": "train",
        "data": "gs://my-bucket/shards",
        "config.train.epochs": 2,
        "config.data.global_batch_size": 48,
    },
    "machine_type": "g2-standard-24",
    "accelerator": {"type": "NVIDIA_L4", "count": 2},
    "vertex": {"project": "my-project", "region": "us-central1"},
    "kubernetes": {"namespace": "research"},
}


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hides the login of whoever runs the tests, with which `submit` looks at a bucket."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.getbasetemp() / "no-login"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    if buckets.of.cache_info().currsize:
        buckets.of("gs")._client.close()  # as of a test whose emulator is gone
        buckets.of.cache_clear()


@pytest.fixture
def job_file(tmp_path: pathlib.Path) -> Callable[..., str]:
    """Writes a working job file with some keys replaced, or with `...` left out."""

    def write(**changes: Any) -> str:
        values = {**JOB, **changes}
        path = tmp_path / "job.yaml"
        path.write_text(
            yaml.safe_dump(
                {key: value for key, value in values.items() if value is not ...}, sort_keys=False
            )
        )
        return str(path)

    return write


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with tests/golden/NAME, or writes it under CXR14_REGENERATE_GOLDEN=1."""

    def compare(name: str, text: str) -> None:
        path = ROOT / "tests" / "golden" / name
        if os.environ.get("CXR14_REGENERATE_GOLDEN") == "1":
            path.write_text(text)
        assert text == path.read_text(), f"{path} differs; `make golden` accepts the new text"

    return compare


@dataclasses.dataclass
class StandIn:
    """A server on this machine that records requests and gives every one the same answer."""

    address: str
    status: int = 200
    answer: Any = dataclasses.field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, Any]]] = dataclasses.field(default_factory=list)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.requests.append((self.command, self.path.partition("?")[0], json.loads(body)))
            answer = json.dumps(server.answer).encode()
            self.send_response(server.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Keeps the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = StandIn(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield server
        listening.shutdown()
        thread.join()
