# SPDX-License-Identifier: MIT
"""Of two jobs on one bucket one is refused, and a dead one stands in nobody's way for long."""

import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract import lock
from preprocessing.contract.errors import StoppedError, UsageError
from preprocessing.contract.files import patience, storage
from preprocessing.contract.lock.holder import Holder

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)


def _elsewhere(gcs: Any, bucket: str) -> Holder:
    """Leaves the lock of a job that runs, or ran, on another machine."""
    holder = dataclasses.replace(
        Holder.of_this_process(), host="far-away", machine="another", nonce="1"
    )
    gcs.write(f"{bucket}/_progress/lock", holder.to_json())
    return holder


def test_the_second_job_is_refused_and_told_who_holds_the_first(
    on_gcs: Any, bucket: str, start_job: Callable
) -> None:
    first = start_job(bucket, on_gcs.environment)
    assert first.says() == "holds"
    with pytest.raises(UsageError, match=rf"{bucket} .*\(process {first.process.pid} on "):
        lock.hold(bucket).__enter__()
    assert on_gcs.names(bucket) == ["_progress/lock"]
    assert first.leave() == 0
    assert on_gcs.names(bucket) == []


def test_a_job_that_was_killed_on_this_machine_is_followed_at_once(
    on_gcs: Any, bucket: str, start_job: Callable
) -> None:
    killed = start_job(bucket, on_gcs.environment)
    assert killed.says() == "holds"
    killed.kill()
    assert on_gcs.names(bucket) == ["_progress/lock"]
    with lock.hold(bucket, stale_s=1e9):
        assert Holder.from_json(on_gcs.read(f"{bucket}/_progress/lock")).pid == os.getpid()
    assert on_gcs.names(bucket) == []


def test_a_job_elsewhere_that_renews_its_lock_is_respected(on_gcs: Any, bucket: str) -> None:
    holder = _elsewhere(on_gcs, bucket)
    stop = threading.Event()

    def renew() -> None:
        beats = 0
        while not stop.wait(0.05):
            beats += 1
            renewed = dataclasses.replace(holder, beats=beats)
            on_gcs.write(f"{bucket}/_progress/lock", renewed.to_json())

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(UsageError, match=r"\(process \d+ on far-away, since "):
            lock.hold(bucket, beat_s=1, stale_s=1e9).__enter__()
    finally:
        stop.set()
        thread.join()


def test_a_job_elsewhere_that_went_silent_is_replaced(
    on_gcs: Any, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _elsewhere(on_gcs, bucket)
    with lock.hold(bucket, beat_s=0.1, stale_s=0.5):
        assert on_gcs.names(bucket) == ["_progress/lock"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "was last written by a job on far-away: finding out whether" in lines[0]


def test_a_lock_that_cannot_be_read_is_replaced_too(on_gcs: Any, bucket: str) -> None:
    on_gcs.write(f"{bucket}/_progress/lock", b"{half")
    with lock.hold(bucket, beat_s=0.1, stale_s=0.3):
        pass
    assert on_gcs.names(bucket) == []


def test_of_two_that_come_after_a_dead_job_one_goes_on(
    on_gcs: Any, bucket: str, start_job: Callable
) -> None:
    _elsewhere(on_gcs, bucket)
    jobs = [start_job(bucket, on_gcs.environment) for _ in range(2)]
    said = sorted(job.says() for job in jobs)
    assert said[1] == "holds"
    assert "is being written by another job" in said[0]


def test_the_lock_is_renewed_while_the_job_runs(on_gcs: Any, bucket: str) -> None:
    with lock.hold(bucket, beat_s=0.02):
        seen = set()
        while len(seen) < 4:
            seen |= {on_gcs.generations(bucket)["_progress/lock"]}
    assert on_gcs.names(bucket) == []


@pytest.mark.parametrize("fault", ["status", "lose", "reset"])
def test_faults_on_the_way_neither_lose_nor_leave_the_lock(
    on_gcs: Any, bucket: str, fault: str
) -> None:
    on_gcs.spoil("upload", fault, argument=503, times=5)
    with lock.hold(bucket, beat_s=0.02):
        while on_gcs.unused_faults():
            time.sleep(0.01)
        on_gcs.spoil("upload", fault, argument=503, times=3)
        while on_gcs.unused_faults():
            time.sleep(0.01)
        on_gcs.spoil("DELETE", fault, argument=503, times=2)
    assert on_gcs.unused_faults() == []
    assert on_gcs.names(bucket) == []


def test_a_job_that_lost_its_lock_stops_in_the_middle(on_gcs: Any, bucket: str) -> None:
    taken_over = pytest.raises(StoppedError, match=f"{bucket} was taken over by another job")
    with taken_over, lock.hold(bucket, beat_s=0.02):
        _elsewhere(on_gcs, bucket)
        threading.Event().wait(60)
        pytest.fail("nobody interrupted")
    # The lock of the other job stays.
    assert Holder.from_json(on_gcs.read(f"{bucket}/_progress/lock")).host == "far-away"


def test_an_interruption_by_the_user_stays_one(on_gcs: Any, bucket: str) -> None:
    # A shell starts what runs in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), lock.hold(bucket):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert on_gcs.names(bucket) == []


def test_beside_the_lock_everything_stays(on_gcs: Any, bucket: str) -> None:
    with lock.hold(f"{bucket}/a/b"):
        storage.write_text(f"{bucket}/a/b/_progress/note", "")
    assert on_gcs.names(bucket) == ["a/b/_progress/note"]


def test_a_bucket_that_does_not_exist_is_one_sentence(on_gcs: Any) -> None:
    with pytest.raises(UsageError, match="there is no bucket cxr14-nowhere"):
        lock.hold("gs://cxr14-nowhere/x").__enter__()
