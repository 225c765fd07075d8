# SPDX-License-Identifier: MIT
"""On every real radiograph serving sees what preprocessing stored: the mean of the true pixels."""

import pathlib

import cv2
import numpy as np
import tensorflow as tf

from preprocessing.contract.pictures import image, image_graph

_SIZE = 256


def _graph():  # type: ignore[no-untyped-def]
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def canonical(encoded: tf.Tensor) -> tf.Tensor:
        return image_graph.canonical(encoded, _SIZE)

    return canonical


def test_serving_and_preprocessing_agree_to_the_level_on_all_originals(nih: pathlib.Path) -> None:
    canonical = _graph()
    paths = sorted((nih / "images").iterdir())
    assert len(paths) == 98
    worst = 0.0
    for path in paths:
        encoded = path.read_bytes()
        pixels = image.canonical(encoded, _SIZE)
        np.testing.assert_array_equal(canonical(encoded).numpy(), pixels, err_msg=path.name)
        grey = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        grey = grey if grey.ndim == 2 else grey[..., 0]
        exact = grey.astype(np.float64).reshape(_SIZE, 4, _SIZE, 4).mean(axis=(1, 3))
        worst = max(worst, float(np.abs(pixels - exact).max()))
    # Nothing but rounding to whole levels separates them from the full-precision mean.
    assert worst <= 0.5


def test_small_copies_are_stored_as_they_are(nih: pathlib.Path) -> None:
    canonical = _graph()
    paths = sorted((nih.parent / "nih256" / "images").iterdir())[::8]
    assert len(paths) > 140
    for path in paths:
        encoded = path.read_bytes()
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(image.canonical(encoded, _SIZE), pixels)
        np.testing.assert_array_equal(canonical(encoded).numpy(), pixels)
