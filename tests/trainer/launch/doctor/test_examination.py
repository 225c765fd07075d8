# SPDX-License-Identifier: MIT
"""`doctor` prints what it found, each with its fix, and `submit` sends nothing that cannot work."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from trainer.launch import task
from trainer.launch.description import job_file as reader
from trainer.launch.doctor import examination
from trainer.launch.kubernetes.cluster import Cluster
from trainer.launch.platform import Finding

ARGS = {
    "config.data.global_batch_size": 4,
    "config.data.image_size": 32,
    "config.model.weights": "none",
}


@pytest.fixture
def on_no_platform(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Leaves out what only the platform can tell; returns what was sent to it."""
    sent: list[Any] = []

    def submit(self: Cluster, job: Any, stage: str) -> Any:
        sent.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(Cluster, "submit", submit)
    monkeypatch.setattr(Cluster, "findings", lambda *_: iter([Finding("cluster", True, "fine")]))
    return sent


@pytest.fixture
def path(job_file: Callable[..., str], bucket: str, registry: Any) -> str:
    """A job for which everything is there but the data set."""
    registry.scheme = ""
    registry.push("cxr14", "1.0", "amd64")
    args = {"data": f"{bucket}/shards", **ARGS}
    image = f"{registry.host}/cxr14:1.0"
    return job_file(image=image, args=args, output=f"{bucket}/runs/1")


def test_doctor_ends_with_0_where_nothing_is_wrong(
    on_gcs: Any,
    bucket: str,
    path: str,
    data_set: Any,
    on_no_platform: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_gcs.upload_tree(pathlib.Path(data_set.folder), f"{bucket}/shards")
    before = on_gcs.names(bucket)
    assert task.run(["cxr14-launch", "doctor", "kubernetes", f"--job={path}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if line.startswith("WRONG")]
    for word in ("data set", "shards", "settings", "run in", "output", "image", "cluster"):
        assert [line for line in lines if line.startswith(f"ok      {word}")], word
    assert on_gcs.names(bucket) == before


def test_doctor_names_all_that_is_wrong(
    on_gcs: Any,
    bucket: str,
    path: str,
    registry: Any,
    on_no_platform: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry.documents.clear()
    assert task.run(["cxr14-launch", "doctor", "kubernetes", f"--job={path}"]) == 78
    shown = capsys.readouterr()
    wrong = [line for line in shown.out.splitlines() if line.startswith("WRONG")]
    assert [line.split()[1:3] for line in wrong] == [
        ["data", "set"],
        ["image", f"{registry.host}/cxr14:1.0:"],
    ]
    assert "cxr14-preprocess" in wrong[0] and "docker push" in wrong[1]
    assert "2 of the above must be fixed" in shown.err and shown.err.count("\n") == 1


def test_nothing_is_sent_that_lacks_its_data_set(
    on_gcs: Any,
    bucket: str,
    path: str,
    data_set: Any,
    on_no_platform: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit = ["cxr14-launch", "submit", "kubernetes", f"--job={path}"]
    assert task.run(submit) == 78
    said = capsys.readouterr().err
    assert f"{bucket}/shards holds no manifest.json" in said and said.count("\n") == 1
    assert "nothing was sent" in said and on_no_platform == []
    on_gcs.upload_tree(pathlib.Path(data_set.folder), f"{bucket}/shards")
    assert task.run(submit) == 130 and len(on_no_platform) == 1
    assert [
        one for one in on_gcs.requests("^(POST|PUT|DELETE) ") if "oauth2" not in one["url"]
    ] == []


def test_a_sender_who_may_not_read_the_bucket_may_send(
    on_gcs: Any,
    path: str,
    on_no_platform: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert task.run(["cxr14-launch", "submit", "kubernetes", f"--job={path}"]) == 130
    assert len(on_no_platform) == 1


def test_each_stage_is_asked_about_what_it_needs(
    on_gcs: Any, bucket: str, registry: Any, job_file: Callable[..., str]
) -> None:
    registry.scheme = ""
    for name in ("train", "beam", "serving"):
        registry.push(name, "1", "amd64")
    data = {"images": f"{bucket}/png", "labels": f"{bucket}/labels.csv"}
    for name in ("png/1.png", "labels.csv", "runs/1/saved_model/saved_model.pb"):
        on_gcs.write(f"{bucket}/{name}", b"a,b")
    job = reader.load(
        job_file(
            image=f"{registry.host}/train:1",
            args={"data": f"{bucket}/shards", **ARGS},
            output=f"{bucket}/runs/1",
            preprocess={"args": data, "image": f"{registry.host}/beam:1"},
            serve={"image": f"{registry.host}/serving:1"},
        )
    )
    for stage, image, written in (
        ("train", "train", "runs/1"),
        ("preprocess", "beam", "shards"),
        ("serve", "serving", None),
    ):
        found = list(examination.findings(job, stage, None))
        assert found[-1].what == f"image {registry.host}/{image}:1" and found[-1].ok
        outputs = [one.what for one in found if one.what.startswith("output")]
        assert outputs == ([f"output {bucket}/{written}"] if written else [])
        wrong = [one.what for one in found if one.ok is False]
        assert wrong == ([f"data set {bucket}/shards"] if stage == "train" else [])
