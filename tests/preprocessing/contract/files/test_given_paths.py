# SPDX-License-Identifier: MIT
"""Paths that cannot be meant are refused; all others are left as they are."""

import pathlib

import pytest

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("gs:/bucket/x", "write gs://bucket/x, with two slashes"),
        ("gs:bucket/x", "two slashes"),
        ("s3:/bucket/x", "write s3://bucket/x"),
        ("az:/container/x", "two slashes"),
        ("hdfs:/name/x", "two slashes"),
        ("foo:/x", "two slashes"),
        ("gs://", "names no bucket"),
        ("gs:///x", "write gs://BUCKET/x"),
        ("gs:////x", "write gs://BUCKET/x"),
        ("s3:///x", "names no bucket"),
        ("GS://bucket/x", "use gs://"),
        ("gcs://bucket/x", "use gs://"),
        ("gcs:bucket/x", "use gs://"),
        ("gs://bucket/../x", "holds . or .."),
        ("gs://$BUCKET/x", "shell variable"),
        ("gs://b/${RUN}/x", "shell variable"),
        ("$HOME/x", "shell variable"),
        ("file:///data/x", "give the plain path"),
        ("file:/data/x", "give the plain path"),
        ("FILE://data", "give the plain path"),
        ("https://storage.googleapis.com/b/x", "web address"),
        ("/data/x ", "blank"),
        ("/data/x\n", "blank"),
        (" /data/x", "blank"),
        ("/data/\tx", "blank"),
        ("/data/x\u00a0", "blank"),
        ("~nobody-of-this-name/x", "user who is not known here"),
    ],
)
def test_a_slip_is_refused_in_one_line(path: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        given_paths.checked("--output", path)
    assert part in str(caught.value) and str(caught.value).startswith("--output=")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/data/x",
        "x",
        "./gs:/bucket",
        "/data/gs:/x",
        "run:1",
        "run 1/x",
        "2026:11/x",
        "gs://bucket",
        "gs://bucket/",
        "gs://bucket/a b/..c/x",
        "s3://bucket/x",
        "hdfs:///x",
        "/data/~/x",
        "a$/b",
    ],
)
def test_everything_else_is_left_as_it_is(path: str) -> None:
    assert given_paths.checked("--output", path) == path


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert given_paths.checked("--output", "~") == "/home/me"
    assert given_paths.checked("--output", "~/x") == "/home/me/x"


def test_what_exists_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("~odd", "$ODD"):
        (tmp_path / name).mkdir()
        assert given_paths.checked("--data", name) == name
