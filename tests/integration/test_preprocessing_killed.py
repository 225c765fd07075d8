# SPDX-License-Identifier: MIT
"""A preprocessing job killed at random moments ends with the bytes of an undisturbed one.

`CXR14_KILLS=20 python -m pytest tests/integration/test_preprocessing_killed.py` kills more often.
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from preprocessing import phantom, verify
from preprocessing.contract.files import storage

_KILLS, _SEED = int(os.environ.get("CXR14_KILLS", "4")), 11


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A phantom whose pictures lie half loose, half in an archive, so that both ways are killed."""
    folder = tmp_path_factory.mktemp("killed") / "phantom"
    phantom.write(str(folder), images=160, seed=4, size_px=256, prevalence="raised", processes=1)
    images = folder / "images_001" / "images"
    names = sorted(images.iterdir())[80:]
    with tarfile.open(folder / "images_002.tar.gz", "w:gz") as archive:
        for path in names:
            archive.add(path, f"images/{path.name}")
            path.unlink()
    return folder


def _start(
    tree: pathlib.Path, output: pathlib.Path, root: pathlib.Path, workers: int
) -> "subprocess.Popen[bytes]":
    """Starts the job in a session of its own, with worker processes or without any."""
    spread = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    command = [
        *(sys.executable, "-m", "preprocessing.task", f"--images={tree}"),
        f"--labels={tree / 'Data_Entry_2017_v2020.csv'}",
        f"--train_val_list={tree / 'train_val_list.txt'}",
        f"--test_list={tree / 'test_list.txt'}",
        f"--output={output}",
        *("--config.stored_size=64", "--config.examples_per_shard=8"),
        *(spread if workers else ["--direct_running_mode=in_memory"]),
    ]
    with (output.parent / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=root, stdout=log, stderr=log, start_new_session=True)


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
@pytest.mark.distributed
def test_any_moment_may_be_the_last_one(
    tree: pathlib.Path, tmp_path: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    root = pytestconfig.rootpath
    duration = {}
    for workers in (2, 0):
        begin = time.monotonic()
        assert _start(tree, tmp_path / f"whole-{workers}", root, workers).wait() == 0
        duration[workers] = time.monotonic() - begin
    whole = _content(tmp_path / "whole-0")
    assert _content(tmp_path / "whole-2") == whole
    moments = random.Random(_SEED)
    kills = finished = 0
    while kills < _KILLS:
        workers = 2 if kills % 4 < 2 else 0
        job = _start(tree, tmp_path / "out", root, workers)
        try:
            code = job.wait(timeout=moments.uniform(0.3, 1.0) * duration[workers])
        except subprocess.TimeoutExpired:
            # In turn the whole group, as when a machine dies, and the main process alone.
            os.killpg(job.pid, signal.SIGKILL) if kills % 2 else job.kill()
            assert job.wait() == -signal.SIGKILL
            kills += 1
            continue
        assert code == 0, (tmp_path / "log.txt").read_text()[-2000:]
        assert _content(tmp_path / "out") == whole
        finished += 1
        (tmp_path / "out").rename(tmp_path / f"finished-{finished}")
    assert _start(tree, tmp_path / "out", root, 0).wait() == 0
    assert _content(tmp_path / "out") == whole
    assert not any(storage.is_temporary(name) for name in whole)
    assert verify.verify(str(tmp_path / "out")).problems == ()
