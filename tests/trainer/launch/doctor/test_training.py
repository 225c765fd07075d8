# SPDX-License-Identifier: MIT
"""What ends the trainer with 64, 65 or 78 and can be known before is refused before it is sent.

Vertex AI tries such a job again on machines that are paid for. Each case is given to the trainer
itself and to the launcher, which must say the same.
"""

import dataclasses
import json
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from cxr14_small_backbone import used

from preprocessing.contract.errors import ConfigError
from trainer import task
from trainer.launch.description import job_file as reader
from trainer.launch.description.job import Accelerator, Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.description.volumes import Volume
from trainer.launch.doctor import training
from trainer.launch.platform import Finding

SETTINGS = {
    "config.data.global_batch_size": 4,
    "config.data.image_size": 32,
    "config.model.weights": "none",
    "config.model.hidden_units": 8,
    "config.optimizer.schedule": "constant",
    "config.train.epochs": 1,
    "config.train.log_every_steps": 2,
    "config.evaluation.bootstrap_resamples": 20,
    "config.evaluation.gallery": 1,
    "config.evaluation.localisation": True,
}


def job(data: object, output: object, /, **settings: Any) -> Job:
    """A job as it is read from a file, but on this machine, where the trainer can try it too."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    args = {"data": str(data), **SETTINGS, **given}
    args = {name: value for name, value in args.items() if value is not ...}
    return Job(name="x", image="x:1", args=args, output=str(output))


def wrong(asked: Job) -> list[Finding]:
    found = list(training.findings(asked))
    assert all(finding.ok is not None for finding in found), found
    return [finding for finding in found if not finding.ok]


def trainer_says(asked: Job, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with used():
        code = task.main(["cxr14-train", *asked.arguments()])
    return code, capsys.readouterr().err.strip().rpartition("cxr14-train: ")[2]


@pytest.mark.parametrize(
    ("change", "exit_code"),
    [
        ({"data": ...}, 64),
        ({"predictions": "gs://b/p.csv", "mode": "train"}, 64),
        ({"metadata": "gs://b/m.csv", "mode": "export"}, 64),
        ({"config.train.epcohs": 3}, 78),
        ({"config.model.dropout": 2}, 78),
        ({"config.data.global_batch_size": 5, "config.train.accumulation_steps": 2}, 78),
        ({"config.train.accumulation_steps": 3}, 78),
        ({"config.train.profile_steps": "9,1"}, 78),
        ({"config.runtime.xla": True, "config.runtime.deterministic": True}, 78),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_bad_arguments_are_refused_when_the_job_file_is_read(
    job_file: Callable[..., str],
    data_set: Any,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    exit_code: int,
) -> None:
    code, _ = trainer_says(job(data_set.folder, tmp_path / "out", **change), capsys)
    assert code == exit_code
    args = {"data": "gs://b/shards", **SETTINGS, **change}
    args = {name: value for name, value in args.items() if value is not ...}
    with pytest.raises(ConfigError, match="args"):
        reader.load(job_file(args=args, accelerator=..., machine_type=...))


def no_manifest(data: pathlib.Path) -> None:
    (data / "manifest.json").unlink()


def no_json(data: pathlib.Path) -> None:
    (data / "manifest.json").write_text("{")


def changed_manifest(**values: Any) -> Callable[[pathlib.Path], None]:
    def change(data: pathlib.Path) -> None:
        manifest = json.loads((data / "manifest.json").read_text())
        (data / "manifest.json").write_text(json.dumps({**manifest, **values}))

    return change


def no_split(data: pathlib.Path) -> None:
    manifest = json.loads((data / "manifest.json").read_text())
    del manifest["splits"]["validation"]
    (data / "manifest.json").write_text(json.dumps(manifest))


def no_auc(data: pathlib.Path) -> None:
    manifest = json.loads((data / "manifest.json").read_text())
    split = manifest["splits"]["validation"]
    split["positives"] = dict.fromkeys(split["positives"], 0)
    (data / "manifest.json").write_text(json.dumps(manifest))


def no_shard(data: pathlib.Path) -> None:
    (data / "train-00001-of-00004.tfrecord").unlink()


def short_shard(data: pathlib.Path) -> None:
    (data / "test-00000-of-00002.tfrecord").write_bytes(b"cut")


@pytest.mark.parametrize(
    ("spoil", "exit_code"),
    [
        (no_manifest, 65),
        (no_json, 65),
        (changed_manifest(schema_version=99), 65),
        (changed_manifest(stored_size="big"), 65),
        (no_split, 65),
        (no_auc, 65),
        (no_shard, 65),
        (short_shard, 65),
    ],
    ids=["absent", "no_json", "schema", "damaged", "no_split", "no_auc", "no_shard", "short"],
)
def test_a_data_set_that_cannot_be_trained_on_is_refused(
    data_set: Any,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[pathlib.Path], None],
    exit_code: int,
) -> None:
    data = tmp_path / "data"
    shutil.copytree(data_set.folder, data)
    spoil(data)
    asked = job(data, tmp_path / "out", config__train__epochs=1)
    code, said = trainer_says(asked, capsys)
    [found] = wrong(asked)
    assert code == exit_code
    # Shards that contradict a manifest edited by hand are found first, by reading all of them.
    assert found.said == said or spoil is no_auc
    assert found.fix


def test_a_batch_larger_than_the_train_split_is_refused(
    data_set: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = job(data_set.folder, tmp_path / "out", config__data__global_batch_size=64)
    code, said = trainer_says(asked, capsys)
    [found] = wrong(asked)
    assert (code, found.said) == (78, said)


@pytest.fixture
def run(finished_run: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    """A finished run of these settings."""
    shutil.copytree(finished_run.output, tmp_path / "run")
    return tmp_path / "run"


def no_network(output: pathlib.Path) -> None:
    shutil.rmtree(output / "checkpoints" / "best")
    shutil.rmtree(output / "predictions")


def no_predictions(output: pathlib.Path) -> None:
    shutil.rmtree(output / "predictions")


def as_it_is(output: pathlib.Path) -> None:
    """Leaves the run alone."""


@pytest.mark.parametrize(
    ("spoil", "change", "exit_code"),
    [
        (as_it_is, {"config__seed": 5}, 78),
        (as_it_is, {"config__model__hidden_units": 9}, 78),
        (no_network, {"mode": "evaluate"}, 78),
        (no_predictions, {"mode": "report"}, 65),
        (as_it_is, {"mode": "report", "metadata": "/nowhere.csv"}, 65),
        (as_it_is, {"mode": "report", "compare": "/nowhere.csv"}, 65),
    ],
    ids=["seed", "width", "no_network", "no_predictions", "metadata", "compare"],
)
def test_a_run_that_cannot_go_on_is_refused(
    data_set: Any,
    run: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[pathlib.Path], None],
    change: dict[str, Any],
    exit_code: int,
) -> None:
    spoil(run)
    asked = job(data_set.folder, run, **change)
    code, _ = trainer_says(asked, capsys)
    assert code == exit_code
    [found] = wrong(asked)
    assert found.fix


def test_the_same_run_on_another_data_set_is_refused(
    raw_data_set: Any, run: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = job(raw_data_set.folder, run)
    code, said = trainer_says(asked, capsys)
    [found] = wrong(asked)
    assert (code, found.said) == (78, said)


@pytest.mark.parametrize("weights", ["/nowhere.h5", "/nowhere"])
def test_weights_that_are_not_there_are_refused(
    data_set: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], weights: str
) -> None:
    asked = job(data_set.folder, tmp_path / "out", config__model__weights=weights)
    code, _ = trainer_says(asked, capsys)
    assert code == 78
    [found] = wrong(asked)
    assert weights in found.what


def test_what_the_trainer_takes_is_not_refused(
    data_set: Any, run: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for change in ({}, {"mode": "report"}, {"mode": "export"}, {"config__model__weights": "none"}):
        asked = job(data_set.folder, run, **change)
        assert wrong(asked) == []
        assert trainer_says(asked, capsys)[0] == 0
    other = job(data_set.folder, run, config__seed=5)
    assert wrong(other) and not [one for one in training.findings(other, search=True) if not one.ok]
    new = job(data_set.folder, run.parent / "new", config__model__weights=str(run))
    assert wrong(new) == []
    said = " ".join(finding.said for finding in training.findings(new))
    assert "3 findings, 40 pixels, records: 29 train, 11 validation, 9 test" in said
    assert "7 steps an epoch" in said and "is not there yet" in said


def test_what_lies_on_a_volume_is_seen_by_the_pods_alone(
    data_set: Any, tmp_path: pathlib.Path
) -> None:
    mounts = [data_set.folder, str(tmp_path)]
    own = [Volume(name=f"v{at}", mount=mount, claim="c") for at, mount in enumerate(mounts)]
    asked = job(data_set.folder, tmp_path / "out", config__model__weights=str(tmp_path / "w.h5"))
    pods = dataclasses.replace(asked, kubernetes=Kubernetes(volumes=own))
    assert {one.ok for one in training.findings(pods)} == {None}
    pods = dataclasses.replace(asked, kubernetes=Kubernetes(volumes=own[1:]))
    seen = {one.what.split()[0]: one.ok for one in training.findings(pods)}
    assert seen == {
        "data": True,
        "shards": True,
        "settings": True,
        "model.weights": None,
        "run": None,
    }


def test_settings_in_a_bucket_are_read_and_what_cannot_be_read_is_unknown(
    on_gcs: Any, bucket: str, data_set: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    on_gcs.write(f"{bucket}/config.yaml", b"train: {epochs: 3}\ndata: {global_batch_size: 3}\n")
    on_gcs.write(f"{bucket}/wrong.yaml", b"train: {epcohs: 3}\n")
    gpus = Accelerator(type="NVIDIA_L4", count=2)

    def found(name: str, accelerator: Accelerator | None = None) -> Finding:
        args = {"data": data_set.folder, "config": f"{bucket}/{name}"}
        asked = Job(name="x", image="x:1", args=args, output=bucket, accelerator=accelerator)
        return next(iter(training.findings(asked)))

    assert found("config.yaml").ok and not found("config.yaml", gpus).ok
    assert re.search("epcohs", found("wrong.yaml").said) and found("wrong.yaml").ok is False
    assert found("none.yaml").ok is False
    args = {"data": data_set.folder, "config": f"{bucket}/config.yaml", "mode": "train"}
    args["compare"] = f"{bucket}/other.csv"
    [misused] = training.findings(Job(name="x", image="x:1", args=args, output=bucket))
    assert misused.ok is False and "--compare goes with --mode=report" in misused.said
    on_gcs.spoil("^GET .*config.yaml", "status", argument=403, times=9)
    assert found("config.yaml").ok is None
    on_gcs.forget()
    asked = job(f"{bucket}/data", f"{bucket}/run")
    on_gcs.spoil("^GET ", "status", argument=403, times=99)
    assert {one.ok for one in training.findings(asked)} == {None}


def test_what_is_on_a_volume_is_left_to_the_job() -> None:
    """A folder of the same name on this machine is another one."""
    volumes = [
        Volume(name="data", mount="/mnt/data", claim="data"),
        Volume(name="runs", mount="/mnt/runs", claim="runs"),
    ]
    asked = dataclasses.replace(
        job("/mnt/data/set", "/mnt/runs/1", metadata="/mnt/data/entry.csv"),
        kubernetes=Kubernetes(volumes=volumes),
    )
    found = list(training.findings(asked))
    assert [finding.what for finding in found] == [
        "data set /mnt/data/set",
        "--metadata /mnt/data/entry.csv",
    ]
    assert {finding.ok for finding in found} == {None}
    assert "on the volume data, which only the pods see" in found[0].said
