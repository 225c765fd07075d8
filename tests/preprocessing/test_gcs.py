# SPDX-License-Identifier: MIT
"""The job with everything on gs:// makes the bytes of the local job, in spite of all faults."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time
from typing import Any

import pytest

from preprocessing import task
from preprocessing.contract.files import buckets, patience

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)


@pytest.fixture
def local(tree: Any, capsys: pytest.CaptureFixture[str]) -> dict[str, bytes]:
    """What the job makes of the tree without any bucket."""
    assert task.main(tree.argv()) == 0, capsys.readouterr().err
    return {path.name: path.read_bytes() for path in tree.output.iterdir()}


@pytest.fixture
def cloud_argv(tree: Any, on_gcs: Any, bucket: str) -> list[str]:
    """The same command line with every path in a bucket."""
    for path in tree.folder.iterdir():
        if path.is_file():
            on_gcs.write(f"{bucket}/in/{path.name}", path.read_bytes())
    on_gcs.upload_tree(tree.images, f"{bucket}/in/images")
    on_gcs.forget()
    return tree.argv(
        f"--images={bucket}/in/images",
        f"--labels={bucket}/in/Data_Entry_2017_v2020.csv",
        f"--train_val_list={bucket}/in/train_val_list.txt",
        f"--test_list={bucket}/in/test_list.txt",
        f"--output={bucket}/out",
    )


def _with(argv: list[str], flag: str) -> list[str]:
    """Returns a command line with another value of a flag."""
    name = flag.partition("=")[0]
    return [*(given for given in argv if given.partition("=")[0] != name), flag]


def _assert_same(made: dict[str, bytes], local: dict[str, bytes]) -> None:
    assert sorted(made) == sorted(local)
    assert len(local) > 5  # shards, and the manifest
    assert [name for name in local if made[name] != local[name]] == []


def test_without_faults_the_bytes_are_those_of_the_local_job(
    on_gcs: Any, bucket: str, cloud_argv: list[str], local: dict[str, bytes]
) -> None:
    assert task.main(cloud_argv) == 0
    _assert_same(on_gcs.objects(f"{bucket}/out"), local)
    pictures = on_gcs.requests(r"GET .*/in%2Fimages.*png.*alt=media")
    assert len(pictures) == 40  # each is read once
    assert len(on_gcs.requests(r"GET .*/o\?.*prefix=in")) == 1  # and all are listed once


@pytest.mark.parametrize(
    ("fault", "argument"), [("status", 503), ("reset", 0), ("truncate", 0), ("lose", 0)]
)
def test_faults_on_the_way_change_no_byte(
    on_gcs: Any,
    bucket: str,
    cloud_argv: list[str],
    local: dict[str, bytes],
    fault: str,
    argument: int,
) -> None:
    kinds = (r"GET .*png.*alt=media", r"GET .*(csv|txt)", r"GET .*/o\?", r"POST .*upload", "DELETE")
    for kind in kinds:
        on_gcs.spoil(f"^{kind}", fault, argument=argument, times=3)
    assert task.main(cloud_argv) == 0
    assert on_gcs.unused_faults() == []
    _assert_same(on_gcs.objects(f"{bucket}/out"), local)


def test_bits_that_flip_on_the_way_change_no_byte(
    on_gcs: Any, bucket: str, cloud_argv: list[str], local: dict[str, bytes]
) -> None:
    for name in ("png", "csv", "train_val_list"):
        on_gcs.spoil(f"GET .*{name}.*alt=media", "flip", times=1)
    assert task.main(cloud_argv) == 0
    assert on_gcs.unused_faults() == []
    _assert_same(on_gcs.objects(f"{bucket}/out"), local)


def test_archives_in_a_bucket_are_read_in_place(
    tree: Any, on_gcs: Any, bucket: str, cloud_argv: list[str], local: dict[str, bytes]
) -> None:
    for number in (1, 2):
        with tarfile.open(tree.folder / f"{number}.tar.gz", "w:gz") as archive:
            archive.add(tree.images / f"images_{number:03d}" / "images", "images")
        name = f"{bucket}/archives/images_{number:03d}.tar.gz"
        on_gcs.write(name, (tree.folder / f"{number}.tar.gz").read_bytes())
    on_gcs.spoil("GET .*tar.gz.*alt=media", "status", argument=503, times=2)
    on_gcs.spoil("GET .*tar.gz.*alt=media", "truncate", times=2)
    assert task.main(_with(cloud_argv, f"--images={bucket}/archives")) == 0
    assert on_gcs.unused_faults() == []
    made = on_gcs.objects(f"{bucket}/out")
    manifests = [json.loads(found.pop("manifest.json")) for found in (made, local)]
    assert manifests[0]["splits"] == manifests[1]["splits"]
    assert made == local


def _start(on_gcs: Any, argv: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "preprocessing.task", *argv[1:]],
        env=on_gcs.environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_job_killed_between_shards_goes_on_where_it_was(
    on_gcs: Any, bucket: str, cloud_argv: list[str], local: dict[str, bytes]
) -> None:
    process = _start(on_gcs, cloud_argv)
    while process.poll() is None:
        finished = [name for name in on_gcs.names(f"{bucket}/out") if name.endswith("tfrecord")]
        if len(finished) >= 2:
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    before = on_gcs.generations(f"{bucket}/out")
    assert "manifest.json" not in before
    noted = {name for name in before if f"_progress/{name}.json" in before}
    assert task.main(cloud_argv) == 0
    _assert_same(on_gcs.objects(f"{bucket}/out"), local)
    after = on_gcs.generations(f"{bucket}/out")
    assert {name for name in noted if after[name] == before[name]} == noted


@pytest.mark.slow
def test_worker_processes_reach_the_bucket_too(
    on_gcs: Any, bucket: str, cloud_argv: list[str], local: dict[str, bytes]
) -> None:
    two = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing"]
    process = _start(on_gcs, [*cloud_argv, *two, "--direct_num_workers=2"])
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    _assert_same(on_gcs.objects(f"{bucket}/out"), local)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--output=gs://cxr14-nowhere/out", "there is no bucket cxr14-nowhere"),
        ("--images=gs://cxr14-nowhere/in", "there is no bucket cxr14-nowhere"),
        ("--labels=gs://cxr14-nowhere/labels.csv", "gs://cxr14-nowhere/labels.csv"),
        ("--output=gs://", "gs://"),
    ],
)
def test_a_wrong_bucket_is_one_sentence_before_any_work(
    on_gcs: Any,
    cloud_argv: list[str],
    flag: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert task.main(_with(cloud_argv, flag)) in (64, 65)
    output, errors = capsys.readouterr()
    assert output == ""
    (sentence,) = errors.strip().splitlines()
    assert sentence.startswith("cxr14-preprocess: ")
    assert told in sentence


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_permission_is_one_sentence(
    on_gcs: Any, bucket: str, cloud_argv: list[str], method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    on_gcs.spoil(f"^{method} .*{bucket[5:]}", "status", argument=403, times=10_000)
    assert task.main(cloud_argv) == 64
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert "Storage Object User" in sentence


def test_pictures_that_may_not_be_read_end_the_job_in_one_sentence(
    on_gcs: Any, cloud_argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal happens in the middle of a Beam worker."""
    on_gcs.spoil("GET .*png.*alt=media", "status", argument=403, times=10_000)
    assert task.main(cloud_argv) == 64
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert "png cannot be read (" in sentence
    assert "Traceback" not in sentence


def test_a_revoked_login_is_one_sentence(
    on_gcs: Any,
    cloud_argv: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(os.environ, "GOOGLE_APPLICATION_CREDENTIALS", on_gcs.revoked_login)
    buckets.of.cache_clear()
    assert task.main(cloud_argv) == 64
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert "gcloud auth application-default login" in sentence
