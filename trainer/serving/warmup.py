# SPDX-License-Identifier: MIT
"""Requests by which TensorFlow Serving warms a SavedModel up before it answers anybody.

The server looks for them in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of
`tensorflow.serving.PredictionLog`. Its few fields are written here: the package that declares them,
tensorflow-serving-api, brings another TensorFlow along.
"""

import tensorflow as tf

from preprocessing.contract.files import tfrecord
from trainer.serving import names

NAME = "tf_serving_warmup_requests"

# Signature and number of pictures: every size of batch prepares memory and kernels of its own.
_ASKED = ((names.DEFAULT, 1), (names.DEFAULT, 8), (names.EXPLAIN, 1))
_MODEL = b"cxr14"
_VARINT_BITS = 7


def requests(encoded: bytes) -> bytes:
    """Returns the content of the file.

    Args:
        encoded: a PNG or JPEG file, of which every request is made.
    """
    logs = (_log(signature, [encoded] * count) for signature, count in _ASKED)
    return b"".join(part for log in logs for part in tfrecord.framed(log))


def _log(signature: str, files: list[bytes]) -> bytes:
    """Returns PredictionLog.predict_log (6) . request (1), a PredictRequest."""
    spec = _field(1, _MODEL) + _field(3, signature.encode())
    tensor = tf.make_tensor_proto(files, tf.string, [len(files)]).SerializeToString()
    entry = _field(1, names.BYTES.encode()) + _field(2, tensor)
    return _field(6, _field(1, _field(1, spec) + _field(2, entry)))


def _field(number: int, content: bytes) -> bytes:
    r"""Returns a field of text, bytes or a message as protocol buffers write it.

    >>> _field(1, b"abc")
    b'\n\x03abc'
    """
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    r"""Returns a number in groups of 7 bits, the low ones first, all but the last marked.

    >>> _varint(300)
    b'\xac\x02'
    """
    groups = []
    while value >> _VARINT_BITS:
        groups.append(value & 0x7F | 0x80)
        value >>= _VARINT_BITS
    return bytes([*groups, value])
