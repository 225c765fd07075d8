# SPDX-License-Identifier: MIT
"""Augmentation alone, 256 to 224 px, batches of 64, images/s: against tf.image and torchvision.

All turn uint8 pictures in memory by up to 7 degrees, cut out a random area of a random ratio,
mirror, and change contrast and brightness, on all cores; the alternatives resample twice.
"""

import contextlib
import itertools
import math
import statistics
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from benchmarks.input_pipeline import Way, answers
from benchmarks.ratio import Ratio
from benchmarks.rounds import rounds
from trainer.config import DataConfig
from trainer.recipe import AugmentationConfig
from trainer.training.augment import augment

_ROUNDS, _CALLS, _BATCH, _STORED, _SIZE = 5, 8, 64, 256, 224
_RECIPE = AugmentationConfig(0.08, 1.0, 4 / 3, rotation=7.0, brightness=0.1, contrast=0.1)


def measure(torch_python: str) -> list[Ratio]:
    """Times the ways in turn; `torch_python` as in `input_pipeline.measure`."""
    pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, _STORED, _STORED)).astype(np.uint8)
    pictures = tf.data.Dataset.from_tensor_slices(pixels).repeat()
    plain = iter(pictures.map(_plain, num_parallel_calls=tf.data.AUTOTUNE).batch(_BATCH))
    ways = {"ours": _timed(_ours(tf.constant(pixels))), "tf.image": _timed(plain)}
    with contextlib.ExitStack() as stack:
        if torch_python:
            words = [str(number) for number in (_STORED, _SIZE, _BATCH)]
            asked = answers(torch_python, "torch_augmentation.py", words)
            ways["torch"] = stack.enter_context(asked)
        for way in ways.values():
            way(2)
        speeds = [
            {name: way(_CALLS) for name, way in ways.items()}
            for _ in rounds("augmentation", _ROUNDS)
        ]
    images = {name: statistics.median(one[name] for one in speeds) for name in ways}
    work = f"augmentation alone, {_STORED} to {_SIZE} px, batches of {_BATCH}"
    other = "tf.data's map of tf.image and ImageProjectiveTransformV3"
    torch = "torchvision.transforms.v2 in two workers of a DataLoader"
    return [
        Ratio(work, images["ours"], other, images["tf.image"], "stated"),
        Ratio(work, images["ours"], torch, images.get("torch"), "stated", absent="no torch"),
    ]


def _timed(batches: Iterator[tf.Tensor]) -> Way:
    def take(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            next(batches).numpy()
        return count * _BATCH / (time.perf_counter() - start)

    return take


def _ours(pixels: tf.Tensor) -> Iterator[tf.Tensor]:
    data, positions = DataConfig(image_size=_SIZE), tf.range(_BATCH, dtype=tf.int64)

    how = {"global_batch": _BATCH, "data": data, "augmentation": _RECIPE}
    change = tf.function(lambda key: augment(pixels, positions, key=key, **how))
    for step in itertools.count():
        yield change(tf.constant([0, step], tf.int64))


def _plain(picture: tf.Tensor) -> tf.Tensor:
    # 1. Turned about the centre.
    angle = tf.random.uniform([], -1, 1) * math.radians(_RECIPE.rotation)
    cos, sin, middle = tf.cos(angle), tf.sin(angle), (_STORED - 1) / 2
    start_x, start_y = middle * (1 - cos + sin), middle * (1 - sin - cos)
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=picture[tf.newaxis, ..., tf.newaxis],
        transforms=[[cos, -sin, start_x, sin, cos, start_y, 0.0, 0.0]],
        output_shape=[_STORED, _STORED],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    # 2. Cut, scaled, mirrored, toned.
    least, most, ratio = _RECIPE.min_area, _RECIPE.max_area, _RECIPE.max_ratio
    whole, ratios, areas = [[[0.0, 0.0, 1.0, 1.0]]], (1 / ratio, ratio), (least, most)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        [_STORED, _STORED, 1], whole, 0, 0.0, ratios, areas
    )
    cut = tf.image.resize(tf.slice(turned[0], begin, size), [_SIZE, _SIZE], antialias=True)
    cut = tf.image.random_flip_left_right(cut)
    cut = tf.image.random_contrast(cut, 1 - _RECIPE.contrast, 1 + _RECIPE.contrast)
    cut = tf.image.random_brightness(cut, 255 * _RECIPE.brightness)[..., 0]
    return tf.cast(tf.round(tf.clip_by_value(cut, 0.0, 255.0)), tf.uint8)
