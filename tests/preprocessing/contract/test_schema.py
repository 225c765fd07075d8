# SPDX-License-Identifier: MIT
"""A record survives the way to bytes and back, in TensorFlow's own format, without TensorFlow."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.contract import schema
from preprocessing.contract.errors import DataError

_INT64 = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_FLOAT32 = st.floats(width=32, allow_nan=False)


@st.composite
def _records(draw: st.DrawFn, findings: int = 3) -> schema.Record:
    boxes = draw(st.integers(0, 3))
    return schema.Record(
        id=draw(_TEXT),
        patient=draw(_TEXT),
        image=draw(st.binary()),
        targets=tuple(draw(st.lists(_INT64, min_size=findings, max_size=findings))),
        view=draw(_TEXT),
        sex=draw(_TEXT),
        age=draw(_INT64),
        follow_up=draw(_INT64),
        width=draw(_INT64),
        height=draw(_INT64),
        box_findings=tuple(draw(st.lists(_INT64, min_size=boxes, max_size=boxes))),
        boxes=tuple(draw(st.lists(_FLOAT32, min_size=4 * boxes, max_size=4 * boxes))),
    )


def _record(**changes: object) -> schema.Record:
    record = schema.Record(
        id="00000001_000.png", patient="1", image=b"\x89PNG\0\xff", targets=(1, 0, -1)
    )
    return dataclasses.replace(record, **changes)


def _plain(parsed: dict[str, tf.Tensor], attribute: str) -> object:
    value = parsed[attribute].numpy()
    if attribute == "image":
        return value
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value.tolist()) if value.ndim else int(value)


@settings(max_examples=50, deadline=None)
@given(_records())
def test_parse_returns_what_encode_was_given(record: schema.Record) -> None:
    parsed = schema.parse(tf.constant(schema.encode(record)), findings=3)
    assert {name: _plain(parsed, name) for name in parsed} == dataclasses.asdict(record)


@settings(max_examples=50, deadline=None)
@given(_records())
def test_the_bytes_are_those_of_tensorflows_own_example(record: schema.Record) -> None:
    encoded = schema.encode(record)
    example = tf.train.Example.FromString(encoded)
    assert example.SerializeToString(deterministic=True) == encoded
    feature = example.features.feature
    assert feature["image/encoded"].bytes_list.value == [record.image]
    assert tuple(feature["targets"].int64_list.value) == record.targets
    assert tuple(feature["box/xywh"].float_list.value) == record.boxes


@settings(max_examples=50, deadline=None)
@given(_records())
def test_decode_returns_what_encode_was_given(record: schema.Record) -> None:
    assert schema.decode(schema.encode(record)) == record


@settings(max_examples=50, deadline=None)
@given(_records())
def test_decode_reads_tensorflows_own_examples(record: schema.Record) -> None:
    example = tf.train.Example.FromString(schema.encode(record))
    assert schema.decode(example.SerializeToString()) == record


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 500), st.binary(max_size=3))
def test_damaged_bytes_are_decoded_or_refused_in_a_sentence(
    data: bytes, at: int, inserted: bytes
) -> None:
    whole = schema.encode(_record(box_findings=(1,), boxes=(0.0, 0.1, 0.2, 0.3)))
    for damaged in (data, whole[:at] + inserted + whole[at:], whole[:at] + inserted):
        try:
            assert isinstance(schema.decode(damaged), schema.Record)
        except DataError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.pop("age"), "no 'age' of kind int64"),
        (lambda f: f["age"].float_list.value.append(1), "no 'age' of kind int64"),
        (lambda f: f["age"].int64_list.value.append(1), "2 values of 'age' instead of 1"),
        (lambda f: f["id"].bytes_list.value.__setitem__(0, b"\xff"), "'id' is not UTF-8"),
        (lambda f: f["more"].int64_list.value.append(1), "'more', which is not in the table"),
        (lambda f: f["box/finding"].int64_list.value.append(1), "0 box numbers for 1 boxes"),
    ],
)
def test_an_example_that_does_not_fit_the_table_is_refused(change, sentence: str) -> None:  # type: ignore[no-untyped-def]
    example = tf.train.Example.FromString(schema.encode(_record()))
    change(example.features.feature)
    with pytest.raises(DataError, match=sentence):
        schema.decode(example.SerializeToString())


def test_a_batch_parses_with_ragged_boxes() -> None:
    one = _record(box_findings=(2,), boxes=(0.1, 0.2, 0.3, 0.4))
    batch = tf.constant([schema.encode(_record()), schema.encode(one)])
    parsed = schema.parse(batch, findings=3)
    assert parsed["targets"].shape == (2, 3)
    assert parsed["targets"].dtype == tf.int64
    assert parsed["box_findings"].to_list() == [[], [2]]
    np.testing.assert_allclose(parsed["boxes"][1], one.boxes, rtol=1e-6)


def test_only_the_attributes_asked_for_are_parsed() -> None:
    parsed = schema.parse(
        tf.constant(schema.encode(_record())), findings=3, attributes=("id", "targets")
    )
    assert set(parsed) == {"id", "targets"}


def test_another_number_of_findings_is_an_error() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="targets"):
        schema.parse(tf.constant(schema.encode(_record())), findings=4)


def test_the_table_covers_every_attribute_of_a_record() -> None:
    parsed = schema.parse(tf.constant(schema.encode(_record())), findings=3)
    assert set(parsed) == {field.name for field in dataclasses.fields(schema.Record)}


def test_boxes_without_their_findings_are_refused() -> None:
    with pytest.raises(ValueError, match="00000001_000.png: 3 box numbers for 1 boxes"):
        schema.encode(_record(box_findings=(1,), boxes=(0.0, 0.1, 0.2)))


def test_a_record_is_written_without_tensorflow(pytestconfig: pytest.Config) -> None:
    code = (
        "import sys; from preprocessing.contract import schema; "
        "schema.encode(schema.Record('a', 'b', (1,), image=b'c')); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=False, cwd=pytestconfig.rootpath).returncode == 0
