# SPDX-License-Identifier: MIT
"""Of two runs on one folder one waits; a successor comes quickly; who was silent does no harm."""

import dataclasses
import os
import pathlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from preprocessing.contract import lock
from preprocessing.contract.errors import StoppedError, UsageError
from preprocessing.contract.files import google_storage, storage
from preprocessing.contract.lock import disk, leases
from preprocessing.contract.lock.holder import Holder

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@dataclasses.dataclass(frozen=True)
class Place:
    """A run's folder, and the environment of processes that reach it."""

    output: str
    environment: dict[str, str]

    def files(self) -> list[str]:
        names = [path.removeprefix(f"{self.output}/") for path in storage.list_files(self.output)]
        return sorted(names)


@pytest.fixture(params=["local", "bucket"])
def place(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    if request.param == "local":
        yield Place(str(tmp_path / "run"), dict(os.environ))
        return
    monkeypatch.setattr(google_storage, "_FIRST_PAUSE_S", 0.02, raising=False)
    gcs = request.getfixturevalue("on_gcs")
    yield Place(f"{request.getfixturevalue('bucket')}/run", gcs.environment)


def _never(sentence: str) -> None:
    pytest.fail(sentence)


def test_the_second_run_says_whose_it_is_waits_and_ends_with_75(
    place: Place, start_run: Callable[..., Any]
) -> None:
    first = start_run(place.output, place.environment)
    assert first.says() == "holds"
    start = time.monotonic()
    second = start_run(place.output, place.environment, wait_s=1.5)
    told = rf"{place.output} is being written by another job \(process {first.process.pid} on .*"
    assert re.fullmatch(rf"\S+ \S+ WARNING {told}; waiting up to 1.5 s for it", second.says())
    assert re.fullmatch(told + r"goes on when that one has ended, .* 1.5 s", second.says())
    assert second.process.wait() == 75
    assert time.monotonic() - start > 1.5
    assert first.leave("leave") == 0
    assert place.files() == []


def test_the_second_run_goes_on_as_soon_as_the_first_has_left(
    place: Place, start_run: Callable[..., Any]
) -> None:
    first = start_run(place.output, place.environment)
    assert first.says() == "holds"
    second = start_run(place.output, place.environment)
    assert "waiting up to 20 s" in second.says()
    first.process.send_signal(signal.SIGTERM)
    assert second.says() == "holds"
    assert first.process.wait() == 75
    assert second.leave("leave") == 0


def test_a_run_killed_on_this_machine_is_followed_at_once(
    place: Place, start_run: Callable[..., Any]
) -> None:
    killed = start_run(place.output, place.environment)
    assert killed.says() == "holds"
    killed.kill()
    start = time.monotonic()
    with lock.lease(place.output, _never, stale_s=60):
        assert time.monotonic() - start < 5
    assert place.files() == []


def test_a_run_killed_on_another_machine_is_followed_within_15_s(
    place: Place, start_run: Callable[..., Any]
) -> None:
    killed = start_run(place.output, place.environment, machine="far away")
    assert killed.says() == "holds"
    killed.kill()
    start = time.monotonic()
    with lock.lease(place.output, _never):
        assert leases.STALE_S <= time.monotonic() - start < 15
    assert place.files() == []


def test_a_run_on_another_machine_that_lives_is_respected(
    place: Place, start_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where the kernels of two machines know nothing of each other's locks.
    monkeypatch.setattr(disk.fcntl, "flock", lambda *arguments: None)
    first = start_run(place.output, place.environment, machine="far away")
    assert first.says() == "holds"
    with pytest.raises(StoppedError, match=f"process {first.process.pid} on"):
        lock.lease(place.output, _never, wait_s=1).__enter__()
    assert first.leave("leave") == 0


def test_a_container_that_was_started_again_is_followed_at_once(
    tmp_path: pathlib.Path,
) -> None:
    """Its processes had other numbers, but the kernel is the same, and has dropped their lock."""
    me = Holder.of_this_process()
    boot = me.machine.split()[0]
    left = dataclasses.replace(me, machine=f"{boot} pid:[1]", nonce="1")
    storage.write_bytes(f"{tmp_path}/lease/holder", left.to_json())
    start = time.monotonic()
    with lock.lease(str(tmp_path), _never):
        assert time.monotonic() - start < 5


def test_a_file_system_without_locks_has_its_renewals(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*arguments: object) -> None:
        raise OSError(disk.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(disk.fcntl, "flock", none)
    with lock.lease(str(tmp_path), _never):
        with pytest.raises(StoppedError):
            lock.lease(str(tmp_path), _never, wait_s=0.1).__enter__()
        with pytest.raises(UsageError, match="No locks available"):
            lock.hold(str(tmp_path)).__enter__()


def test_a_run_that_was_silent_and_replaced_ends_with_75_before_it_deletes_anything(
    place: Place, start_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk.fcntl, "flock", lambda *arguments: None)
    silent = start_run(place.output, place.environment, machine="far away")
    assert silent.says() == "holds"
    storage.write_text(f"{place.output}/checkpoint", "of both")
    silent.process.send_signal(signal.SIGSTOP)
    try:
        silent.process.stdin.write("checkpoint\n")
        silent.process.stdin.flush()
        with lock.lease(place.output, _never, stale_s=1.0, beat_s=0.2):
            silent.process.send_signal(signal.SIGCONT)
            assert "was taken over by another job" in silent.says()
            assert silent.process.wait() == 75
            time.sleep(0.5)  # for a renewal
            assert "checkpoint" in place.files()
            assert "lease/holder" in place.files()
    finally:
        silent.process.send_signal(signal.SIGCONT)


def test_a_store_that_refuses_to_let_go_does_not_spoil_a_run_that_is_over(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("deletion is not allowed")

    with lock.lease(str(tmp_path), _never):
        monkeypatch.setattr(leases._Files, "delete_version", refuse)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(" WARNING deletion is not allowed")
