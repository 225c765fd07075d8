# SPDX-License-Identifier: MIT
"""Arguments that cannot work in their job are refused before it waits for machines."""

from collections.abc import Callable
from typing import Any

import pytest

from trainer import flags
from trainer.launch import task
from trainer.launch.description import argument_checks

DATA = {"data": "gs://bkt/d"}
ONE = {"type": "NVIDIA_L4", "count": 1}
EIGHT = {"type": "NVIDIA_L4", "count": 8}
MANY = {"accelerator": EIGHT, "machine_type": "g2-standard-96"}
TPU = {
    "accelerator": {"type": "TPU_V5E", "count": 8, "topology": "2x4"},
    "machine_type": "ct5lp-hightpu-8t",
}
LOCAL = {"config.runtime.tpu": "local"}
CPU = {"accelerator": ..., "machine_type": "n2-standard-8"}


def strategy(name: str, **more: Any) -> dict[str, Any]:
    return {**DATA, "config.runtime.strategy": name, **more}


BAD = {
    "several replicas on one device": (
        {"replicas": 4, "args": strategy("one_device")},
        "replicas is 4",
    ),
    "several replicas mirrored": ({"replicas": 2, "args": strategy("mirrored")}, "replicas is 2"),
    "eight GPUs, one device": ({**MANY, "args": strategy("one_device")}, "count is 8"),
    "workers alone": ({"args": strategy("multi_worker")}, "replicas is 1"),
    "mirrored without GPUs": ({**CPU, "args": strategy("mirrored")}, "accelerator is missing"),
    "GPU wanted and none had": (
        {**CPU, "args": {**DATA, "config.runtime.accelerator": "gpu"}},
        "accelerator is missing",
    ),
    "TPU": ({"args": strategy("tpu")}, "describes no TPU"),
    "TPU by name": ({"args": {**DATA, "config.runtime.tpu": "local"}}, "describes no TPU"),
    "TPU that nobody uses": ({**TPU, "args": strategy("mirrored")}, "strategy=mirrored trains"),
    "TPU without its name": ({**TPU, "args": strategy("tpu")}, "set config.runtime.tpu to local"),
    "TPU slice of two hosts": (
        {**TPU, "args": strategy("auto", **LOCAL), "replicas": 2},
        "slices of several hosts",
    ),
    "TPU and a GPU wanted": (
        {**TPU, "args": strategy("tpu", **LOCAL, **{"config.runtime.accelerator": "gpu"})},
        "refuses to train without a GPU",
    ),
    "batch that does not divide over chips": (
        {**TPU, "args": strategy("tpu", **LOCAL, **{"config.data.global_batch_size": 60})},
        "does not divide over 8 replicas",
    ),
    "report by several": ({"replicas": 2, "args": {**DATA, "mode": "report"}}, "replicas is 2"),
    "help": ({"args": {**DATA, "help": True}}, "holds --help"),
    "list": ({"args": {**DATA, "list_presets": True}}, "holds --list_presets"),
    "dry run": ({"args": {**DATA, "mode": "dry_run"}}, "dry_run, which trains nothing"),
    "flags of this machine": ({"args": [f"--flagfile={__file__}"]}, "holds --flagfile"),
    "cache on the image": ({"args": {**DATA, "config.data.cache": "/data"}}, "below /tmp only"),
    "cache in a bucket": ({"args": {**DATA, "config.data.cache": "gs://bkt/c"}}, "below /tmp"),
    "batch of no whole share": (
        {"args": {**DATA, "config.data.global_batch_size": 63}, "replicas": 2},
        "does not divide over 4 replicas",
    ),
    "XLA on several": ({"args": {**DATA, "config.runtime.xla": True}}, "runtime.xla works on one"),
    "a second value": ({"args": ["--data=gs://bkt/d", "--data=gs://bkt/e"]}, "give it once"),
    "value out of range": ({"args": {**DATA, "config.train.epochs": 0}}, "train.epochs is 0"),
}


def refused(path: str, capsys: pytest.CaptureFixture[str], platform: str = "vertex") -> str:
    assert task.run(["cxr14-launch", platform, f"--job={path}", "--dry_run"]) == 78
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    return shown.err


@pytest.mark.parametrize("platform", ["vertex", "kubernetes"])
@pytest.mark.parametrize(("changes", "named"), BAD.values(), ids=BAD.keys())
def test_what_cannot_work_is_refused_in_a_dry_run(
    job_file: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    named: str,
    platform: str,
) -> None:
    assert named in refused(job_file(**changes), capsys, platform)


@pytest.mark.parametrize("value", ["gs://a\nb", "\u202ex", "\x1b[31m", "x" * 100_000])
@pytest.mark.parametrize("key", ["data", "mode", "output", "name", "image", "config.seed"])
def test_no_value_breaks_the_sentence_on_it(
    job_file: Callable[..., str], capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    changes = {key: value} if key in ("output", "name", "image") else {"args": {key: value}}
    said = refused(job_file(**changes), capsys)
    assert said[:-1].isprintable() and len(said) < 4200


@pytest.mark.parametrize(
    "changes",
    [
        {"args": strategy("mirrored")},
        {**MANY, "args": strategy("auto")},
        {"replicas": 4, "args": strategy("multi_worker")},
        {"replicas": 4, "args": strategy("auto")},
        {"args": {**DATA, "config.data.cache": "memory"}},
        {"args": {**DATA, "config.data.cache": "/tmp/cache"}},
        {"args": {**DATA, "config.model.weights": "none"}},
        {"args": {**DATA, "config.model.weights": "gs://bkt/w.h5"}},
        {"args": {**DATA, "metadata": "gs://bkt/Data_Entry.csv"}},
        {**CPU, "args": strategy("mirrored", **{"config.runtime.logical_cpus": 2})},
        {**TPU, "args": strategy("tpu", **LOCAL)},
        {**TPU, "args": strategy("auto", **LOCAL)},
        {**TPU, "args": DATA, "env": {"TPU_NAME": "local"}},
    ],
)
def test_what_works_is_accepted(job_file: Callable[..., str], changes: dict[str, Any]) -> None:
    path = job_file(**changes)
    assert task.run(["cxr14-launch", "vertex", f"--job={path}", "--dry_run"]) == 0


@pytest.mark.parametrize("value", ["labels.csv", "/data/x", "~/x", "gs:/bkt/x", "gs:///x", "b/x"])
@pytest.mark.parametrize("name", [*flags.PATH_FLAGS, "config.model.weights"])
def test_no_path_of_this_machine_reaches_a_container(
    job_file: Callable[..., str], capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    if name == "output":
        changes: dict[str, Any] = {"output": value}
    else:
        changes = {"args": [f"--{name}={value}"]}
    said = refused(job_file(**changes), capsys)
    assert f"{name} is {value!r}" in said or f"--{name}={value}, but the container sees no" in said


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("gs://Bucket/x", "names the bucket 'Bucket'"),
        ("gs://my bucket/x", "names the bucket"),
        ("gs://ab/x", "names the bucket"),
        ("gs://my-bucket", "is not a folder or file in a bucket"),
        ("gs://my-bucket/x ", "blank"),
        ("https://storage.googleapis.com/my-bucket/x", "web address"),
    ],
)
def test_an_address_that_leads_nowhere_is_explained(path: str, part: str) -> None:
    assert part in argument_checks.address_problem(path)


@pytest.mark.parametrize(
    "path", ["gs:/bucket/x", "gs:bucket", "file:///x", "https://h/x", "~nobody-here/x", "~/x", "x"]
)
def test_no_sentence_advises_a_path_that_a_container_does_not_have(path: str) -> None:
    problem = argument_checks.address_problem(path)
    assert "gs://" in problem
    assert "./" not in problem and "local path" not in problem and "plain path" not in problem


@pytest.mark.parametrize("path", ["gs://my-bucket/x", "gs://a.b_c-1/x/y z", "s3://B/x"])
def test_an_address_that_can_be_reached_passes(path: str) -> None:
    assert argument_checks.address_problem(path) == ""
