# SPDX-License-Identifier: MIT
"""TensorFlow Serving's own classes read the warm-up requests, and the model answers them."""

from typing import Any

import pytest
import tensorflow as tf

from trainer.serving import golden, warmup


@pytest.mark.slow
def test_the_requests_are_read_and_answered(finished_run: Any) -> None:
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    folder = f"{finished_run.output}/saved_model"
    loaded = tf.saved_model.load(folder)
    records = tf.data.TFRecordDataset(f"{folder}/assets.extra/{warmup.NAME}")
    asked = []
    for record in records.as_numpy_iterator():
        request = apis.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "cxr14"
        inputs = {name: tf.constant(tf.make_ndarray(each)) for name, each in request.inputs.items()}
        answer = loaded.signatures[request.model_spec.signature_name](**inputs)
        asked.append((request.model_spec.signature_name, len(inputs["image_bytes"])))
        assert all(answer["usable"].numpy())
    assert asked == [("serving_default", 1), ("serving_default", 8), ("explain", 1)]


def test_a_large_picture_has_a_length_of_several_bytes() -> None:
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    encoded = golden.picture(64) + bytes(300_000)
    first = next(iter(warmup.tfrecord.read(warmup.requests(encoded))))
    tensor = apis.PredictionLog.FromString(first).predict_log.request.inputs["image_bytes"]
    assert tf.make_ndarray(tensor).tolist() == [encoded]
