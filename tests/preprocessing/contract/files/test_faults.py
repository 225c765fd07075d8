# SPDX-License-Identifier: MIT
"""Errors of disks, buckets and memory, as they are really raised, become sentences and codes."""

import errno
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import JobError, UnavailableError
from preprocessing.contract.files import faults, patience

DATA = b"12345" * 10


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(patience, "SECONDS", 0.2)


def _explained(act: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(JobError) as caught, faults.explained():
        act()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    return caught.value.exit_code, str(caught.value)


def _raise(number: int, path: str | None = "/out/x") -> Callable[[], None]:
    def act() -> None:
        raise OSError(number, os.strerror(number), path)

    return act


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_what_the_machine_lacks_counts_as_a_restart(number: int) -> None:
    code, sentence = _explained(_raise(number))
    assert code == 74
    assert sentence.startswith("/out/x cannot be ")
    assert os.strerror(number) in sentence


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR])
def test_what_a_path_cannot_be_used_for_is_a_mistake_of_the_command(number: int) -> None:
    assert _explained(_raise(number)) == (
        64,
        f"/out/x cannot be used ({os.strerror(number)}): check the path and its permissions",
    )


def test_an_object_that_is_gone_is_told_as_a_file_is() -> None:
    def read() -> None:
        raise FileNotFoundError("gs://bucket/x")  # as the clients of buckets raise it

    assert _explained(read) == (
        64,
        "gs://bucket/x cannot be used (No such file or directory): check the path and its "
        "permissions",
    )


def test_memory_that_is_used_up_counts_as_a_restart() -> None:
    import numpy as np

    code, sentence = _explained(lambda: np.zeros([2**50]))
    assert (code, sentence.partition(" (")[0]) == (74, "this machine has no memory left")


def test_no_folder_for_temporary_files_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    code, sentence = _explained(tempfile.mkdtemp)
    assert code == 78
    assert "make /tmp writable, or name another folder in TMPDIR" in sentence


def test_defects_keep_their_traceback() -> None:
    for error in (ValueError("x"), ConnectionResetError("x"), OSError("x"), KeyError("message")):
        assert faults.explain(error) is None
        with pytest.raises(type(error)), faults.explained():
            raise error


def _save(path: str) -> None:
    import tensorflow as tf

    arrays = {"tensor_names": ["a"], "shape_and_slices": [""], "tensors": [tf.constant([1.0])]}
    tf.raw_ops.SaveV2(prefix=path, **arrays)


def _read(path: str) -> list[Any]:
    import tensorflow as tf

    return list(tf.data.TFRecordDataset([path]))


@pytest.mark.slow
def test_local_files_of_tensorflow(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    code, sentence = _explained(lambda: _save(f"{tmp_path}/file/ckpt-1"))
    assert (code, "cannot be used (Not a directory)" in sentence) == (64, True)
    code, sentence = _explained(lambda: _read(f"{tmp_path}/none"))
    assert (code, sentence.partition(" (")[0]) == (64, f"{tmp_path}/none cannot be used")


@pytest.mark.slow
def test_memory_of_tensorflow() -> None:
    import tensorflow as tf

    code, sentence = _explained(lambda: tf.zeros([2**50]) + 1)
    assert (code, sentence.partition(" (")[0]) == (74, "the device has no memory left")


# What TensorFlow's own client for gs:// meets, and what it ends with.
REFUSED = [
    ("POST", 403, 64, "needs storage.objects.create"),
    ("DELETE", 403, 64, "needs storage.objects.delete"),
    ("POST", 404, 64, "is not there"),
    ("POST", 401, 74, "did not take the credentials"),
    ("DELETE", 401, 74, "did not take the credentials"),
    ("POST", 412, 74, "in spite of several tries"),
    ("POST", 429, 74, "in spite of several tries"),
    ("DELETE", 503, 74, "in spite of several tries"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "status", "code", "part"), REFUSED)
def test_a_checkpoint_that_a_bucket_does_not_take(
    on_gcs: Any, bucket: str, method: str, status: int, code: int, part: str
) -> None:
    on_gcs.spoil(f"^{method} .*{bucket[5:]}", "status", argument=status, times=1000)
    found, sentence = _explained(lambda: faults.insist(lambda: _save(f"{bucket}/c/ckpt-1")))
    assert found == code
    assert sentence.startswith(f"{bucket}/c/")
    assert part in sentence
    assert f"HTTP {status}: injected" in sentence
    on_gcs.forget()
    faults.insist(lambda: _save(f"{bucket}/c/ckpt-1"))


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 412])
def test_what_tensorflow_does_not_repeat_is_repeated(on_gcs: Any, bucket: str, status: int) -> None:
    for method in ("POST", "DELETE"):
        on_gcs.spoil(f"^{method} .*{bucket[5:]}", "status", argument=status)
    with pytest.raises(UnavailableError), faults.explained():
        _save(f"{bucket}/c/ckpt-1")
    faults.insist(lambda: _save(f"{bucket}/c/ckpt-1"))
    assert on_gcs.unused_faults() == []
    assert on_gcs.names(f"{bucket}/c")[-1] == "ckpt-1.index"


@pytest.mark.slow
@pytest.mark.parametrize(("status", "code"), [(403, 64), (404, 64), (401, 74), (429, 74)])
def test_a_shard_that_a_bucket_does_not_give(
    on_gcs: Any, bucket: str, status: int, code: int
) -> None:
    path = f"{bucket}/x"
    on_gcs.write(path, DATA)
    on_gcs.spoil(f"GET .*{path[5:]}", "status", argument=status, times=1000)
    found, sentence = _explained(lambda: _read(path))
    assert (found, sentence.startswith(f"{path} c")) == (code, True)


@pytest.mark.slow
def test_a_store_that_gives_no_answer(on_gcs: Any, bucket: str) -> None:
    on_gcs.spoil(bucket[5:], "reset", times=1000)
    code, sentence = _explained(lambda: _save(f"{bucket}/ckpt-1"))
    assert (code, "in spite of several tries (libcurl code" in sentence) == (74, True)
    code, sentence = _explained(lambda: _save("gs://cxr14-nowhere/ckpt-1"))
    assert (code, "there is no bucket gs://cxr14-nowhere" in sentence) == (64, True)
