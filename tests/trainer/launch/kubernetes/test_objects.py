# SPDX-License-Identifier: MIT
"""The objects of one job have names and labels of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import ConfigError
from trainer.launch import task
from trainer.launch.description import job_file as reader
from trainer.launch.kubernetes import render

PREPROCESS: dict[str, Any] = {
    "args": {
        "images": "gs://my-bucket/images",
        "labels": "gs://my-bucket/labels.csv",
        "train_val_list": "gs://my-bucket/train_val.txt",
        "test_list": "gs://my-bucket/test.txt",
    },
    "image": "registry.example.com/preprocess:1.0",
    "machine_type": "n2-standard-16",
    "cpu": "15500m",
    "memory": "40Gi",
    "disk_gb": 99,
}


def rendered(path: str, stage: str) -> dict[str, Any]:
    return render.render(reader.load(path), stage)


def test_stages_of_one_job_have_names_and_labels_of_their_own(job_file: Callable[..., str]) -> None:
    path = job_file(preprocess=PREPROCESS, serve={})
    found = [rendered(path, stage) for stage in ("train", "preprocess", "serve")]
    metadata = [one.get("items", [one])[0]["metadata"] for one in found]
    assert [one["name"] for one in metadata] == [
        "quick-run",
        "quick-run-preprocess",
        "quick-run-serve",
    ]
    assert [one["labels"]["cxr14-stage"] for one in metadata] == ["train", "preprocess", "serve"]
    outputs = [one["labels"]["cxr14-output"] for one in metadata]
    assert outputs[0] == outputs[2] != outputs[1]


@pytest.mark.parametrize("stage", ["preprocess", "serve"])
def test_a_stage_that_is_not_described_is_missing(
    job_file: Callable[..., str], stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["cxr14-launch", "kubernetes", f"--job={job_file()}", f"--stage={stage}", "--dry_run"]
    assert task.run(argv) == 78
    assert f": {stage} is missing: the section says" in capsys.readouterr().err


def test_a_name_too_long_for_a_stage_is_refused(job_file: Callable[..., str]) -> None:
    path = job_file(name="a" * 53, preprocess=PREPROCESS)
    assert rendered(path, "train")["metadata"]["name"] == "a" * 53
    with pytest.raises(ConfigError, match="^name is .* would have 64 characters"):
        rendered(path, "preprocess")
