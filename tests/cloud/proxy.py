# SPDX-License-Identifier: MIT
"""A program that stands in for https://*.googleapis.com on this machine, faults included.

    python tests/cloud/proxy.py FOLDER BINARY

starts fake-gcs-server (BINARY) and an HTTPS proxy in front of it, writes the proxy's certificate
authority to FOLDER/ca.pem, prints one JSON object with its ports, and ends with its standard input.

TensorFlow's gs:// file system knows only the addresses of the real service, so the proxy answers in
their place: it logs every request, asks for the token that its own login hands out, and spoils
answers as it is told at /control.
"""

import contextlib
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme

PUBLIC = "storage.googleapis.com"
HOSTS = (PUBLIC, "www.googleapis.com", "oauth2.googleapis.com")
LOGIN = ("/token", "/oauth2/v3/token", "/oauth2/v4/token")
TOKEN = "token-of-the-test"
_NOT_PASSED_ON = {
    "accept-encoding",
    "connection",
    "content-length",
    "date",
    "expect",
    "proxy-connection",
    "server",
    "transfer-encoding",
}
_BOUNDARY = "part_of_the_answer"


# Status, reason, headers, body.
Answer = tuple[int, str, list[tuple[str, str]], bytes]


class Proxy(ThreadingHTTPServer):
    """The proxy; one thread for each connection."""

    daemon_threads = True

    def __init__(self, folder: pathlib.Path, backend_port: int) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(self.tls)
        self._backend_port = backend_port
        self.log: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self._come: dict[str, int] = {}
        self._uploaded: dict[str, Answer] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    def note(self, method: str, url: str, headers: Any, body: bytes) -> dict[str, Any]:
        """Logs a request and finds the fault that is meant for it."""
        entry = {
            "method": method,
            "url": url,
            "range": headers.get("Range") or headers.get("Content-Range"),
            "sent": len(body),
            "status": None,
            "fault": None,
            "argument": None,
        }
        with self._lock:
            self.log.append(entry)
            for fault in self.faults:
                if fault["times"] > 0 and re.search(fault["match"], f"{method} {url}"):
                    fault["times"] -= 1
                    entry.update(fault=fault["do"], argument=fault["argument"])
                    entry["text"] = fault["text"]
                    break
        return entry

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Asks the emulator, and adds what the real service does and the emulator does not."""
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        sent = next((headers[name] for name in headers if name.lower() == "content-range"), "")
        if path in self._uploaded:  # an upload that is over: its answer must have been lost
            return self._uploaded[path]
        come = self._come.get(path, 0)
        asked = re.fullmatch(r"bytes \*/(\*|\d+)", sent)
        if asked and (asked[1] == "*" or int(asked[1]) > come):
            # How much has come? The emulator takes the question for the end of the upload.
            known = [("Range", f"bytes=0-{come - 1}")] if come else []
            return 308, "Resume Incomplete", known, b""
        if method == "GET" and url.path.endswith("/o") and "maxResults" not in query:
            path += "&maxResults=1000" if query else "?maxResults=1000"
        object_path = url.path.removeprefix("/download")
        for name, conflict in (("generation", 404), ("ifGenerationMatch", 412)):
            if method in ("GET", "DELETE") and name in query and query[name] != "0":
                _, _, _, found = self._pass_on("GET", object_path, b"", {})
                if query[name] not in found.decode(errors="ignore"):
                    return conflict, "Other generation", [], _error("other generation", conflict)
        answer = self._pass_on(method, path, body, headers)
        if method == "PUT" and answer[0] == 308 and (piece := re.match(r"bytes \d+-(\d+)/", sent)):
            self._come[path] = int(piece[1]) + 1
        if method == "PUT" and "upload_id" in query and answer[0] in (200, 201):
            self._uploaded[path] = answer
        return answer

    def _pass_on(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._backend_port, timeout=60)
        with contextlib.closing(connection):
            sent = body if body or method in ("POST", "PUT", "PATCH") else None
            connection.request(method, path, body=sent, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accepts a connection; small packets must not wait for each other."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a client that breaks off is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """One connection: CONNECT, then requests inside TLS; or the control of the proxy itself."""

    protocol_version = "HTTP/1.1"
    server: Proxy
    _host = ""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keeps the terminal quiet; requests go to the log."""

    def handle_expect_100(self) -> bool:
        """Answers at once: without the flush libcurl waits a second before it sends a body."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def do_CONNECT(self) -> None:  # noqa: N802
        """Becomes the host that the client asks for."""
        self._host = self.path.rpartition(":")[0]
        if self._host not in HOSTS:
            self.server.note("CONNECT", self.path, self.headers, b"")
            self._answer(403, b"this proxy reaches no other host")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.wfile.flush()
        secured = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.connection, self.rfile = secured, secured.makefile("rb")
        self.wfile = secured.makefile("wb", 1 << 16)
        self.close_connection = False
        while not self.close_connection:
            self.handle_one_request()

    def _request(self) -> None:
        body = self._body()
        if not self._host:
            self._control(body)
            return
        entry = self.server.note(
            self.command, f"https://{self._host}{self.path}", self.headers, body
        )
        if entry["fault"] == "reset":
            self._break_off()
        elif entry["fault"] == "status":
            self._fail(entry, int(entry["argument"]), entry["text"])
        elif self.path in LOGIN:
            self._log_in(entry, body)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._fail(entry, 401, "Anonymous caller")
        elif self.path.startswith("/batch/"):
            entry["status"] = 200
            content = f"multipart/mixed; boundary={_BOUNDARY}"
            self._answer(200, self._batch(body), [("Content-Type", content)])
        else:
            self._forward(entry, body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _request

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _control(self, body: bytes) -> None:
        if self.command == "POST":
            self.server.faults.append(json.loads(body))
        elif self.command == "DELETE":
            self.server.faults.clear()
            self.server.log.clear()
        state = {"log": self.server.log, "faults": self.server.faults}
        self._answer(200, json.dumps(state).encode())

    def _log_in(self, entry: dict[str, Any], body: bytes) -> None:
        if b"revoked" in body:
            entry["status"] = 400
            self._answer(
                400, b'{"error": "invalid_grant", "error_description": "Token was revoked."}'
            )
            return
        entry["status"] = 200
        token = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        self._answer(200, json.dumps(token).encode(), [("Content-Type", "application/json")])

    def _forward(self, entry: dict[str, Any], body: bytes) -> None:
        fault = entry["fault"]
        if fault == "delay":
            time.sleep(float(entry["argument"]))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _NOT_PASSED_ON}
        headers["Host"] = self._host
        status, _, answered, data = self.server.ask(self.command, self.path, body, headers)
        entry["status"] = status
        if fault == "lose":
            self._break_off()
            return
        size = len(data)
        if self.command == "HEAD":
            size = int(dict(answered).get("Content-Length", 0))
        if fault == "truncate":
            data = data[: size // 2]
        elif fault == "flip" and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        passed = [
            (name, re.sub(r"^https?://[^/]+", f"https://{self._host}", value))
            if name.lower() == "location"
            else (name, value)
            for name, value in answered
            if name.lower() not in _NOT_PASSED_ON
        ]
        self._answer(status, data, passed, size)
        if fault == "truncate":
            self._break_off()

    def _batch(self, body: bytes) -> bytes:
        """Answers each part of a batch, also those without an id, which the emulator leaves out."""
        kind = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        answers = []
        for part in BytesParser().parsebytes(kind + body).get_payload():
            head, _, data = part.get_payload(decode=True).lstrip().partition(b"\n\r\n")
            if not _:
                head, _, data = part.get_payload(decode=True).lstrip().partition(b"\n\n")
            line, *named = head.decode().splitlines()
            method, address, _ = line.split(" ", 2)
            url = urlsplit(address)
            path = f"{url.path}?{url.query}" if url.query else url.path
            headers = dict(header.split(": ", 1) for header in named if ": " in header)
            entry = self.server.note(method, f"https://{self._host}{path}", headers, data)
            if entry["fault"] == "status":
                status, reason, answer = int(entry["argument"]), "Injected", _error("injected")
            else:
                kept = {k: v for k, v in headers.items() if k.lower() not in _NOT_PASSED_ON}
                kept["Host"] = self._host
                status, reason, _, answer = self.server.ask(method, path, data.strip(), kept)
            entry["status"] = status
            name = part.get("Content-ID", "").strip("<>")
            lines = [f"--{_BOUNDARY}", "Content-Type: application/http"]
            lines += [f"Content-ID: <response-{name}>"] if name else []
            lines += ["", f"HTTP/1.1 {status} {reason}", "Content-Type: application/json"]
            lines += [f"Content-Length: {len(answer)}", "", ""]
            answers.append("\r\n".join(lines).encode() + answer + b"\r\n")
        return b"".join(answers) + f"--{_BOUNDARY}--\r\n".encode()

    def _fail(self, entry: dict[str, Any], status: int, text: str) -> None:
        entry["status"] = status
        self._answer(status, _error(text, status), [("Content-Type", "application/json")])

    def _answer(
        self,
        status: int,
        data: bytes,
        headers: list[tuple[str, str]] | None = None,
        size: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in headers or []:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data) if size is None else size))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)
        self.wfile.flush()

    def _break_off(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _error(text: str, status: int = 500) -> bytes:
    return json.dumps({"error": {"code": status, "message": text}}).encode()


def start_backend(binary: str) -> tuple["subprocess.Popen[bytes]", int]:
    """Starts the emulator on a free port; returns its process and the port."""
    for _ in range(10):
        with socket.socket() as probe:  # free now, and hardly taken in the next milliseconds
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        flags = f"-backend memory -scheme http -host 127.0.0.1 -port {port} -log-level warn"
        command = [binary, *flags.split(), "-external-url", f"https://{PUBLIC}"]
        command += ["-public-host", PUBLIC]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return process, port
            time.sleep(0.02)
    raise RuntimeError(f"{binary} did not start")


def main(folder: str, binary: str) -> None:
    """Serves until standard input ends, also because the parent was killed."""
    backend, port = start_backend(binary)
    try:
        proxy = Proxy(pathlib.Path(folder), port)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        print(json.dumps({"proxy": proxy.server_address[1], "backend": port}), flush=True)
        sys.stdin.read()
    finally:
        backend.kill()
        backend.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
