# SPDX-License-Identifier: MIT
"""SIGTERM and Ctrl-C end every command with 75 from its first moments on, and it goes on later.

`CXR14_LONG=1` stops each command at all moments, and compares what the restart yields.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from cxr14_results import different, tensors

ROOT = pathlib.Path(__file__).parents[2]
STOPPED, GRACE = 75, 15
LONG = bool(os.environ.get("CXR14_LONG"))
_MOMENTS = (0.5, 1.0, 3.0, 10.0) if LONG else (1.0,)
_HOW = ("SIGTERM", "SIGINT", "as process 1") if LONG else ("SIGINT", "as process 1")
_PHANTOM = ("--images=300", "--seed=2")

# Prints which modules that take time are there when the first handler is installed.
_FIRST_HANDLER = """
import runpy, signal, sys
install = signal.signal
def first(number, handler):
    print(sorted({"numpy", "yaml", "absl", "google.protobuf", "cv2"} & set(sys.modules)))
    signal.signal = install
    return install(number, handler)
signal.signal = first
sys.argv = ["command", "--help"]
runpy.run_module(MODULE, run_name="__main__")
"""


@dataclasses.dataclass(frozen=True)
class Command:
    """A command line, in a session of its own, with Ctrl-C heard as at a terminal."""

    module: str
    flags: list[str]
    log: pathlib.Path

    def start(self, *prefix: str) -> "subprocess.Popen[bytes]":
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", self.module, *self.flags],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
                start_new_session=True,
            )

    def stop(self, after: float, how: str) -> tuple[int, float, str]:
        """Stops it; returns exit code, seconds to the end, and what it said last."""
        if how == "as process 1":
            process = self.start("unshare", "--pid", "--fork", "--mount-proc")
        else:
            process = self.start()
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):
            if how == "as process 1":
                first = psutil.Process(process.pid).children()[0]
                _wait_for_python(first.pid)
                first.terminate()
            elif how == "SIGINT":
                os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all
            else:
                process.terminate()
        began = time.monotonic()
        try:
            code = process.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return code, time.monotonic() - began, self.log.read_text()


def _wait_for_python(pid: int) -> None:
    """Waits for the first handler: before it the system drops what process 1 is sent."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        caught = re.search(r"SigCgt:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)


@pytest.fixture(scope="module")
def process_1() -> Callable[[str], None]:
    """Skips where a process cannot be made process 1."""
    able = (
        shutil.which("unshare")
        and not subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True
        ).returncode
    )

    def check(how: str) -> None:
        if how == "as process 1" and not able:
            pytest.skip("no process can be made process 1 here: it takes root")

    return check


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _check(command: Command, after: float, how: str) -> bool:
    """Stops a command and looks at its end; returns whether it was stopped before it was done."""
    before = {process.pid for process in psutil.process_iter()}
    code, seconds, said = command.stop(after, how)
    if code == 0:
        return False
    print(f"{command.module} {how} after {after} s: {code} in {seconds:.1f} s")
    assert seconds < GRACE
    assert "Traceback" not in said
    if after < 1 and code in (-signal.SIGTERM, -signal.SIGINT):
        assert not said  # not yet Python: the system ends a process that has no handler
    else:
        assert code == STOPPED, said
        assert "the same command goes on" in said or "stopped and saved at step" in said
    mine = str(command.flags)
    # By `info`, which asks no questions of processes that have just ended.
    left = [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in before and mine in str(process.info["cmdline"])
    ]
    assert not psutil.wait_procs(left, timeout=5)[1]
    return True


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, train_flags: Callable[..., list[str]]
) -> Callable[[str], pathlib.Path]:
    """Returns the output of a command that nobody stops, which runs once."""
    folder = tmp_path_factory.mktemp("whole")
    flags = {
        "phantom": ["phantom", *_PHANTOM, f"--output={folder / 'phantom'}"],
        "training": ["--mode=train", *train_flags(str(folder / "training"), train__epochs=2)],
    }

    @functools.cache
    def run(name: str) -> pathlib.Path:
        module = {"phantom": "preprocessing.task", "training": "trainer.task"}[name]
        command = Command(module, flags[name], folder / f"{name}.log")
        assert command.start().wait() == 0, command.log.read_text()
        return folder / name

    return run


@pytest.mark.parametrize("module", ["trainer.task", "preprocessing.task"])
def test_signals_are_heard_before_anything_that_takes_time_is_imported(module: str) -> None:
    program = _FIRST_HANDLER.replace("MODULE", repr(module))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[]\n"), done.stdout[:200]


@pytest.mark.slow
@pytest.mark.parametrize("how", _HOW)
@pytest.mark.parametrize("after", _MOMENTS)
def test_a_phantom_that_is_stopped_is_the_same_after_the_next_start(
    after: float,
    how: str,
    tmp_path: pathlib.Path,
    process_1: Callable[[str], None],
    whole: Callable[[str], pathlib.Path],
) -> None:
    process_1(how)
    flags = ["phantom", *_PHANTOM, f"--output={tmp_path / 'phantom'}"]
    command = Command("preprocessing.task", flags, tmp_path / "log")
    assert _check(command, after, how) or after > 5
    if LONG:
        assert command.start().wait() == 0, command.log.read_text()
        assert _content(tmp_path / "phantom") == _content(whole("phantom"))


@pytest.mark.slow
@pytest.mark.parametrize("how", _HOW)
@pytest.mark.parametrize("after", _MOMENTS)
def test_preprocessing_that_is_stopped_goes_on(
    after: float,
    how: str,
    tmp_path: pathlib.Path,
    preprocess_flags: Callable[[str], list[str]],
    preprocessed: str,
    process_1: Callable[[str], None],
) -> None:
    process_1(how)
    flags = preprocess_flags(str(tmp_path / "data"))
    flags += ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    command = Command("preprocessing.task", flags, tmp_path / "log")
    _check(command, after, how)
    if LONG:
        assert command.start().wait() == 0, command.log.read_text()
        assert _content(tmp_path / "data") == _content(pathlib.Path(preprocessed))


@pytest.mark.slow
@pytest.mark.parametrize("how", _HOW)
@pytest.mark.parametrize("after", _MOMENTS)
def test_training_that_is_stopped_goes_on(
    after: float,
    how: str,
    tmp_path: pathlib.Path,
    train_flags: Callable[..., list[str]],
    process_1: Callable[[str], None],
    whole: Callable[[str], pathlib.Path],
) -> None:
    process_1(how)
    flags = ["--mode=train", *train_flags(str(tmp_path / "run"), train__epochs=2)]
    command = Command("trainer.task", flags, tmp_path / "log")
    assert _check(command, after, how)
    if LONG:
        assert command.start().wait() == 0, command.log.read_text()
        assert not different(tensors(tmp_path / "run"), tensors(whole("training")))
