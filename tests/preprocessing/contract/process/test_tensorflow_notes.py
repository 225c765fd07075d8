# SPDX-License-Identifier: MIT
"""TensorFlow's notes about GPUs are dropped where there is none, and nothing else is."""

import ast
import ctypes
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from preprocessing.contract.process import tensorflow_notes

ROOT = pathlib.Path(__file__).parents[4]
NOTES = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795966263.234151    6826 port.cc:153] oneDNN custom operations are on.
I0000 00:00:1795966263.234547    6826 cudart_stub.cc:31] Could not find cuda drivers
I0000 00:00:1795966263.806886    6826 cpu_feature_guard.cc:227] This TensorFlow binary is
To enable the following instructions: AVX2 AVX512F, in other operations, rebuild TensorFlow.
E0000 00:00:1795966273.903816    6826 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA
"""
OTHERS = """\
E0000 00:00:1795966273.903816    6826 device_lib.cc:52] something that matters
F0000 00:00:1795966273.903816    6826 cpu_feature_guard.cc:37] compiled to use AVX instructions
Illegal instruction
"""
# A stand-in that writes what TensorFlow does, and what it might.
STUB = f"""
import os
from types import SimpleNamespace
os.write(2, {NOTES + OTHERS!r}.encode())
def list_physical_devices():
    os.write(2, b"listed\\n")
    os.environ.get("DIES") and os.abort()
config = SimpleNamespace(list_physical_devices=list_physical_devices)
sysconfig = SimpleNamespace(get_build_info=lambda: {{"is_cuda_build": "CPU" not in os.environ}})
"""
PROGRAM = """
import sys
from preprocessing.contract.process import streams, tensorflow_notes
streams.settle()
tensorflow_notes._DEVICES = (sys.argv[1],)
if sys.argv[2]:
    tensorflow_notes.show()
print("before", file=sys.stderr)
tensorflow_notes.load()
print("after", file=sys.stderr)
"""


@pytest.fixture
def stderr(tmp_path: pathlib.Path) -> Callable[..., str]:
    """Imports the stand-in in a new process; returns what it wrote to standard error."""
    if tensorflow_notes._gpu_is_near():
        pytest.skip("this machine has a driver of NVIDIA, whose notes are kept")
    (tmp_path / "tensorflow.py").write_text(STUB)

    def run(devices: str = "/nowhere", shown: str = "", code: int = 0, **environ: str) -> str:
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, devices, shown],
            env={**kept, "PYTHONPATH": path, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stderr

    return run


def test_notes_are_dropped_and_everything_else_passes_in_order(
    stderr: Callable[..., str],
) -> None:
    assert stderr() == f"before\n{OTHERS}listed\nafter\n"


def test_what_a_dying_process_writes_last_passes(stderr: Callable[..., str]) -> None:
    # The filter may be a moment behind a process that is gone, but holds its standard error open.
    assert stderr(DIES="1", code=-6).startswith(f"before\n{OTHERS}listed\n")


@pytest.mark.parametrize(
    "given", [{"devices": "/dev/null"}, {"shown": "1"}, {"TF_CPP_MIN_LOG_LEVEL": "0"}]
)
def test_notes_are_kept_where_a_gpu_is_near_or_wanted(
    stderr: Callable[..., str], given: dict[str, str]
) -> None:
    assert stderr(**given) == f"before\n{NOTES}{OTHERS}listed\nafter\n"


def test_a_driver_that_can_be_loaded_counts_as_near(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(tensorflow_notes, "_DEVICES", ())
    monkeypatch.setattr(ctypes, "CDLL", asked.append)
    assert tensorflow_notes._gpu_is_near() and asked == ["libcuda.so.1"]


def test_whatever_imports_tensorflow_late_does_so_by_its_loader() -> None:
    late = {}
    for path in [*(ROOT / "preprocessing").rglob("*.py"), *(ROOT / "trainer").rglob("*.py")]:
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and "import tensorflow as tf" in (
                body := ast.unparse(function)
            ):
                late[f"{path.stem}.{function.name}"] = "tensorflow_notes.load()" in body
    assert late.pop("tensorflow_notes.load") is False
    # It builds a part of the input pipeline, so that TensorFlow is there.
    assert late.pop("schema.parse") is False
    assert late and all(late.values()), late


@pytest.mark.slow
def test_the_real_tensorflow_says_nothing_on_a_machine_without_a_gpu(
    fresh_environment: dict[str, str],
) -> None:
    if tensorflow_notes._gpu_is_near():
        pytest.skip("this machine has a driver of NVIDIA, whose notes are kept")
    program = (
        "from preprocessing.contract.process import tensorflow_notes; tensorflow_notes.load(); "
        "import tensorflow as tf; print((tf.constant(1) + 1).numpy())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=fresh_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


@pytest.fixture
def fresh_environment() -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


def test_a_gpu_that_a_tensorflow_without_cuda_leaves_idle_is_named(
    stderr: Callable[..., str], tmp_path: pathlib.Path
) -> None:
    device = tmp_path / "nvidia0"
    assert "cannot use" not in stderr(str(device), CPU="1")
    device.touch()
    assert "cannot use: install configs/requirements/gpu.txt" in stderr(str(device), CPU="1")
    assert "cannot use" not in stderr(str(device))
