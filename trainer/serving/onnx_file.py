# SPDX-License-Identifier: MIT
"""Writes the network as `model.onnx` beside the SavedModel, for runtimes without TensorFlow.

It begins with what `preprocessing.contract.pictures.image` makes of a film, the canonical picture:
decoding and area resize have no ONNX operators that give the same pixels.
"""

import json

import tensorflow as tf

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import storage
from preprocessing.contract.manifest import Manifest
from trainer.serving import names
from trainer.serving.signatures import Serving

NAME = "model.onnx"
# Known to every ONNX Runtime since 1.15 (2023).
_OPSET = 17


def check_installed() -> None:
    """Raises UsageError if tf2onnx is not installed: ask before anything is exported."""
    try:
        import tf2onnx  # type: ignore[import-untyped, unused-ignore]  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--onnx needs the package {error.name}, which this environment lacks: pip install "
            "'tf2onnx>=1.17,<2'"
        ) from error


def write(output: str, serving: Serving, manifest: Manifest) -> str:
    """Writes `model.onnx` into the folder of a run.

    Its input is `pixels`, uint8 [n, stored_size, stored_size], canonical pictures; its outputs are
    `scores` and, where the model is calibrated, `probabilities`, float32 [n, F]. Its metadata name
    the findings in their order (JSON) and the data set.

    Args:
        output: folder of the run, local or gs://.
        serving: what is exported.
        manifest: of the data set that it was trained on.

    Returns:
        The path of the file.

    Raises:
        UsageError: tf2onnx is not installed.
    """
    check_installed()
    import tf2onnx

    side = manifest.stored_size
    pictures = tf.TensorSpec([None, side, side], tf.uint8, name=names.PIXELS)
    model, _ = tf2onnx.convert.from_function(
        tf.function(serving.of_squares, input_signature=[pictures]),
        input_signature=[pictures],
        opset=_OPSET,
    )
    said = {"findings": json.dumps(manifest.findings), "data": manifest.identity}
    for key, value in said.items():
        model.metadata_props.add(key=key, value=value)
    path = storage.join(output, NAME)
    storage.write_bytes(path, model.SerializeToString())
    return path
