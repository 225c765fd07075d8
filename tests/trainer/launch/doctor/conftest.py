# SPDX-License-Identifier: MIT
"""A registry of container images on this machine, which wants a token as public ones do."""

import base64
import dataclasses
import hashlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

TYPES = {
    "index": "application/vnd.oci.image.index.v1+json",
    "manifest": "application/vnd.oci.image.manifest.v1+json",
}


@dataclasses.dataclass
class Registry:
    """What it holds and whom it serves.

    Attributes:
        host: 127.0.0.1:PORT.
        documents: path below /v2/ -> type and content.
        users: name -> password.
        private: serves nobody without a login.
        scheme: "Bearer", "Basic", or "" to ask for no token.
        realm: where a token is to be had; "" leaves the place out, None is this very server.
        broken: what it answers instead of anything else; 0 for nothing.
        requests: "PATH of USER", one each.
    """

    host: str
    documents: dict[str, tuple[str, bytes]] = dataclasses.field(default_factory=dict)
    users: dict[str, str] = dataclasses.field(default_factory=dict)
    private: bool = False
    scheme: str = "Bearer"
    realm: str | None = None
    broken: int = 0
    requests: list[str] = dataclasses.field(default_factory=list)

    def push(self, name: str, tag: str, *architectures: str) -> str:
        """Puts an image for these, and returns its digest; several make an index."""
        made = [self._image(name, one) for one in architectures]
        if len(made) == 1:
            return self._put(name, tag, "manifest", made[0])
        platforms = [*architectures, "unknown"]  # as buildx does for its attestations
        index = [
            {
                "digest": self._put(name, "", "manifest", image),
                "platform": {"os": "linux" if one != "unknown" else one, "architecture": one},
            }
            for one, image in zip(platforms, [*made, {"config": {}}], strict=True)
        ]
        return self._put(name, tag, "index", {"manifests": index})

    def _image(self, name: str, architecture: str) -> dict[str, Any]:
        config = json.dumps({"os": "linux", "architecture": architecture}).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        self.documents[f"{name}/blobs/{digest}"] = ("application/octet-stream", config)
        return {"schemaVersion": 2, "config": {"digest": digest}, "layers": []}

    def _put(self, name: str, tag: str, kind: str, value: dict[str, Any]) -> str:
        body = json.dumps({"mediaType": TYPES[kind], **value}).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for reference in filter(None, (tag, digest)):
            self.documents[f"{name}/manifests/{reference}"] = (TYPES[kind], body)
        return digest


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: Registry

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        header = self.headers.get("Authorization", "")
        kind, _, given = header.partition(" ")
        user = self._user(given) if kind == "Basic" else given
        self.registry.requests.append(f"{path} of {user}")
        if self.registry.broken:
            self._answer(self.registry.broken, b"oh")
        elif path == "/token":
            asked = urllib.parse.parse_qs(query)
            assert asked["service"] == ["tests"] and asked["scope"][0].endswith(":pull")
            self._answer(401 if user is None else 200, json.dumps({"token": user}).encode())
        elif self.registry.scheme and (kind != self.registry.scheme or user is None):
            self._challenge(path)
        elif self.registry.private and user not in self.registry.users:
            self._fail(403, "denied: not yours")
        else:
            self._document(path.removeprefix("/v2/"))

    def _user(self, given: str) -> str | None:
        name, _, password = base64.b64decode(given).decode().partition(":")
        return name if self.registry.users.get(name) == password else None

    def _challenge(self, path: str) -> None:
        name = path.removeprefix("/v2/").partition("/manifests/")[0]
        realm = self.registry.realm
        realm = f"http://{self.registry.host}/token" if realm is None else realm
        how = f'realm="{realm}",service="tests"'
        how += f',scope="repository:{name}:pull"'
        self._fail(401, "authentication required", f"{self.registry.scheme} {how}")

    def _document(self, path: str) -> None:
        if path not in self.registry.documents:
            self._fail(404, "manifest unknown")
            return
        kind, body = self.registry.documents[path]
        if "/manifests/" in path:
            assert kind in self.headers["Accept"]
        self._answer(200, body, kind)

    def _fail(self, status: int, message: str, challenge: str = "") -> None:
        self._answer(status, json.dumps({"errors": [{"message": message}]}).encode(), "", challenge)

    def _answer(self, status: int, body: bytes, kind: str = "", challenge: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if kind:
            self.send_header("Content-Type", kind)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Registry]:
    """An empty registry that serves everybody; no login of this machine is known."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    handler = type("Handler", (_Handler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        handler.registry = Registry(f"127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield handler.registry
        listening.shutdown()
        thread.join()
