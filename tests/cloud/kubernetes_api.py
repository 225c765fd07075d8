# SPDX-License-Identifier: MIT
"""A Kubernetes API on this machine that keeps what it is sent, for the real client.

It stores, selects, pages and deletes as an API server does, and serves the logs that a test wrote.
It has no controllers: a test says what became of a job. Faults are set for the next requests.
`tests/conftest.py` makes the fixture `kubernetes_api` known everywhere.
"""

import datetime
import http.server
import json
import os
import pathlib
import re
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

JOBS = "/apis/batch/v1/namespaces/research/jobs"
JOBSETS = "/apis/jobset.x-k8s.io/v1alpha2/namespaces/research/jobsets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/research/deployments"
PODS = "/api/v1/namespaces/research/pods"
_CONTAINER = {"name": "trainer", "image": "registry.example.com/cxr14:1.0"}
_REASONS = {403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 422: "Invalid"}


class KubernetesApi:
    """The cluster as the test sees it.

    Attributes:
        address: of the API.
        things: what is stored, by path.
        requests: method, path and body of each request so far.
        faults: method, pattern of the path and what to do for the next requests that match: a
            status and a message; "lost", which does it and hangs up; "silent", which does it and
            does not answer; a mapping, which is the answer, and nothing is done.
        denied: resources that the user may not use, such as "jobs".
        groups: API groups that are served, with their versions.
        ending_s: how long what was deleted is there, as a pod that saves its state.
    """

    def __init__(self, address: str) -> None:
        self.address, self.ending_s = address, 0.0
        self.things: dict[str, Any] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.faults: list[tuple[str, str, Any]] = []
        self.denied: set[str] = set()
        self.version = {"major": "1", "minor": "34", "gitVersion": "v1.34.1"}
        self.groups = {"jobset.x-k8s.io": ["v1alpha2"]}
        self.logs: dict[str, _Log] = {}
        self.changed = threading.Condition(threading.RLock())
        self.put("/api/v1/namespaces/research", {})
        self.put("/api/v1/namespaces/research/serviceaccounts/default", {})

    def put(self, path: str, thing: dict[str, Any]) -> dict[str, Any]:
        """Stores a thing, with what an API server adds."""
        metadata = thing.setdefault("metadata", {})
        metadata["name"] = path.rpartition("/")[2]
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", _now())
        with self.changed:
            self.things[path] = thing
            self.changed.notify_all()
        return thing

    def pod(self, job: str, name: str, *lines: str, index: int | None = None, **status: Any) -> Any:
        """Makes a pod of a job with a log; it runs unless `status` says otherwise."""
        labels = {"jobset.sigs.k8s.io/jobset-name": job}
        if owner := self.things.get(f"{JOBS}/{job}"):
            labels = {"batch.kubernetes.io/controller-uid": owner["metadata"]["uid"]}
        if owner := self.things.get(f"{DEPLOYMENTS}/{job}"):
            labels = {**owner["spec"]["selector"]["matchLabels"], "app.kubernetes.io/name": "cxr14"}
        if index is not None:
            labels["batch.kubernetes.io/job-completion-index"] = str(index)
        running = {"name": "trainer", "image": _CONTAINER["image"], "state": {"running": {}}}
        status = {"phase": "Running", "containerStatuses": [running], **status}
        self.logs[name] = _Log(self.changed)
        self.write(name, *lines)
        made = {"metadata": {"labels": labels}, "spec": {"containers": [_CONTAINER]}}
        return self.put(f"{PODS}/{name}", {**made, "status": status})

    def node(
        self, name: str, labels: Any, *, gpus: int = 2, taints: Any = (), cpu: str = "24"
    ) -> None:
        """Makes a node with 90 GiB of memory and of disk."""
        size = {"cpu": cpu, "memory": "90Gi", "ephemeral-storage": "90Gi"}
        size |= {"nvidia.com/gpu": str(gpus)} if gpus else {}
        spec, status = {"taints": list(taints)}, {"allocatable": size}
        made = {"metadata": {"labels": labels}, "spec": spec, "status": status}
        self.put(f"/api/v1/nodes/{name}", made)

    def write(self, pod: str, *lines: str) -> None:
        """Adds lines to a pod's log."""
        with self.changed:
            for line in lines:
                stamp = _now(fraction=True)
                self.logs[pod].lines.append((stamp, f"{stamp} {line}\n".encode()))
            self.changed.notify_all()

    def end(self, pod: str, code: int, reason: str = "Error") -> None:
        """Ends a pod's container."""
        with self.changed:
            status = self.things[f"{PODS}/{pod}"]["status"]
            status["phase"] = "Failed" if code else "Succeeded"
            ended = {"exitCode": code, "reason": reason}
            status["containerStatuses"][0]["state"] = {"terminated": ended}
            self.logs[pod].is_open = False
            self.changed.notify_all()

    def condition(self, path: str, type: str, reason: str = "", message: str = "") -> None:
        """Adds a condition that holds to a thing's status."""
        found = {"type": type, "status": "True", "reason": reason, "message": message}
        status = self.things[path].setdefault("status", {})
        status.setdefault("conditions", []).append({**found, "lastTransitionTime": _now()})

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Waits until as many requests whose path matches have come since the call."""
        with self.changed:
            start = len(self.requests)
            assert self.changed.wait_for(
                lambda: (
                    sum(bool(re.search(pattern, one[1])) for one in self.requests[start:]) >= count
                ),
                timeout=60,
            ), f"nobody asked for {pattern}"

    def posted(self) -> list[str]:
        """Returns where something was to be made."""
        return [path for method, path, _ in self.requests if method == "POST"]

    def purge(self) -> None:
        """Removes what was deleted and has had its time, and a Job's pods with it."""
        for path, thing in list(self.things.items()):
            if time.monotonic() > thing.get("goneAt", float("inf")):
                del self.things[path]
                uid = thing["metadata"]["uid"]
                for pod in [name for name in self.things if name.startswith(f"{PODS}/")]:
                    if uid in (self.things[pod]["metadata"].get("labels") or {}).values():
                        del self.things[pod]


class _Log:
    def __init__(self, changed: threading.Condition) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self.is_open, self.breaks_after, self.changed = True, list[int](), changed

    def read(self, since: str, *, follow: bool) -> Iterator[bytes]:
        """Yields lines; with `follow` until the log is closed. Ends early where it is to break."""
        position, limit = 0, self.breaks_after.pop(0) if follow and self.breaks_after else None
        while True:
            with self.changed:
                while follow and self.is_open and position == len(self.lines):
                    self.changed.wait(5)
                lines, is_open = self.lines[position:], self.is_open
            for stamp, line in lines:
                position += 1
                if stamp[:19] >= since[:19]:
                    yield line
                if limit is not None and position >= limit:
                    raise ConnectionAbortedError
            if not follow or not is_open:
                return


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else each answer waits 40 ms for the client to acknowledge its head.
    disable_nagle_algorithm = True
    api: KubernetesApi

    def do_GET(self) -> None:
        self._handle(None)

    def do_POST(self) -> None:
        self._handle(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    do_DELETE = do_POST

    def _handle(self, body: Any) -> None:
        path, _, query = self.path.partition("?")
        given = dict(urllib.parse.parse_qsl(query))
        fault = None
        with self.api.changed:
            self.api.requests.append((self.command, path, body))
            self.api.changed.notify_all()
            for found in self.api.faults:
                if found[0] == self.command and re.search(found[1], path):
                    fault = found[2]
                    self.api.faults.remove(found)
                    break
        if isinstance(fault, dict):
            return self._answer(200, fault)
        try:
            if isinstance(fault, tuple):
                raise _Refused(*fault)
            if path.endswith("/log"):
                return self._log(path.split("/")[-2], given)
            with self.api.changed:
                self.api.purge()
                answer = getattr(self, f"_{self.command.lower()}")(path, given, body)
        except _Refused as refusal:
            status, message = refusal.args
            reason = _REASONS.get(status, "")
            answer = {"kind": "Status", "code": status, "message": message, "reason": reason}
            return self._answer(status, answer)
        if fault in ("lost", "silent"):
            time.sleep(1 if fault == "silent" else 0)
            self.close_connection = True
            self.connection.close()
            return
        self._answer(201 if self.command == "POST" else 200, answer)

    def _answer(self, status: int, answer: Any) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _check(self, path: str) -> None:
        """Refuses what the user may not use, then what is not served, as an API server does."""
        parts = path.split("/")
        group = parts[2] if parts[1] == "apis" else ""
        resource = parts[6 if group else 5] if "namespaces" in parts[:-2] else parts[-1]
        if resource in self.api.denied:
            raise _Refused(403, f'{resource} is forbidden: User "me" cannot use {resource}')
        if group.endswith("x-k8s.io") and group not in self.api.groups:
            raise _Refused(404, "the server could not find the requested resource")

    def _get(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path == "/version":
            return self.api.version
        if path.count("/") == 2:
            group = path.rpartition("/")[2]
            if group not in self.api.groups:
                raise _Refused(404, "the server could not find the requested resource")
            served = [{"groupVersion": f"{group}/{v}"} for v in self.api.groups[group]]
            return {"versions": served, "preferredVersion": served[0]}
        self._check(path)
        if path in self.api.things:
            return self.api.things[path]
        if re.search(r"/(v[0-9][^/]*|namespaces/[^/]+)/[^/]+$", path):
            return self._list(path, query)
        raise _Refused(404, f"{path.rpartition('/')[2]} not found")

    def _list(self, path: str, query: dict[str, str]) -> Any:
        items = [
            thing
            for where, thing in sorted(self.api.things.items())
            if where.rpartition("/")[0] == path and _selected(thing, query)
        ]
        start, limit = int(query.get("continue", 0)), int(query.get("limit", 500))
        more = {"continue": str(start + limit)} if start + limit < len(items) else {}
        return {"metadata": more, "items": items[start : start + limit]}

    def _post(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            return {"status": {"allowed": asked["resource"] not in self.api.denied}}
        if path.endswith("/selfsubjectreviews"):
            return {"status": {"userInfo": {"username": "me@example.com"}}}
        self._check(path)
        namespace = path.split("/namespaces/")[1].split("/")[0]
        if f"/api/v1/namespaces/{namespace}" not in self.api.things:
            raise _Refused(404, f'namespaces "{namespace}" not found')
        name = body["metadata"]["name"]
        assert body["metadata"]["namespace"] == namespace
        if f"{path}/{name}" in self.api.things:
            raise _Refused(409, f'{path.rpartition("/")[2]} "{name}" already exists')
        return body if "dryRun" in query else self.api.put(f"{path}/{name}", body)

    def _delete(self, path: str, query: dict[str, str], body: Any) -> Any:
        self._check(path)
        thing = self.api.things.get(path)
        if thing is None:
            raise _Refused(404, f"{path.rpartition('/')[2]} not found")
        if body["preconditions"]["uid"] != thing["metadata"]["uid"]:
            raise _Refused(409, "Precondition failed: UID in precondition")
        thing["metadata"]["deletionTimestamp"] = _now()
        thing["goneAt"] = time.monotonic() + self.api.ending_s
        return thing

    def _log(self, pod: str, query: dict[str, str]) -> None:
        log = self.api.logs.get(pod)
        if log is None:
            raise _Refused(404, f'pods "{pod}" not found')
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for line in log.read(query.get("sinceTime", ""), follow="follow" in query):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the test breaks the stream, or the client left
            self.close_connection = True
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the test's output clean."""


class _Refused(Exception):
    """A status and a message."""


def _selected(thing: dict[str, Any], query: dict[str, str]) -> bool:
    labels = thing["metadata"].get("labels") or {}
    wanted = [part.split("=") for part in query.get("labelSelector", "").split(",") if part]
    fields = [part.split("=") for part in query.get("fieldSelector", "").split(",") if part]
    for name, value in fields:
        found: Any = thing
        for part in name.split("."):
            found = found.get(part, {})
        if found != value:
            return False
    return all(labels.get(key) == value for key, value in wanted)


def _now(*, fraction: bool = False) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%f000Z" if fraction else "%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def kubernetes_api(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesApi]:
    """An empty cluster with the namespace research, which kubectl's configuration names."""

    class Handler(_Handler):
        pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        api = Handler.api = KubernetesApi(f"http://127.0.0.1:{listening.server_port}")
        write_kubeconfig(tmp_path / "kubeconfig", api.address, monkeypatch)
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        yield api
        for log in api.logs.values():
            log.is_open = False
        with api.changed:
            api.changed.notify_all()
        listening.shutdown()
        thread.join()


def write_kubeconfig(path: pathlib.Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a configuration the current one, for this process and those that it starts."""
    context = {"cluster": "here", "user": "me"}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": context}],
                "clusters": [{"name": "here", "cluster": {"server": address}}],
                "users": [{"name": "me", "user": {"token": "abc"}}],
            }
        )
    )
    from kubernetes.config import kube_config

    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(path))
    # The client reads the variable when it is imported.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
