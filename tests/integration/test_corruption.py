# SPDX-License-Identifier: MIT
"""Two workers of which one remembers wrongly: both end, it is named, and the run goes on right."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_results import different, tensors
from cxr14_workers import Cluster, Job, newest_step

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

_PATIENCE, _LASTING = 300, 74
_SETTINGS: dict[str, Any] = {
    "train__epochs": 2,
    "train__checkpoint_every_steps": 3,
    "train__steps_per_call": 2,
    "runtime__formation_seconds": 60,
    "runtime__verify_every_steps": 4,
}


def test_a_flipped_weight_of_one_worker_ends_both_and_leaves_no_trace(
    cluster: Cluster, train_flags: Callable[..., list[str]], tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "flip"

    def job(name: str) -> Job:
        flags = ["--mode=train", *train_flags(str(tmp_path / name), **_SETTINGS)]
        return cluster.job([f"--flip={file}", *flags], workers=2, module="tests.cluster.flipping")

    whole = job("whole")
    whole.start()
    assert whole.wait(_PATIENCE) == [0, 0], whole.text()
    assert "silent corruption" not in whole.text()
    file.touch()
    flipped = job("run")
    flipped.start()
    assert flipped.wait(_PATIENCE) == [_LASTING, _LASTING], flipped.text()
    for worker in (0, 1):
        text = flipped.text(worker)
        assert re.search(r"silent corruption in step 8: \S+ is not in memory what", text), text
        assert re.search(r"on replica 1 \(worker 1 at 127.0.0.1:\d+\); a lasting fault", text), text
    # Verified because an epoch, with its checkpoint, ended there.
    assert newest_step(tmp_path / "run") == 8
    file.unlink()
    again = job("run")
    again.start()
    assert again.wait(_PATIENCE) == [0, 0], again.text()
    for folder in ("checkpoints", "checkpoints/best"):
        made, expected = (tensors(tmp_path / name, folder) for name in ("run", "whole"))
        assert len(expected) > 20
        assert not different(made, expected)
