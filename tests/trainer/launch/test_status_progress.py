# SPDX-License-Identifier: MIT
"""The status of a job shows how far its run says it is, by the folder that the job writes to."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.files import storage
from trainer.launch import platform, verbs
from trainer.monitoring.eta import Plan
from trainer.monitoring.outlook import Outlook


class OneJob:
    """A platform with one job."""

    def __init__(self, stage: str, output: str) -> None:
        self.job = platform.Status("quick", stage, platform.RUNNING, "there/quick", output=output)

    def status(self, name: str, stage: str) -> platform.Status:
        return self.job


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[[str, str], list[str]]:
    def show(stage: str, output: str) -> list[str]:
        verbs.status(OneJob(stage, output), "quick", stage, follow=False)  # type: ignore[arg-type]
        return [line for line in capsys.readouterr().out.splitlines() if "progress" in line]

    return show


def test_a_run_in_a_bucket_is_read_there(bucket: str, shown: Any) -> None:
    output = f"{bucket}/run"
    assert shown("train", output) == [
        f"progress: not known, as there is no {output}/progress.json (yet)"
    ]
    outlook = Outlook(Plan(steps=100, per_epoch=10), output, "all")
    with outlook.written(lambda: None):
        outlook.begin(30, 0.71)
    assert storage.exists(f"{output}/progress.json")
    said = "progress: done, step 30 of 100, epoch 4 of 10, best validation mean AUC "
    [line] = shown("train", output)
    assert line.startswith(f"{said}0.7100; written ")


def test_other_stages_and_folders_that_only_pods_see_are_not_looked_at(
    bucket: str, shown: Any
) -> None:
    assert shown("preprocess", f"{bucket}/shards") == shown("train", "/mnt/runs/1") == []
