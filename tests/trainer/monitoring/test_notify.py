# SPDX-License-Identifier: MIT
"""What becomes of a run is posted to an address, which never holds the run up."""

import http.server
import json
import logging
import pathlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError, DataError, StoppedError, UsageError
from preprocessing.contract.process import log
from trainer import task
from trainer.distribution.cluster import LostPeerError
from trainer.monitoring import notify
from trainer.monitoring.notify import NOTIFIER, Notifier
from trainer.training.divergence import DivergedError


class Receiver:
    """A server that keeps what is posted, after it has answered so many statuses first."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.asked = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status < 300:
                    assert self.headers["Content-Type"] == "application/json"
                    receiver.got.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:secret@127.0.0.1:{self.server.server_address[1]}/secret?k=secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def events(self) -> list[tuple[str, int | None]]:
        return [(notice["event"], notice["exit_code"]) for notice in self.got]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(notify, "_LAST_S", 60.0)  # this machine may be slow, and nothing is dead
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()
    NOTIFIER.begin("", "", 0)


def begun(receiver: Receiver, worker: int = 0) -> Notifier:
    notifier = Notifier()
    notifier.begin(receiver.url, "gs://b/run", worker)
    return notifier


def test_a_notice_says_what_when_and_where(receiver: Receiver) -> None:
    log.at_step(None)  # another test may have left one
    notifier = begun(receiver)
    notifier.started()
    log.at_step(17)
    notifier.failed(DataError("a shard is damaged"))
    log.at_step(None)
    start, failure = receiver.got
    assert start.pop("time") <= failure.pop("time")
    common = {"run": "gs://b/run", "worker": 0}
    assert start == {"event": "start", **common, "step": None, "message": "", "exit_code": None}
    said = {"step": 17, "message": "a shard is damaged", "exit_code": 65}
    assert failure == {"event": "failure", **common, **said}


@pytest.mark.parametrize(
    ("error", "chief", "other"),
    [
        (DataError("x"), ("failure", 65), ("failure", 65)),
        (ConfigError("x"), ("failure", 78), ("failure", 78)),
        (ValueError("x"), ("failure", 1), ("failure", 1)),
        (UsageError("x"), ("failure", 64), None),
        (StoppedError("x"), ("end", 75), None),
        (LostPeerError("x"), ("end", 75), None),
        (DivergedError("x"), ("divergence", 78), None),
    ],
)
def test_another_worker_tells_what_may_be_known_to_it_alone(
    receiver: Receiver, error: Exception, chief: tuple[str, int], other: tuple[str, int] | None
) -> None:
    for worker in (0, 3):
        notifier = begun(receiver, worker)
        notifier.started()
        notifier.failed(error)
        notifier.ended(0)  # what comes after the last is not told
    assert receiver.events == [("start", None), chief, *([other] if other else [])]
    assert all(notice["worker"] in (0, 3) for notice in receiver.got)


def test_a_stall_is_told_by_whoever_stalls_and_no_end_after_it(receiver: Receiver) -> None:
    notifier = begun(receiver, 2)
    notifier.stalled("worker 2 hangs")
    notifier.failed(ValueError())
    assert receiver.events == [("stall", 75)]


def test_a_notice_of_a_defect_or_a_divergence_holds_nothing_private(receiver: Receiver) -> None:
    begun(receiver).failed(ValueError("patient 00000013"))
    error = DivergedError("the loss is nan, with examples 00000013_005.png")
    error.notice = "the loss is nan"
    begun(receiver).failed(error)
    assert [notice["message"] for notice in receiver.got] == [
        "defect of the program: ValueError",
        "the loss is nan",
    ]


def test_what_a_receiver_cannot_take_now_is_posted_again(receiver: Receiver) -> None:
    receiver.statuses = [503, 429]
    notifier = begun(receiver)
    notifier.started()
    notifier.ended()
    assert receiver.events == [("start", None), ("end", 0)]
    assert receiver.asked == 4


def test_a_refusal_is_said_once_and_without_the_address(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [403]
    with caplog.at_level(logging.DEBUG):
        notifier = begun(receiver)
        notifier.started()
        notifier.ended()
    assert "127.0.0.1 took no notice of the start (HTTP 403)" in caplog.text
    own = [record.getMessage() for record in caplog.records if record.name == "absl"]
    assert len(own) == 1 and "secret" not in own[0]
    assert receiver.events == [("end", 0)]


def test_a_dead_receiver_delays_the_end_by_no_more_than_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "_LAST_S", 0.3)
    monkeypatch.setattr(notify, "_LAST_PAUSE_S", 0.05)
    monkeypatch.setattr(notify, "_TIMEOUTS_S", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and is silent
        for port in (silent.getsockname()[1], 9):
            notifier = Notifier()
            notifier.begin(f"http://127.0.0.1:{port}/secret", "run", 0)
            notifier.started()
            joined: list[float] = []
            monkeypatch.setattr(notifier._thread, "join", joined.append)
            notifier.ended()  # returns, with both notices still under way
            assert joined == [0.3]
        deadline = time.monotonic() + 60
        while caplog.text.count("took no notice of the end") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "127.0.0.1 took no notice of the end (ConnectionError)" in caplog.text
    assert "127.0.0.1 took no notice of the end (ReadTimeout)" in caplog.text
    assert "secret" not in caplog.text


def test_an_address_that_nobody_can_have_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "_LAST_S", 0.2)
    monkeypatch.setattr(notify, "_LAST_PAUSE_S", 0.05)
    notifier = Notifier()
    notifier.begin("https://hooks..example/secret", "run", 0)
    notifier.started()
    notifier.ended()
    notifier._thread.join(60)
    assert caplog.text.count("took no notice of the") == 2
    assert "secret" not in caplog.text


def test_what_is_started_again_is_no_failure(receiver: Receiver) -> None:
    notifier = begun(receiver)
    error = DataError("a run of a series was stopped")
    error.exit_code = StoppedError.exit_code
    notifier.failed(error)
    assert receiver.events[-1] == ("end", 75)


def test_a_command_tells_how_it_ends(
    receiver: Receiver, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    report = ["cxr14-train", "--mode=report", f"--output={tmp_path / 'none'}"]
    assert task.main([*report, f"--notify_url={receiver.url}"]) == 65
    assert receiver.events == [("start", None), ("failure", 65)]
    assert receiver.got[1]["message"] in capsys.readouterr().err
    assert receiver.got[0]["run"] == str(tmp_path / "none")
    receiver.got.clear()
    monkeypatch.setenv(notify.VARIABLE, receiver.url)
    assert task.main(["cxr14-train", "--mode=all", "--no_such_flag=1"]) == 64
    assert task.main(["cxr14-train", "--help"]) == 0
    assert task.main(report) == 65
    assert receiver.events == [("failure", 64), ("start", None), ("failure", 65)]
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err


def test_an_address_that_is_none_is_refused_without_repeating_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert task.main(["cxr14-train", "--mode=report", "--output=x", "--notify_url=secret/x"]) == 64
    line = capsys.readouterr().err
    assert "begin it with https:// or http://" in line and "secret" not in line
    assert notify.chosen("", {}) == ""
    assert notify.chosen("https://a/b", {notify.VARIABLE: "https://c"}) == "https://a/b"
