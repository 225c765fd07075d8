# SPDX-License-Identifier: MIT
"""Of two jobs on one local folder one is refused, and a dead one stands in nobody's way."""

import contextlib
import itertools
import os
import pathlib
import re
import resource
import socket
import threading
from collections.abc import Callable

import pytest

from preprocessing.contract import lock
from preprocessing.contract.errors import ResourceError, UsageError
from preprocessing.contract.files import storage


def test_the_second_job_is_refused_and_told_who_holds_the_first(
    tmp_path: pathlib.Path, start_job: Callable
) -> None:
    first = start_job(str(tmp_path / "out"))
    assert first.says() == "holds"
    second = start_job(str(tmp_path / "out"))
    sentence = second.says()
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path))}/out is being written by another job "
        rf"\(process {first.process.pid} on {re.escape(socket.gethostname())}, "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\): .*",
        sentence,
    )
    assert second.leave() == 64
    assert first.leave() == 0


def test_the_lock_leaves_nothing_behind(tmp_path: pathlib.Path) -> None:
    with lock.hold(str(tmp_path / "out")):
        assert storage.list_files(str(tmp_path)) == [f"{tmp_path}/out/_progress/lock"]
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ZeroDivisionError), lock.hold(str(tmp_path / "out")):
        raise ZeroDivisionError
    assert list((tmp_path / "out").iterdir()) == []


def test_leaving_keeps_what_else_lies_beside_the_lock(tmp_path: pathlib.Path) -> None:
    with lock.hold(str(tmp_path)):
        (tmp_path / "_progress" / "note").touch()
    assert storage.list_files(str(tmp_path)) == [f"{tmp_path}/_progress/note"]


def test_a_killed_job_does_not_block_the_next(tmp_path: pathlib.Path, start_job: Callable) -> None:
    killed = start_job(str(tmp_path))
    assert killed.says() == "holds"
    killed.kill()
    assert (tmp_path / "_progress" / "lock").exists()
    following = start_job(str(tmp_path))
    assert following.says() == "holds"
    with pytest.raises(UsageError, match=f"process {following.process.pid} "):
        lock.hold(str(tmp_path)).__enter__()
    assert following.leave() == 0
    with lock.hold(str(tmp_path)):
        pass


def test_a_job_that_holds_the_lock_is_refused_a_second_time(tmp_path: pathlib.Path) -> None:
    # Its descriptors must not pile up either.
    with lock.hold(str(tmp_path)):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(UsageError, match=f"process {os.getpid()} "):
                lock.hold(str(tmp_path)).__enter__()
        assert len(os.listdir("/proc/self/fd")) == before


def test_folders_have_locks_of_their_own(tmp_path: pathlib.Path) -> None:
    with lock.hold(str(tmp_path / "a")), lock.hold(str(tmp_path / "b")):
        assert len(storage.list_files(str(tmp_path))) == 2


def test_of_many_that_come_and_go_only_one_is_ever_inside(tmp_path: pathlib.Path) -> None:
    """A file that is removed must not let in both who waits for it and who makes it anew."""
    inside, most, entries = [], [], itertools.count()

    def come_and_go() -> None:
        while next(entries) < 400:
            with contextlib.suppress(UsageError), lock.hold(str(tmp_path)):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) > 10
    assert list(tmp_path.iterdir()) == []


def test_a_lock_not_yet_written_is_refused_all_the_same(tmp_path: pathlib.Path) -> None:
    with lock.hold(str(tmp_path)):
        (tmp_path / "_progress" / "lock").write_bytes(b"{half")
        with pytest.raises(UsageError, match="it has not yet said which"):
            lock.hold(str(tmp_path)).__enter__()


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--output=.*/file cannot be written: (Not a|File ex)"):
        lock.hold(str(tmp_path / "file")).__enter__()
    with pytest.raises(UsageError, match="--output=/proc/none cannot be written"):
        lock.hold("/proc/none").__enter__()


def test_a_full_disk_is_not_the_users_mistake(tmp_path: pathlib.Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(ResourceError, match=rf"^{tmp_path} cannot be written \(File too large"):
            lock.hold(str(tmp_path)).__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with lock.hold(str(tmp_path)):  # nothing of it was left
        pass
