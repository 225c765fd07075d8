# SPDX-License-Identifier: MIT
"""Runs in which something hangs: they end as documented, say where, and go on as if nothing had.

They take minutes, so they run only with `CXR14_LONG=1`: in every way, five times each. How long
each took to end is printed.
"""

import dataclasses
import os
import pathlib
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_results import different, tensors
from cxr14_workers import STOPPED, Cluster, Job, Place, newest_step

pytestmark = [
    *(pytest.mark.slow, pytest.mark.distributed),
    pytest.mark.skipif("CXR14_LONG" not in os.environ, reason="takes minutes: set CXR14_LONG=1"),
]
_FLOOR, _PATIENCE, _FULL = 10, 300, 74
_SETTINGS: dict[str, Any] = {
    "train__epochs": 12,
    "train__steps_per_call": 2,
    "train__checkpoint_every_steps": 4,
    "runtime__formation_seconds": 60,
    "runtime__stall_seconds": _FLOOR,
}
_ALONE = ("step", "input", "store", "disk")
# The barrier is the last, as the training is over by then.
_TOGETHER = ("step", "input", "stopped", "barrier")


@dataclasses.dataclass
class Stall:
    """One start of a run that did not come to its end.

    Attributes:
        what: hung.
        codes: exit codes.
        text: what the workers printed.
        late: seconds from the moment when it hung to the end of all.
        step: of the newest checkpoint.
    """

    what: str
    codes: list[int | None]
    text: str
    late: float
    step: int


@dataclasses.dataclass
class History:
    """Runs on one process and on two, and what came of them.

    Attributes:
        runs: number of processes -> folder of the run, finished after all stalls.
        whole: number of processes -> folder of an undisturbed run.
        stalls: number of processes -> what held it up.
    """

    runs: dict[int, pathlib.Path]
    whole: dict[int, pathlib.Path]
    stalls: dict[int, list[Stall]]


def _stall(
    job: Job, what: str, file: pathlib.Path, output: pathlib.Path, gcs: Callable[[], Any]
) -> Stall:
    file.write_text("")
    began = file.with_suffix(".began")
    began.unlink(missing_ok=True)
    job.start()
    if what == "store":
        past = newest_step(output)
        assert job.until(lambda: newest_step(output) > past, _PATIENCE), job.text()
        gcs().spoil("GET .*train-", "delay", argument=3600, times=10_000)
        delayed = lambda: [one for one in gcs().requests("GET .*train-") if one["fault"]]  # noqa: E731
        assert job.until(delayed, _PATIENCE), job.text()
        began.touch()
    if what == "stopped":
        past = newest_step(output)
        assert job.until(lambda: newest_step(output) > past, _PATIENCE), job.text()
        job.send(signal.SIGSTOP, 1)
        began.touch()
        job.wait(_PATIENCE, 0)
        job.send(signal.SIGCONT, 1)
    codes = job.wait(_PATIENCE)
    late = time.time() - began.stat().st_mtime if began.exists() else 0.0
    file.unlink()
    if what == "store":
        gcs().forget()
    print(f"{len(codes)} processes, {what}: {codes}, {late:.1f} s after it hung")
    return Stall(what, codes, job.text(tail=20_000), late, newest_step(output))


@pytest.fixture(scope="module", params=range(5))
def history(
    cluster: Cluster,
    train_flags: Callable[..., list[str]],
    request: pytest.FixtureRequest,
    preprocessed: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> History:
    folder = tmp_path_factory.mktemp("stalls")

    def gcs() -> Any:
        return request.getfixturevalue("gcs")

    def job(name: str, what: str, workers: int, **more: Any) -> Job:
        first = [f"--hang={what}:{folder / name}.hang", "--mode=train"]
        flags = [*first, *train_flags(str(folder / name), **_SETTINGS, **more)]
        if what == "store":
            data = f"{gcs().make_bucket()}/data"
            gcs().upload_tree(pathlib.Path(preprocessed), data)
            flags = [f"--data={data}" if one.startswith("--data=") else one for one in flags]
            places = [Place(gcs().changes)]
            at_store = Job(
                flags, folder=folder / "at_store", places=places, module="tests.cluster.stalling"
            )
            request.addfinalizer(at_store.stop)
            return at_store
        return cluster.job(flags, workers=workers, module="tests.cluster.stalling")

    found = History({}, {}, {1: [], 2: []})
    # Left alone: the two undisturbed runs, one beside the first stalls.
    for workers, ways in ((1, _ALONE), (2, _TOGETHER)):
        name = f"of{workers}"
        whole = job(f"whole{name}", "nothing", workers).start()
        found.whole[workers] = folder / f"whole{name}"
        for what in ways:
            ended = _stall(
                job(name, what, workers), what, folder / f"{name}.hang", folder / name, gcs
            )
            found.stalls[workers].append(ended)
        last = job(name, "nothing", workers).start()
        for one in (whole, last):
            assert one.wait(_PATIENCE) == [0] * workers, one.text()
        found.runs[workers] = folder / name
    return found


def test_all_end_with_the_code_that_goes_on(history: History) -> None:
    for workers, stalls in history.stalls.items():
        for one in stalls:
            code = _FULL if one.what == "disk" else STOPPED
            assert one.codes == [code] * workers, (one.what, one.text)


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("step", r"hangs in steps \(training steps, steps \d+ to \d+\)"),
        ("input", r"hangs in input \(waiting for batches, steps \d+ to \d+, of .*/data\b"),
        ("barrier", r"hangs in checkpoint \(copying what is saved, and .*, after step \d+"),
    ],
)
def test_it_is_said_where_and_shown_by_the_stacks(history: History, what: str, where: str) -> None:
    found = [one for stalls in history.stalls.values() for one in stalls if one.what == what]
    assert found
    for one in found:
        assert re.search(where, one.text), one.text
        assert "stalling.py" in one.text and " in hang" in one.text


def test_of_two_the_one_that_hangs_is_named_by_both(history: History) -> None:
    for one in history.stalls[2]:
        # The other one learns it from TensorFlow or by the heartbeats, whichever is the sooner.
        learned = (
            r"(lost a peer \(|hangs in peers \(no sign of life from )worker 1 at 127.0.0.1:\d+"
        )
        assert re.search(learned, one.text), one.text
        if one.what != "stopped":
            assert re.search(r"worker 1 at 127.0.0.1:\d+ hangs in ", one.text), one.text
        assert not re.search(r"worker 0 at \S+ hangs in (?!peers)", one.text), one.text


def test_each_is_found_in_time(history: History) -> None:
    for stalls in history.stalls.values():
        for one in stalls:
            most = re.search(r"of at most (\d+) s", one.text)
            if one.what != "disk":
                assert one.late < (float(most[1]) if most else 0) + 15, (one.what, one.text)


def test_the_weights_are_those_of_an_undisturbed_run(history: History) -> None:
    for workers, output in history.runs.items():
        assert max(one.step for one in history.stalls[workers]) > 0
        for folder in ("checkpoints", "checkpoints/best"):
            made, expected = tensors(output, folder), tensors(history.whole[workers], folder)
            assert len(expected) > 20
            assert newest_step(output, folder) == newest_step(history.whole[workers], folder)
            assert not different(made, expected)


def test_a_run_that_becomes_ten_times_slower_is_left_alone(
    cluster: Cluster, train_flags: Callable[..., list[str]], tmp_path: pathlib.Path
) -> None:
    file, output = tmp_path / "slow", tmp_path / "run"
    file.write_text("0.3")
    settings = {**_SETTINGS, "train__epochs": 4, "runtime__stall_seconds": 2}
    flags = [f"--hang=slow:{file}", "--mode=train", *train_flags(str(output), **settings)]
    job = cluster.job(flags, module="tests.cluster.stalling")
    job.start()
    assert job.until(lambda: newest_step(output) > 8, _PATIENCE), job.text()
    (tmp_path / "slower").write_text("3.0")
    (tmp_path / "slower").replace(file)
    assert job.wait(_PATIENCE) == [0], job.text()
