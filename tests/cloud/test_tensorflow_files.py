# SPDX-License-Identifier: MIT
"""What other schemes than gs:// go through, TensorFlow's file systems, tried on its own gs://.

The stores that it is meant for need the extra `tensorflow-io`; tests/tensorflow_io tries one.
"""

import io
from typing import Any

import pytest

from preprocessing.contract.files.buckets import TensorFlowFiles
from preprocessing.contract.files.ranges import RangeReader

pytestmark = pytest.mark.slow

DATA = bytes(range(256)) * 1000


@pytest.fixture
def files(on_gcs: Any) -> TensorFlowFiles:
    import tensorflow as tf

    # Not by its constructor, which asks for tensorflow-io.
    made = object.__new__(TensorFlowFiles)
    made._files = tf.io.gfile
    made._not_found = tf.errors.NotFoundError
    made._refused = (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError)
    return made


def test_parts_of_an_object_are_read(files: TensorFlowFiles, bucket: str) -> None:
    files.write(f"{bucket}/a/b", DATA)
    assert files.read_range(f"{bucket}/a/b", 10, 5) == DATA[10:15]
    assert files.read_range(f"{bucket}/a/b", len(DATA) - 1, 5) == DATA[-1:]
    assert files.read_range(f"{bucket}/a/b", len(DATA) + 9, 5) == b""
    opened = io.BufferedReader(RangeReader(*files.reader(f"{bucket}/a/b")), 1000)
    opened.seek(-7, io.SEEK_END)
    assert opened.read() == DATA[-7:]


@pytest.mark.parametrize("name", ["none", "a"])
def test_what_is_no_file_cannot_be_opened(files: TensorFlowFiles, bucket: str, name: str) -> None:
    files.write(f"{bucket}/a/b", DATA)
    with pytest.raises(FileNotFoundError, match=f"{bucket}/{name}"):
        files.reader(f"{bucket}/{name}")


def test_sizes_are_those_of_all_objects_below(files: TensorFlowFiles, bucket: str) -> None:
    for name, size in (("a/b", 10), ("a/c/d", 0), ("ab", 5)):
        files.write(f"{bucket}/{name}", bytes(size))
    assert files.sizes(f"{bucket}/a") == {f"{bucket}/a/b": 10, f"{bucket}/a/c/d": 0}


def test_a_version_is_replaced_only_by_who_knows_it(files: TensorFlowFiles, bucket: str) -> None:
    path = f"{bucket}/lock"
    first = files.write_version(path, b"one", "")
    assert first
    assert files.write_version(path, b"two", "") == ""
    second = files.write_version(path, b"two", first)
    assert files.write_version(path, b"three", first) == ""
    files.delete_version(path, first)
    assert files.read_versioned(path) == (b"two", second)
    files.delete_version(path, second)
    files.delete_version(path, second)
    with pytest.raises(FileNotFoundError):
        files.read_versioned(path)
