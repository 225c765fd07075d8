# SPDX-License-Identifier: MIT
"""The Job that makes a data set is executed here, with the volumes that it reads and writes."""

import pathlib
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cxr14_executed import Execution
from cxr14_pods import Machine
from cxr14_workers import STOPPED

from trainer.launch.description import job_file
from trainer.launch.kubernetes import render

pytestmark = [pytest.mark.slow, pytest.mark.distributed]
_PATIENCE = 300  # seconds to a moment, or to the end
_VOLUMES = [
    {"name": "raw", "mount": "/mnt/raw", "claim": "pictures", "read_only": True},
    {"name": "sets", "mount": "/mnt/sets", "nfs": "files.example.com:/sets"},
]


def rendered(path: pathlib.Path, flags: list[str]) -> dict[str, Any]:
    """Returns the Job that makes a data set in one volume from pictures in another."""
    args = [flag for flag in flags if not flag.startswith("--output=")]
    job = {
        "name": "chest",
        "image": "example.com/cxr14:1.0",
        "output": "/mnt/sets/run",
        "restarts": 0,  # a pod that is stopped must not count
        "args": {"data": "/mnt/sets/small"},
        "preprocess": {"args": args, "cpu": "2"},
        "kubernetes": {"volumes": _VOLUMES},
    }
    path.write_text(yaml.safe_dump(job))
    return render.render(job_file.load(str(path)), "preprocess")


def shards(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.tfrecord")}


def test_a_pod_that_is_stopped_is_replaced_and_makes_the_same_data_set(
    execute: Callable[..., Execution],
    machine: Machine,
    raw_tree: pathlib.Path,
    preprocess_flags: Callable[[str], list[str]],
    preprocessed: str,
    tmp_path: pathlib.Path,
) -> None:
    shutil.copytree(raw_tree, machine.volume("pictures"), dirs_exist_ok=True)
    made = machine.volume("sets", 10001) / "small"
    flags = [flag.replace(str(raw_tree), "/mnt/raw") for flag in preprocess_flags("")]
    execution = execute(rendered(tmp_path / "job.yaml", flags))
    execution.until(made.exists, _PATIENCE)
    execution.pod().signal(signal.SIGTERM)
    assert execution.finish(_PATIENCE).type == "Complete", execution.text()
    assert execution.codes == [STOPPED, 0], execution.text()
    expected = shards(pathlib.Path(preprocessed))
    assert len(expected) > 2 and shards(made) == expected
    assert {path.stat().st_uid for path in made.rglob("*")} == {10001}
