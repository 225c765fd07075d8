# SPDX-License-Identifier: MIT
"""A pod that serves the model gets a whole one in a numbered folder, or says what is wrong."""

import pathlib
import subprocess
import sys

import pytest

from preprocessing.contract.files import storage
from trainer.serving import fetch

FILES = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "assets.extra/export.json": b"{1}",
}
ROOT = pathlib.Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs it as the pod does, and fails if it imports TensorFlow, for which a pod would wait."""
    program = (
        "import runpy, sys; sys.modules['tensorflow'] = None; "
        "runpy.run_module('trainer.serving.fetch', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_model_lies_in_a_numbered_folder(tmp_path: pathlib.Path) -> None:
    for name, data in FILES.items():
        storage.write_bytes(f"{tmp_path}/run/saved_model/{name}", data)
    source, target = f"{tmp_path}/run/saved_model", f"{tmp_path}/models/cxr14/1"
    for _ in range(2):  # a container that is started again finds it
        done = run(source, target)
        assert (done.returncode, done.stdout) == (0, f"SavedModel: {target}\n"), done.stderr
    assert all(storage.read_bytes(f"{target}/{name}") == data for name, data in FILES.items())


def test_an_export_that_is_not_whole_is_refused(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.write_bytes(f"{tmp_path}/saved_model/saved_model.pb", b"graph")
    assert fetch.main(["fetch", f"{tmp_path}/saved_model", f"{tmp_path}/models/1"]) == 65
    assert "holds no SavedModel that is whole" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_a_command_line_that_cannot_be_meant_is_refused() -> None:
    assert run("gs:/bucket/run/saved_model", "/models/cxr14/1").returncode == 64
    assert run("gs://bucket/run/saved_model").returncode == 64
