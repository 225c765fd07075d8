# SPDX-License-Identifier: MIT
"""The services of Google Cloud that the launcher talks to, with a state, on this machine.

`tests/conftest.py` makes the fixture `google_apis` known everywhere. Jobs are made, listed by label
and page by page, and end when the test says so; any request can be made to fail.
"""

import contextlib
import dataclasses
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Body = dict[str, Any]
PLACE = "projects/my-project/locations/us-central1"
_LABEL = re.compile(r'labels\.([a-z0-9_-]+)(?::\*|="([^"]*)")')
_MOMENT = re.compile(r'timestamp>="([^"]+)"')
_OVER = ("JOB_STATE_DONE", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
_COLLECTIONS = ("customJobs", "hyperparameterTuningJobs", "models", "jobs")


def labels(name: str = "quick-run", output: str = "of-another") -> dict[str, str]:
    """Returns the labels of a training job of the launcher."""
    return {"cxr14-name": name, "cxr14-stage": "train", "cxr14-output": output}


def info(reason: str, **metadata: str) -> list[Body]:
    """Returns the details of an error, as Google gives its reason."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return [{"@type": kind, "reason": reason, "metadata": metadata}]


class Failed(Exception):
    """An answer other than success."""

    def __init__(self, status: int, error: Body) -> None:
        super().__init__(status)
        self.status, self.error = status, error


@dataclasses.dataclass
class Fault:
    """What befalls requests: the first `times` that fit get `status` instead of their answer.

    Attributes:
        request: pattern of METHOD PATH.
        done: whether the request has its effect all the same.
    """

    request: str
    status: int
    error: Body
    times: int
    done: bool


class GoogleApis(http.server.ThreadingHTTPServer):
    """Vertex AI, Dataflow, Cloud Logging, Service Usage, IAM and the rest, with a state."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, str, Any]] = []
        self.resources: dict[str, Body] = {}
        self.entries: list[Body] = []
        self.messages: list[Body] = []
        self.versions: dict[str, list[Body]] = {}
        self.operations: dict[str, list[Body]] = {}
        self.services: set[str] = set()
        self.permissions: set[str] = set()
        self.quotas: dict[str, int] = {}
        self.accounts: dict[str, set[str]] = {}
        self.machines: dict[str, list[str]] = {}
        self.page_size = 2
        self.on_request: Callable[[str], None] = lambda request: None
        self._faults: list[Fault] = []
        self._made = 0
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """What --api_endpoint takes."""
        return f"http://127.0.0.1:{self.server_port}"

    def fail(
        self, request: str, status: int, *, times: int = 1, done: bool = False, **error: Any
    ) -> None:
        """Makes requests fail, of which METHOD PATH fits a pattern."""
        error = {"code": status, "message": "it is said why", **error}
        self._faults.append(Fault(request, status, error, times, done))

    def made(self, request: str) -> list[Any]:
        """Returns the bodies of the requests of which METHOD PATH fits a pattern."""
        return [
            body for method, path, body in self.requests if re.search(request, f"{method} {path}")
        ]

    def add(self, kind: str, **body: Any) -> Body:
        """Puts a job, or a model, as if it had been sent before."""
        return self._create(PLACE, kind, body)

    def add_preprocessing(self, state: str) -> Body:
        """Puts a job of Dataflow."""
        found = {**labels(), "cxr14-stage": "preprocess"}
        return self.add("jobs", name="quick-run", labels=found, currentState=f"JOB_STATE_{state}")

    def log(self, resource: str, text: str, *, second: int, **more: Any) -> None:
        """Puts an entry into the log of a job."""
        self.entries.append(
            {
                "insertId": f"e{len(self.entries)}",
                "timestamp": f"2026-11-29T10:00:{second:02d}.5Z",
                "severity": "INFO",
                "textPayload": text,
                "resource": {
                    "type": "ml_job",
                    "labels": {
                        "job_id": resource.rpartition("/")[2],
                        "task_name": "workerpool0-0",
                    },
                },
                **more,
            }
        )

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Body:
        """Does what a request asks for."""
        with self._lock:
            self.requests.append((method, path, body))
            self.on_request(f"{method} {path}")
            fault = self._fault(f"{method} {path}")
            if fault is not None and not fault.done:
                raise Failed(fault.status, fault.error)
            found = self._do(method, path, query, body or {})
            if fault is not None:
                raise Failed(fault.status, fault.error)
            return found

    def _fault(self, request: str) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and re.search(fault.request, request):
                fault.times -= 1
                return fault
        return None

    def _do(self, method: str, path: str, query: dict[str, str], body: Body) -> Body:
        version, _, name = path.lstrip("/").partition("/")
        last = name.rpartition("/")[2]
        if path == "/v2/entries:list":
            return self._page("entries", self._logged(body), body)
        if last == "messages":
            words = ("DEBUG", "DETAILED", "BASIC", "WARNING", "ERROR")
            order = [f"JOB_MESSAGE_{word}" for word in words]
            wanted = query.get("minimumImportance", order[0])
            found = [
                one
                for one in self.messages
                if order.index(one["messageImportance"]) >= order.index(wanted)
            ]
            return self._page("jobMessages", found, query)
        if last in _COLLECTIONS and method == "GET":
            return self._page(last, self._listed(name, query), query)
        if last in _COLLECTIONS and method == "POST":
            return self._create(name.rpartition("/")[0], last, body)
        if path.endswith("/models:upload"):
            return self._upload(name.removesuffix("/models:upload"), body)
        if path.endswith(":listVersions"):
            model = name.removesuffix(":listVersions")
            return self._page("models", self.versions[model], query)
        if "/operations/" in name:
            return self._operation(name)
        if name.endswith(":cancel"):
            self._found(name.removesuffix(":cancel"))["state"] = "JOB_STATE_CANCELLING"
            return {}
        if version == "v1b3" and method == "PUT":
            self._found(name)["currentState"] = "JOB_STATE_CANCELLING"
            return {}
        return self._asked(method, name, query, body)

    def _upload(self, place: str, body: Body) -> Body:
        """Makes a model, or a version, in an operation that takes a few questions to end."""
        model = body.get("parentModel") or self._create(place, "models", {})["name"]
        versions = self.versions.setdefault(model, [])
        versions.append({**body["model"], "name": model, "versionId": str(len(versions) + 1)})
        self.resources[model]["labels"] = body["model"]["labels"]
        made = {"model": model, "modelVersionId": str(len(versions))}
        self.operations[f"{model}/operations/{len(versions)}"] = [{}, {}, {"response": made}]
        return {"name": f"{model}/operations/{len(versions)}"}

    def _operation(self, name: str) -> Body:
        states = self.operations[name]
        state = states.pop(0) if len(states) > 1 else states[0]
        return {"name": name, "done": bool(state), **state}

    def _asked(self, method: str, name: str, query: dict[str, str], body: Body) -> Body:
        """Answers what doctor asks for, or shows a job."""
        last = name.rpartition("/")[2]
        if last == "services:batchGet":
            states = {True: "ENABLED", False: "DISABLED"}
            names = query["names"].split(",")
            return {
                "services": [
                    {"name": one, "state": states[one.rpartition("/")[2] in self.services]}
                    for one in names
                ]
            }
        if "/serviceAccounts/" in name:
            account, _, test = last.partition(":")
            if account not in self.accounts:
                raise Failed(404, {"message": f"{account} does not exist"})
            return {"permissions": sorted(self.accounts[account])} if test else {"email": account}
        if last == "my-project:testIamPermissions":
            held = [one for one in body["permissions"] if one in self.permissions]
            return {"permissions": held}
        if last == "my-project":
            return {"projectNumber": "123", "lifecycleState": "ACTIVE"}
        if last == "machineTypes":
            machine = query["filter"].partition('"')[2].rstrip('"')
            zones = self.machines.get(machine, [])
            items = {f"zones/{zone}": {"machineTypes": [{"name": machine}]} for zone in zones}
            return {"items": {"zones/none-a": {"warning": {}}, **items}}
        if "/consumerQuotaMetrics/" in name:
            return self._quota(urllib.parse.unquote(name.rpartition("/")[2]))
        return self._found(name)

    def _quota(self, metric: str) -> Body:
        if metric not in self.quotas:
            raise Failed(404, {"message": f"no {metric}"})
        general = {"effectiveLimit": "0"}
        here = {"effectiveLimit": str(self.quotas[metric]), "dimensions": {"region": "us-central1"}}
        return {
            "consumerQuotaLimits": [
                {"unit": "1/{project}/{region}", "quotaBuckets": [general, here]}
            ]
        }

    def _found(self, name: str) -> Body:
        if name not in self.resources:
            raise Failed(404, {"message": f"{name} is not found."})
        return self.resources[name]

    def _create(self, place: str, kind: str, body: Body) -> Body:
        self._made += 1
        name = f"{place}/{kind}/{self._made}"
        fixed = {"name": name, "createTime": f"2026-11-29T09:00:{self._made:02d}Z"}
        state = {"id": str(self._made), "currentState": "JOB_STATE_PENDING"}
        state = state if kind == "jobs" else {"state": "JOB_STATE_PENDING"}
        own = {"name": body.get("name", "") if kind == "jobs" else name}
        self.resources[name] = {**fixed, **state, **body, **own}
        return self.resources[name]

    def _listed(self, name: str, query: dict[str, str]) -> list[Body]:
        wanted = _LABEL.findall(query.get("filter", ""))
        return [
            found
            for resource, found in self.resources.items()
            if resource.rpartition("/")[0] == name
            and query.get("name") in (None, found["name"])
            and not (query.get("filter") == "ACTIVE" and found["currentState"] in _OVER)
            and all(
                key in found.get("labels", {}) and value in ("", found["labels"][key])
                for key, value in wanted
            )
        ]

    def _logged(self, body: Body) -> list[Body]:
        ids = re.findall(r'"(\w+)"', body["filter"].partition("job_id=")[2].partition(")")[0])
        (since,) = _MOMENT.findall(body["filter"])
        fitting = [
            entry
            for entry in self.entries
            if entry["resource"]["labels"]["job_id"] in ids and entry["timestamp"] >= since
        ]
        return sorted(fitting, key=lambda entry: str(entry["timestamp"]))

    def _page(self, key: str, items: list[Body], asked: Body) -> Body:
        start = int(asked.get("pageToken") or 0)
        end = start + self.page_size
        more = {"nextPageToken": str(end)} if end < len(items) else {}
        return {key: items[start:end], **more}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: GoogleApis

    def _answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        asked = {key: ",".join(values) for key, values in urllib.parse.parse_qs(query).items()}
        status = 200
        try:
            found = self.server.answer(self.command, path, asked, _read(data))
        except Failed as failed:
            status, found = failed.status, {"error": failed.error}
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keeps the terminal quiet."""


def _read(data: bytes) -> Any:
    """Returns JSON as what it is, and what a login sends as text."""
    try:
        return json.loads(data or "null")
    except ValueError:
        return data.decode()


@contextlib.contextmanager
def running() -> Iterator[GoogleApis]:
    """Serves until the block ends."""
    with GoogleApis() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def google_apis() -> Iterator[GoogleApis]:
    """The services, without any job."""
    with running() as server:
        yield server
