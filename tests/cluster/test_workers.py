# SPDX-License-Identifier: MIT
"""The harness itself: it tells what happened to processes, and leaves none behind."""

import json
import os
import pathlib
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from cxr14_workers import Job, Ports, litter, newest_step, on_loopback


@pytest.fixture
def job(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    """Two workers of a module that does what its flags say, and has a child of its own."""
    module = tmp_path / "talk.py"
    module.write_text(
        "import os, subprocess, sys, time\n"
        "print(os.environ['TF_CONFIG'], flush=True)\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(float(sys.argv[1]))\n"
        "child.kill()\n"
        "sys.exit(int(sys.argv[2]))\n"
    )
    monkeypatch.setattr("cxr14_workers.ROOT", tmp_path)
    monkeypatch.setenv("JOBSET_NAME", "of-somebody-else")
    ports = Ports(2)
    made = Job(
        [["0", "3"], ["60", "0"]],
        folder=tmp_path / "logs",
        places=on_loopback(ports.numbers),
        module="talk",
    )
    yield made
    made.stop()
    ports.release()


def _child(job: Job, worker: int) -> psutil.Process:
    deadline = time.monotonic() + 20
    while "child" not in job.text(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    return psutil.Process(int(job.text(worker).split("child")[1].split()[0]))


def test_each_worker_learns_of_all_and_its_end_is_told(job: Job) -> None:
    job.start()
    assert job.until(lambda: False, 20) is False  # the first one ends at once
    assert job.alive == [1]
    assert job.codes == [3, None]
    config = json.loads(job.text(0).splitlines()[1])
    assert len(set(config["cluster"]["worker"])) == 2
    assert config["task"] == {"type": "worker", "index": 0}
    assert job.send(signal.SIGTERM) == [1]
    assert job.wait(20) == [3, -signal.SIGTERM]
    assert job.workers[0].began < job.workers[0].ended < job.workers[1].ended


def test_who_outstays_the_time_is_killed_with_its_children(job: Job) -> None:
    job.start()
    assert job.until(lambda: False, 20) is False  # the first one ends by itself
    child = _child(job, 1)
    with pytest.raises(AssertionError, match=r"workers \[1\] still ran after 0.1 s") as told:
        job.wait(0.1)
    assert "talk.py" in str(told.value)  # where it hung
    assert job.alive == []
    child.wait(20)
    assert job.start().starts == 2


def test_ports_are_not_given_twice() -> None:
    one, other = Ports(3), Ports(3)
    try:
        assert len({*one.numbers, *other.numbers}) == 6
    finally:
        one.release()
        other.release()


def test_the_newest_checkpoint_and_what_does_not_belong_are_found(tmp_path: pathlib.Path) -> None:
    assert newest_step(tmp_path) == 0
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (
        "ckpt-8.index",
        "ckpt-10.index",
        "ckpt-12.data-00000-of-00001",
        "ckpt-9.tempstate",
    ):
        (folder / name).write_bytes(b"")
    assert newest_step(tmp_path) == 10
    assert litter(tmp_path) == ["checkpoints/ckpt-9.tempstate"]
    assert os.listdir(folder)
