# SPDX-License-Identifier: MIT
"""Records pass through files that TensorFlow wrote or reads; no damage passes unseen."""

import pathlib
import struct

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import tfrecord

_RECORDS = st.lists(st.binary(max_size=300), max_size=8)


def _file(records: list[bytes]) -> bytes:
    return b"".join(piece for record in records for piece in tfrecord.framed(record))


@given(_RECORDS)
def test_what_is_framed_is_read_again(records: list[bytes]) -> None:
    assert list(tfrecord.read(_file(records))) == records


@settings(max_examples=20, deadline=None)
@given(records=_RECORDS)
def test_tensorflow_reads_what_is_framed(tmp_path_factory, records: list[bytes]) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("ours") / "a.tfrecord"
    path.write_bytes(_file(records))
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == records


@settings(max_examples=20, deadline=None)
@given(records=_RECORDS)
def test_what_tensorflow_writes_is_read_and_is_the_same(tmp_path_factory, records) -> None:  # type: ignore[no-untyped-def]
    path: pathlib.Path = tmp_path_factory.mktemp("theirs") / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    assert list(tfrecord.read(path.read_bytes())) == records
    assert path.read_bytes() == _file(records)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3), st.data())
def test_every_changed_bit_is_seen(records: list[bytes], data: st.DataObject) -> None:
    content = bytearray(_file(records))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DataError, match=r"record \d, which begins at byte \d+,"):
        list(tfrecord.read(bytes(content)))


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3), st.data())
def test_a_file_cut_inside_a_record_is_refused(records: list[bytes], data: st.DataObject) -> None:
    content = _file(records)
    cut = data.draw(st.integers(1, 15 + len(records[-1])))
    with pytest.raises(DataError, match=f"record {len(records) - 1}, .* is cut short"):
        list(tfrecord.read(content[:-cut]))


def test_a_false_length_is_not_believed() -> None:
    content = struct.pack("<Q", 1 << 60) + _file([b"abc"])[8:]
    with pytest.raises(DataError, match="length that does not match its checksum"):
        list(tfrecord.read(content))


def test_records_before_the_damage_are_yielded() -> None:
    content = bytearray(_file([b"one", b"two"]))
    content[-1] ^= 1
    records = tfrecord.read(bytes(content))
    assert next(records) == b"one"
    with pytest.raises(DataError, match="record 1, which begins at byte 19, has data"):
        next(records)
