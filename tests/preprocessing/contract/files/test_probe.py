# SPDX-License-Identifier: MIT
"""A folder is tried once by every kind of request, and is left as it was."""

import os
import pathlib
from typing import Any

import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import probe


def test_a_local_folder_is_made_and_left_empty(tmp_path: pathlib.Path) -> None:
    probe.check(f"{tmp_path}/a/b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_file_is_no_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=f"{tmp_path}/file.* cannot be used"):
        probe.check(f"{tmp_path}/file")


def test_a_folder_that_is_read_only_is_refused(tmp_path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        probe.check(str(tmp_path))
        with pytest.raises(UsageError, match="/proc/cxr14.* cannot be used"):
            probe.check("/proc/cxr14")  # where not even root can write
        return
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        probe.check(str(tmp_path))


def test_a_bucket_is_left_as_it_was(on_gcs: Any, bucket: str) -> None:
    probe.check(f"{bucket}/run")
    assert on_gcs.names(bucket) == []


@pytest.mark.parametrize(
    ("request_", "permission"),
    [
        ("POST .*/upload/", "storage.objects.create"),
        ("GET .*alt=media", "storage.objects.get"),
        ("POST .*/(rewriteTo|copyTo)/", "storage.objects.create"),
        ("DELETE ", "storage.objects.delete"),
    ],
    ids=["write", "read", "rename", "delete"],
)
def test_each_refusal_names_the_permission(
    on_gcs: Any, bucket: str, request_: str, permission: str
) -> None:
    on_gcs.spoil(f"^{request_}", "status", argument=403, times=100)
    with pytest.raises(UsageError, match=permission):
        probe.check(f"{bucket}/run")
    assert on_gcs.requests(request_)


@pytest.mark.slow
def test_the_client_of_tensorflow_is_tried_too(on_gcs: Any, bucket: str) -> None:
    probe.check(f"{bucket}/run", tensorflow=True)
    assert [name for name in on_gcs.names(bucket) if not name.endswith("/")] == []
    on_gcs.spoil("^POST .*uploadType=resumable", "status", argument=403, times=100)
    with pytest.raises(UsageError, match=r"needs storage\.objects\.create"):
        probe.check(f"{bucket}/run", tensorflow=True)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["status", "reset", "lose"])
def test_an_upload_that_is_interrupted_is_repeated(on_gcs: Any, bucket: str, fault: str) -> None:
    """TensorFlow asks how much has come before it goes on, and is told nothing, or all of it."""
    on_gcs.spoil("^PUT .*uploadType=resumable", fault, argument=503)
    probe.check(f"{bucket}/run", tensorflow=True)
    asked = on_gcs.requests("^PUT .*uploadType=resumable")
    again = [] if fault == "lose" else ["bytes 0-4/5"]
    assert [request["range"] for request in asked] == ["bytes 0-4/5", "bytes */5", *again]
