# SPDX-License-Identifier: MIT
"""The one table of what a record holds, both ways: encode to bytes, decode, or parse in a graph.

A record is a serialized `tf.train.Example`. It is written with protobuf alone, so that
preprocessing workers need not load TensorFlow (seconds and hundreds of megabytes a process).
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from preprocessing.contract.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

SCHEMA_VERSION = 1

_FIELD = descriptor_pb2.FieldDescriptorProto


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of one radiograph but its pixels, from the label file to the report.

    Attributes:
        id: name of the image, unique in the data set.
        patient: pseudonym of the patient, never a direct identifier.
        targets: for each finding 1 present, 0 absent, -1 unknown.
        view: "AP", "PA" or "" if unknown.
        sex: "M", "F" or "" if unknown.
        age: years; -1 if unknown.
        follow_up: number of the examination in the patient's series; -1 if unknown.
        width: of the original image in pixels; 0 if unknown.
        height: of the original image in pixels; 0 if unknown.
        box_findings: for each box the index of its finding.
        boxes: x, y, width, height of each box in turn, as shares of the stored picture's side.
    """

    id: str
    patient: str
    targets: tuple[int, ...]
    view: str = ""
    sex: str = ""
    age: int = -1
    follow_up: int = -1
    width: int = 0
    height: int = 0
    box_findings: tuple[int, ...] = ()
    boxes: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Record(Facts):
    """One radiograph with what is known about it.

    Attributes:
        image: encoded grey uint8 picture, `stored_size` pixels square.
    """

    image: bytes = b""


# Attribute of Record -> feature name, kind, and length: None is one value, "findings" one for each
# finding, "any" as many as there are.
_TABLE: dict[str, tuple[str, str, str | None]] = {
    "id": ("id", "bytes", None),
    "patient": ("patient", "bytes", None),
    "image": ("image/encoded", "bytes", None),
    "targets": ("targets", "int64", "findings"),
    "view": ("view", "bytes", None),
    "sex": ("sex", "bytes", None),
    "age": ("age", "int64", None),
    "follow_up": ("follow_up", "int64", None),
    "width": ("original/width", "int64", None),
    "height": ("original/height", "int64", None),
    "box_findings": ("box/finding", "int64", "any"),
    "boxes": ("box/xywh", "float", "any"),
}


def encode(record: Record) -> bytes:
    """Serializes a record; equal records give equal bytes.

    Raises:
        ValueError: the boxes do not match their findings.
    """
    if len(record.boxes) != 4 * len(record.box_findings):
        raise ValueError(
            f"{record.id}: {len(record.boxes)} box numbers for {len(record.box_findings)} boxes"
        )
    example = _example_class()()
    for attribute, (name, kind, length) in _TABLE.items():
        value = getattr(record, attribute)
        values = [value] if length is None else list(value)
        if kind == "bytes":
            values = [item.encode() if isinstance(item, str) else item for item in values]
        getattr(example.features.feature[name], f"{kind}_list").value.extend(values)
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


def decode(serialized: bytes) -> Record:
    """Reads what `encode` wrote.

    Raises:
        DataError: the bytes are no record, or one that does not fit the table.
    """
    try:
        example = _example_class().FromString(serialized)
    except DecodeError as error:
        raise DataError("the bytes are no tf.train.Example") from error
    features = dict(example.features.feature.items())
    strange = sorted(features.keys() - {name for name, _, _ in _TABLE.values()})
    if strange:
        raise DataError(f"the record holds {strange[0]!r}, which is not in the table of records")
    record = Record(**{attribute: _value(attribute, features) for attribute in _TABLE})
    if len(record.boxes) != 4 * len(record.box_findings):
        raise DataError(
            f"the record has {len(record.boxes)} box numbers for {len(record.box_findings)} boxes"
        )
    return record


def _value(attribute: str, features: dict[str, Any]) -> Any:
    """Takes one attribute of Record out of the features of an example."""
    name, kind, length = _TABLE[attribute]
    feature = features.get(name)
    found = feature.WhichOneof("kind") if feature is not None else None
    # A list without elements may be left out: proto3 does not tell it from none.
    if found != f"{kind}_list" and not (found is None and length == "any"):
        raise DataError(f"the record has no {name!r} of kind {kind}")
    values = list(getattr(feature, f"{kind}_list").value) if found else []
    if length is None and len(values) != 1:
        raise DataError(f"the record has {len(values)} values of {name!r} instead of 1")
    if kind == "bytes" and attribute != "image":
        try:
            values = [value.decode() for value in values]
        except UnicodeDecodeError as error:
            raise DataError(f"the record's {name!r} is not UTF-8 text") from error
    return values[0] if length is None else tuple(values)


def parse(
    serialized: "tf.Tensor", *, findings: int, attributes: tuple[str, ...] = tuple(_TABLE)
) -> dict[str, "tf.Tensor"]:
    """Parses records inside a TensorFlow graph.

    Args:
        serialized: string tensor, one record (shape []) or a batch (shape [n]).
        findings: number of findings in the data set's manifest.
        attributes: which of Record's attributes to parse; others cost nothing.

    Returns:
        attribute -> tensor: texts and images are string, numbers int64, boxes float32; `targets`
        has a last axis of length `findings`; box attributes are RaggedTensors for a batch.

    Raises:
        tf.errors.InvalidArgumentError: at run time, where a record does not fit the table.
    """
    # Imported here so that writers never load TensorFlow.
    import tensorflow as tf

    kinds = {"bytes": tf.string, "int64": tf.int64, "float": tf.float32}
    lengths = {None: (), "findings": (findings,)}
    spec = {}
    for attribute in attributes:
        name, kind, length = _TABLE[attribute]
        if length == "any":
            spec[attribute] = tf.io.RaggedFeature(kinds[kind], name)
        else:
            spec[name] = tf.io.FixedLenFeature(lengths[length], kinds[kind])
    parsed = tf.io.parse_example(serialized, spec)
    return {
        attribute: parsed[attribute if _TABLE[attribute][2] == "any" else _TABLE[attribute][0]]
        for attribute in attributes
    }


@functools.cache
def _example_class() -> Any:
    """Declares tf.train.Example's wire format in a pool of its own, beside TensorFlow's."""
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="cxr14", syntax="proto3"
    )
    scalars = {"bytes": _FIELD.TYPE_BYTES, "float": _FIELD.TYPE_FLOAT, "int64": _FIELD.TYPE_INT64}
    feature = descriptor_pb2.DescriptorProto(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (kind, scalar) in enumerate(scalars.items(), start=1):
        values = file.message_type.add(name=f"{kind.title()}List")
        values.field.add(name="value", number=1, type=scalar, label=_FIELD.LABEL_REPEATED)
        _refer(feature, f"{kind}_list", number, values.name).oneof_index = 0
    file.message_type.append(feature)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    _refer(entry, "value", 2, "Feature")
    _refer(features, "feature", 1, "Features.FeatureEntry").label = _FIELD.LABEL_REPEATED
    _refer(file.message_type.add(name="Example"), "features", 1, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("cxr14.Example"))


def _refer(message: Any, name: str, number: int, kind: str) -> Any:
    """Adds a field that holds another message."""
    return message.field.add(
        name=name,
        number=number,
        type=_FIELD.TYPE_MESSAGE,
        type_name=f".cxr14.{kind}",
        label=_FIELD.LABEL_OPTIONAL,
    )
