# SPDX-License-Identifier: MIT
"""What the job that makes a data set reads is looked for, and what lies where it writes."""

import dataclasses
import gzip
import pathlib
from typing import Any

import pytest

from trainer.launch.description.job import Job
from trainer.launch.description.kubernetes import Kubernetes
from trainer.launch.description.preprocess import Preprocess
from trainer.launch.description.volumes import Volume
from trainer.launch.doctor import preprocessing
from trainer.launch.platform import Finding


@pytest.fixture
def job(tmp_path: pathlib.Path) -> Job:
    """A job on this machine of which everything is there."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"png")
    (tmp_path / "labels.csv").write_text("Image Index,Finding Labels\n1.png,Mass\n")
    (tmp_path / "list.txt").write_text("1.png\n")
    names = {"images": "images", "labels": "labels.csv", "train_val_list": "list.txt"}
    args = {name: str(tmp_path / path) for name, path in names.items()}
    args |= {"test_list": args["train_val_list"], "source": "nih"}
    made = Preprocess(args=args, output=str(tmp_path / "shards"))
    return Job(name="x", image="x:1", args={}, output="gs://b/run", preprocess=made)


def found(job: Job) -> dict[str, Finding]:
    return {finding.what.split()[0]: finding for finding in preprocessing.findings(job)}


def test_all_that_is_read_is_looked_for(job: Job) -> None:
    findings = found(job)
    named = ["--images", "--labels", "--test_list", "--train_val_list", "data"]
    assert sorted(findings) == named and all(finding.ok for finding in findings.values())
    assert findings["--labels"].said == "begins with Image Index,Finding Labels"
    assert findings["data"].said == "is not made yet"


@pytest.mark.parametrize("name", ["images/1.png", "labels.csv", "list.txt"])
def test_what_is_not_there_is_wrong(job: Job, tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / name).unlink()
    wrong = {finding.ok for finding in found(job).values()}
    assert wrong == {True, False}


def test_labels_without_a_header_are_wrong(job: Job, tmp_path: pathlib.Path) -> None:
    (tmp_path / "labels.csv").write_text("\n1.png,Mass\n")
    assert found(job)["--labels"].ok is False


def test_a_data_set_that_is_made_already_is_named(
    job: Job, data_set: Any, tmp_path: pathlib.Path
) -> None:
    assert job.preprocess
    there = dataclasses.replace(job.preprocess, output=data_set.folder)
    made = found(dataclasses.replace(job, preprocess=there))["data"]
    assert made.ok and "49 records: the job would end at once" in made.said
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "manifest.json").write_text("{")
    assert found(job)["data"].ok is False


def test_what_lies_on_a_volume_is_seen_by_the_pods_alone(job: Job, tmp_path: pathlib.Path) -> None:
    volume = Volume(name="disk", mount=str(tmp_path), claim="disk")
    findings = found(dataclasses.replace(job, kubernetes=Kubernetes(volumes=[volume])))
    assert {finding.ok for finding in findings.values()} == {None}


def test_wrong_settings_in_a_bucket_are_wrong(job: Job, on_gcs: Any, bucket: str) -> None:
    on_gcs.write(f"{bucket}/wrong.yaml", b"stored_sise: 3\n")
    assert job.preprocess and isinstance(job.preprocess.args, dict)
    args = {**job.preprocess.args, "config": f"{bucket}/wrong.yaml"}
    asked = dataclasses.replace(job, preprocess=dataclasses.replace(job.preprocess, args=args))
    [finding] = preprocessing.findings(asked)
    assert finding.ok is False and "stored_sise" in finding.said


def test_each_of_several_label_files_is_looked_at_packed_or_not(
    job: Job, tmp_path: pathlib.Path
) -> None:
    packed = tmp_path / "more.csv.gz"
    packed.write_bytes(gzip.compress(b"study,Edema\n" + b"1,1\n" * 9999))
    assert job.preprocess
    labels = f"{tmp_path / 'labels.csv'},{packed}"
    args = {**job.preprocess.args, "labels": labels, "source": "csv"}
    several = dataclasses.replace(job, preprocess=dataclasses.replace(job.preprocess, args=args))
    said = [one.said for one in preprocessing.findings(several) if one.what.startswith("--labels")]
    assert said == ["begins with Image Index,Finding Labels", "begins with study,Edema"]
