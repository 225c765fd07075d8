# SPDX-License-Identifier: MIT
"""What a job takes, told before it is sent, against the same arithmetic done by hand."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from preprocessing.contract.errors import ConfigError, JobError, UsageError
from preprocessing.contract.files import storage
from trainer.launch import estimate, task
from trainer.launch.description.estimate import Estimate
from trainer.launch.description.job import Accelerator, Job
from trainer.launch.description.tuning import Parameter, Tuning

SETTINGS = {"config.data.global_batch_size": 4, "config.train.epochs": 3}


def job(data_set: Any, **changes: Any) -> Job:
    """A job on 29 images to train on, 11 to validate and 9 to test."""
    given: dict[str, Any] = {
        "name": "quick",
        "image": "registry.example.com/cxr14:1.0",
        "args": {"data": data_set.folder, **SETTINGS, **changes.pop("args", {})},
        "output": "gs://b/runs/1",
        "machine_type": "g2-standard-24",
        "accelerator": Accelerator(type="NVIDIA_L4", count=2),
        "replicas": 2,
        "estimate": Estimate(images_per_second=0.01, price_per_hour=1.5, currency="EUR"),
    }
    return Job(**given | changes)


def said(job: Job, *, stage: str = "train", like: str = "", prices: str = "") -> dict[str, str]:
    made = (line.partition(": ") for line in estimate.lines(job, stage, like, prices))
    return {name: text for name, _, text in made}


def test_every_line_shows_its_arithmetic(data_set: Any) -> None:
    # 7 steps an epoch; at the end validation and test are scored, and test again for heat maps;
    # the export looks at all images for what is familiar.
    lines = said(job(data_set, timeout_hours=1.0))
    assert lines.pop("not counted").endswith("takes a third of training")
    assert lines == {
        "speed": "0.01 images/s, as estimate.images_per_second says",
        "training": "21 steps x 4 images / 0.01 = 8,400 s",
        "validation": "3 epochs x 11 images / 0.01 / 3 = 1,100 s",
        "evaluation": "29 images / 0.01 / 3 = 967 s",
        "export": "49 images / 0.01 / 3 = 1,633 s",
        "run": "12,100 s / 3600 = 3.36 h",
        "timeout_hours": "1 is less than that: raise it in the job file",
        "machines": "3.36 h x 2 = 6.72 machine hours",
        "accelerators": "6.72 h x 2 NVIDIA_L4 = 13.44 hours",
        "cost": "6.72 machine hours x 1.5 EUR an hour = 10.08 EUR",
    }


def test_what_the_job_asks_for_is_counted(data_set: Any) -> None:
    args = {"mode": "train", "config.train.frozen_epochs": 1, "config.train.patience_epochs": 2}
    tune = Tuning(trials=5, parameters={"model.dropout": Parameter(min=0.0, max=0.5)})
    lines = said(job(data_set, args=args, tune=tune, accelerator=None), stage="tune")
    assert lines["training"] == "14 steps x 4 images / 0.01 = 5,600 s"
    assert lines["training the head"] == "7 steps x 4 images / 0.01 / 3 = 933 s"
    assert lines["run"].endswith(" = 2.12 h; at most, as patience may end it before")
    assert lines["machines"] == "2.12 h x 2 x 5 trials = 21.20 machine hours"
    assert not lines.keys() & {"evaluation", "accelerators", "timeout_hours"}


def test_a_run_of_the_same_recipe_tells_the_speed(data_set: Any, tmp_path: pathlib.Path) -> None:
    run = str(tmp_path)
    storage.write_text(f"{run}/progress.json", json.dumps({"images_per_second": 50.0}))
    own = job(data_set)
    assert said(own, like=run)["speed"] == f"50 images/s, as {run} has shown"
    for odd in (True, 0, float("inf")):
        storage.write_text(f"{run}/training.json", json.dumps({"images_per_second": odd}))
        storage.write_text(f"{run}/progress.json", "{}")
        with pytest.raises(UsageError, match="holds no speed"):
            said(own, like=run)
    storage.write_text(f"{run}/config.yaml", yaml.safe_dump({"data": {"image_size": 64}}))
    note = {"images_per_second": 80.5, "replicas": 1}
    storage.write_text(f"{run}/training.json", json.dumps(note))
    other = "; but its data.image_size is 64, not 224; but its data.global_batch_size is 64, not 4"
    devices = "; but it had 1 devices, not 4"
    assert said(own, like=run)["speed"] == f"80.5 images/s, as {run} has shown{devices}{other}"


def test_prices_are_those_of_the_users_file(data_set: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("currency: CHF\ng2-standard-24: 2\n")
    cost = said(job(data_set), prices=str(path))["cost"]
    assert cost == "6.72 machine hours x 2 CHF an hour = 13.44 CHF"
    path.write_text("currency: CHF\n")
    cost = said(job(data_set), prices=str(path))["cost"]
    assert cost == f"not known, as {path} has no price of g2-standard-24"
    unpriced = said(job(data_set, estimate=Estimate(images_per_second=1.0)))["cost"]
    assert unpriced.startswith("not known, as neither estimate.price_per_hour in the job file nor")
    odd = [f"currency: CHF\ng2-standard-24: {price}" for price in ("free", "-3", ".inf", "true")]
    for text in ("- 1", "g2-standard-24: 2", "currency: 3", *odd):
        path.write_text(text)
        with pytest.raises(ConfigError, match="a mapping of machine types to prices an hour"):
            said(job(data_set), prices=str(path))


@pytest.mark.parametrize(
    ("changes", "options", "error", "words"),
    [
        ({"estimate": None}, {}, ConfigError, "with --like=RUN; one with config.train.epochs: 1"),
        ({}, {"like": "/nowhere"}, UsageError, "--like=/nowhere holds no speed"),
        ({}, {"stage": "serve"}, UsageError, "use --stage=train or tune"),
        ({"args": {"mode": "export"}}, {}, UsageError, "in args mode train or all"),
        ({"args": {"data": "/nowhere"}}, {}, JobError, "/nowhere"),
        ({}, {"prices": "/nowhere.yaml"}, ConfigError, "/nowhere.yaml does not exist"),
    ],
)
def test_what_is_missing_is_said(
    data_set: Any, changes: Any, options: Any, error: type[JobError], words: str
) -> None:
    with pytest.raises(error) as raised:
        said(job(data_set, **changes), **options)
    assert words in str(raised.value)


def test_the_command_prints_it_and_sends_nothing(
    bucket: str, data_set: Any, job_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = pathlib.Path(data_set.folder, "manifest.json").read_text()
    storage.write_text(f"{bucket}/shards/manifest.json", text)
    args = {"data": f"{bucket}/shards", **SETTINGS}
    path = job_file(args=args, estimate={"images_per_second": 10})
    words = ["cxr14-launch", "vertex", f"--job={path}"]
    assert task.run([*words, "--estimate"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("speed: 10 images/s, as estimate.images_per_second says\n")
    assert shown.err == ""
    assert task.run([*words, "--dry_run"]) == 0
    assert "cxr14-launch: speed: 10 images/s, " in capsys.readouterr().err
    storage.delete(f"{bucket}/shards/manifest.json")
    assert task.run([*words, "--dry_run"]) == 0
    assert f"cxr14-launch: no estimate: {bucket}/shards" in capsys.readouterr().err
