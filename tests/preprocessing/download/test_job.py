# SPDX-License-Identifier: MIT
"""The command as users give it: several files at once, killed, refused, and used afterwards."""

import collections
import hashlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from typing import Any

import pytest

from preprocessing import task
from preprocessing.contract.errors import StoppedError
from preprocessing.contract.files import patience, storage
from preprocessing.download import job, parts

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
ROOT = pathlib.Path(__file__).parents[3]


def table(path: pathlib.Path, *files: Any) -> str:
    """Writes files as a user's table of addresses and returns the flag that names it."""
    lines = ["name,address,md5,bytes", *(f"{f.name},{f.address},{f.md5},{f.size}" for f in files)]
    path.write_text("\n".join(lines))
    return f"--addresses={path}"


def failure(capsys: pytest.CaptureFixture[str], argv: list[str]) -> tuple[int, str]:
    code = task.main(argv)
    return code, capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(params=["disk", "bucket"])
def place(request: pytest.FixtureRequest, folder: str) -> str:
    return f"{request.getfixturevalue('bucket')}/nih" if request.param == "bucket" else folder


def test_what_was_downloaded_becomes_shards_by_the_command_that_is_told(
    site: Any, tree: Any, place: str, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    archives = []
    for number in (1, 2):
        name = f"images_{number:03d}.tar.gz"
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(tree.images / f"images_{number:03d}" / "images", "images")
        archives.append(site.file(name, (tmp_path / name).read_bytes()))
    labels = [tree.folder / "Data_Entry_2017_v2020.csv"]
    labels += [tree.folder / "train_val_list.txt", tree.folder / "test_list.txt"]
    for label in labels:
        site.files[label.name] = label.read_bytes()
    site.files["BBox_List_2017.csv"] = b"Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
    flags = [table(tmp_path / "table.csv", *archives), f"--labels_url={site.url}/nih"]
    assert task.main(["cxr14-preprocess", "download", f"--output={place}", *flags]) == 0
    told = capsys.readouterr().out
    assert f"{place}: 6 files, 2 with the right MD5" in told
    assert "test_list.txt is not checked, since no MD5 of it is known here" in told
    assert sorted(map(storage.basename, storage.sizes(place))) == sorted(
        [*(file.name for file in archives), *(label.name for label in labels), "BBox_List_2017.csv"]
    )
    command = shlex.split(told.splitlines()[-1].partition("then: ")[2])
    assert "--allow_missing" in command  # ten archives are not there
    shards = tmp_path / "shards"
    argv = [*command[:-1], f"--output={shards}", *tree.argv()[-2:]]
    argv = [flag for flag in argv if "stored_size" in flag or "config" not in flag]
    assert task.main([*argv, "--config.stored_size=32"]) == 0, capsys.readouterr().err
    assert "40 records" in capsys.readouterr().out


def test_files_come_at_once_and_a_second_start_asks_for_none(
    site: Any, data: bytes, folder: str, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    site.pause_s = 0.01
    files = [site.file(f"images_{n:03d}.tar.gz", data[: 900_000 + n]) for n in range(1, 5)]
    argv = ["cxr14-preprocess", "download", f"--output={folder}"]
    argv.append(table(tmp_path / "table.csv", *files))
    assert task.main([*argv, "--first=2", "--at_once=2"]) == 0
    told = capsys.readouterr().out
    assert "2 files, 2 with the right MD5" in told
    assert (
        "still needed there: Data_Entry_2017_v2020.csv, train_val_list.txt, test_list.txt" in told
    )
    assert "https://nihcc.app.box.com/v/ChestXray-NIHCC" in told
    assert sorted(os.listdir(folder)) == ["images_001.tar.gz", "images_002.tar.gz"]
    # What lies deeper has the name of a file, but is not it.
    (pathlib.Path(folder) / "other").mkdir()
    (pathlib.Path(folder) / "other" / "images_003.tar.gz").touch()
    site.requests.clear()
    assert task.main(argv) == 0
    assert {name for name, _ in site.requests} == {"images_003.tar.gz", "images_004.tar.gz"}
    assert "4 files, 4 with the right MD5" in capsys.readouterr().out


def _started(argv: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "preprocessing.task", *argv[1:]]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_goes_on_by_the_same_command(
    site: Any, data: bytes, folder: str, number: signal.Signals, tmp_path: pathlib.Path
) -> None:
    site.pause_s = 0.05
    file = site.file("images_001.tar.gz", data, size=len(data))
    argv = ["", "download", f"--output={folder}", table(tmp_path / "table.csv", file)]
    process = _started(argv, dict(os.environ))
    part = pathlib.Path(folder, "images_001.tar.gz.part")
    deadline = time.monotonic() + 120
    while not (part.exists() and part.stat().st_size > 500_000):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    err = process.communicate()[1]
    assert process.returncode == (-9 if number == signal.SIGKILL else 75), err
    assert not (part.parent / "images_001.tar.gz").exists()
    come = part.stat().st_size
    site.requests.clear()
    site.pause_s = 0
    assert task.main(argv) == 0
    assert site.bodies("images_001.tar.gz") == [f"bytes={come}-"]
    assert (part.parent / "images_001.tar.gz").read_bytes() == data
    assert os.listdir(folder) == ["images_001.tar.gz"]


def test_a_killed_process_goes_on_in_a_bucket(
    site: Any, on_gcs: Any, bucket: str, data: bytes, tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    site.repeated["images_001.tar.gz"] = 8  # 24 MB: the store gets pieces of 8 MiB
    site.pause_s = 0.01
    whole = hashlib.md5(data * 8).hexdigest()
    file = site.file("images_001.tar.gz", data, md5=whole, size=8 * len(data))
    argv = ["", "download", f"--output={bucket}/nih", table(tmp_path / "table.csv", file)]
    process = _started(argv, on_gcs.environment)
    deadline = time.monotonic() + 120
    while not on_gcs.requests("PUT .*upload_id"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert "nih/images_001.tar.gz" not in on_gcs.names(bucket)
    storage.delete(f"{bucket}/nih/_progress/lock")  # which would be stale in 90 s
    site.requests.clear()
    site.pause_s = 0
    monkeypatch.setattr(parts, "_PIECE_BYTES", 1 << 20)
    assert task.main(argv) == 0
    assert site.bodies("images_001.tar.gz") in (["bytes=8388608-"], ["bytes=16777216-"])
    assert on_gcs.objects(f"{bucket}/nih") == {"images_001.tar.gz": data * 8}


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    site: Any, data: bytes, folder: str, capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    files = [site.file(f"images_{n:03d}.tar.gz", data) for n in (1, 2)]
    argv = ["", "download", f"--output={folder}", table(tmp_path / "table.csv", *files)]
    Usage = collections.namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 5_999_999))
    code, line = failure(capsys, argv)
    assert code == 74 and "6 MB are to come" in line and "nothing was fetched" in line
    assert not site.bodies("images_001.tar.gz") and os.listdir(folder) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 6_000_000))
    assert task.main(argv) == 0


def test_one_file_that_fails_does_not_keep_the_others(
    site: Any, data: bytes, folder: str, capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(patience, "SECONDS", 0.1)
    files = [site.file(f"images_{n:03d}.tar.gz", data) for n in (1, 2, 3)]
    site.faults["images_002.tar.gz"] = [503] * 9999
    argv = ["", "download", f"--output={folder}", table(tmp_path / "table.csv", *files)]
    code, line = failure(capsys, argv)
    assert code == 75 == StoppedError.exit_code and "HTTP 503" in line
    assert sorted(os.listdir(folder)) == ["images_001.tar.gz", "images_003.tar.gz"]
    pathlib.Path(folder, "images_001.tar.gz").write_bytes(b"another")
    code, line = failure(capsys, argv)
    assert code == 65 and "images_001.tar.gz has MD5" in line
    assert "1 more of 3 files failed" in line
    assert pathlib.Path(folder, "images_001.tar.gz").read_bytes() == b"another"


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([], 64, "download: --output is missing"),
        (["--output=x", "stray"], 64, "'stray' is not a flag"),
        (["--output=s3://b/x"], 64, "goes to a local folder or to gs://"),
        (["--output=x", "--first=0"], 64, "first"),
        (["--output=x", "--first=13"], 64, "only 12 archives"),
        (["--output=x", "--addresses=none.csv"], 65, "--addresses=none.csv cannot be used"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    flags: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, line = failure(capsys, ["cxr14-preprocess", "download", *flags])
    assert found == code and said in line


def test_threads_end_with_the_job(site: Any, data: bytes, folder: str) -> None:
    """As when another job has taken a bucket's folder: files must not be written on."""
    storage.make_folder(folder)
    doing = job._Job(folder, 2)
    begun = threading.Event()

    def count(file: Any) -> None:
        begun.set()
        while True:
            doing.count(1)

    def interrupt() -> None:
        assert begun.wait(60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        doing.each(count, [site.file(name, data) for name in "abcdef"], interrupt)
    assert doing.bytes > 0 and not doing.failures
