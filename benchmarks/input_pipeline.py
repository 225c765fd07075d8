# SPDX-License-Identifier: MIT
"""Input pipeline alone, images/s: against a PyTorch DataLoader and against a plain tf.data one.

Ours hands out uint8 pictures of 256 px, because the crop runs in the training step, on the
accelerator. So it is measured twice: as it is, and with that crop and mirroring done on the CPU
after it, which is what the two alternatives do as well.
"""

import contextlib
import dataclasses
import os
import pathlib
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from benchmarks import material
from benchmarks.ratio import Ratio
from benchmarks.rounds import rounds
from preprocessing.contract import manifest as manifests
from preprocessing.contract import schema
from preprocessing.contract.files import storage
from trainer.config import DataConfig
from trainer.data import dataset, local_copy
from trainer.recipe import AugmentationConfig
from trainer.training.augment import augment

_ROUNDS, _BATCH, _CROP, _WORKERS = 5, 32, 224, 2
# Batches that are thrown away before each measurement: more than what any way has in store.
_SURPLUS, _WARM_UP = 30, 100

# Takes batches from one way and returns images/s.
Way = Callable[[int], float]


@dataclasses.dataclass(frozen=True)
class Rates:
    """What the ways reached.

    Attributes:
        images: way -> images/s, median of the rounds.
        per_core: encoding -> images that a busy core makes ready in a second.
    """

    images: dict[str, float]
    per_core: dict[str, float]


def measure(folder: str, torch_python: str) -> tuple[list[Ratio], Rates]:
    """Times the ways in turn.

    Args:
        folder: where pictures and shards lie or are made.
        torch_python: an interpreter with torch, torchvision and Pillow; empty if there is none.
    """
    with contextlib.ExitStack() as stack:
        ways, per_core = _our_ways(folder)
        counts = dict.fromkeys(ways, 150)
        if torch_python:
            files, tree = material.png_files(folder), material.tree(folder)
            ways["loader"] = stack.enter_context(_loader(torch_python, files, resize=0))
            ways["originals"] = stack.enter_context(_loader(torch_python, tree, resize=256))
            counts |= {"loader": 60, "originals": 10}
        for name, way in ways.items():
            way(_WARM_UP if name not in ("loader", "originals") else 5)
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in rounds("input pipeline", _ROUNDS):
            for name, way in ways.items():
                speeds[name].append(way(counts[name]))
    images = {name: statistics.median(values) for name, values in speeds.items()}
    middle = {name: statistics.median(values) for name, values in per_core.items()}
    rates = Rates(images, {name: middle[name] for name in ("png", "raw")})
    return _rows(images, torch_python), rates


def _our_ways(folder: str) -> tuple[dict[str, Way], dict[str, list[float]]]:
    ways: dict[str, Way] = {}
    per_core: dict[str, list[float]] = {}
    for encoding in ("png", "raw"):
        shards = material.shards(folder, encoding)
        memory = local_copy.local_copy(shards, manifests.read(shards), "memory")
        for name, batches in {
            encoding: _ours(shards, DataConfig(global_batch_size=_BATCH)),
            f"{encoding} augmented": _augmented(shards),
            f"{encoding} unordered": _ours(
                shards, DataConfig(global_batch_size=_BATCH, deterministic=False)
            ),
            f"{encoding} cached": _ours(shards, DataConfig(global_batch_size=_BATCH), memory),
            f"{encoding} tf.data": iter(_plain(shards)),
        }.items():
            per_core[name] = []
            ways[name] = _timed(batches, per_core[name])
    return ways, per_core


def _timed(batches: Iterator[Any], per_core: list[float]) -> Way:
    def take(count: int) -> float:
        for _ in range(_SURPLUS):
            next(batches)
        start, busy = time.perf_counter(), _busy_seconds()
        for _ in range(count):
            next(batches)
        seconds, busy = time.perf_counter() - start, _busy_seconds() - busy
        per_core.append(count * _BATCH / busy)
        return count * _BATCH / seconds

    return take


def _busy_seconds() -> float:
    """Returns what all threads of this process have kept cores busy for."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _ours(shards: str, config: DataConfig, copy: str = "") -> Iterator[Any]:
    return iter(
        dataset.train_batches(
            tf.distribute.OneDeviceStrategy("/cpu:0"),
            folder=copy or shards,
            manifest=manifests.read(shards),
            config=config,
            seed=0,
            start_step=0,
        )
    )


def _augmented(shards: str) -> Iterator[Any]:
    """The product's own crop and mirroring, run on the CPU after the pipeline."""

    @tf.function
    def crop(pixels: tf.Tensor, positions: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        return augment(
            pixels,
            positions,
            key=tf.stack([tf.constant(0, tf.int64), step]),
            global_batch=_BATCH,
            data=DataConfig(image_size=_CROP, crop_fraction=_CROP / material.SIZE),
            augmentation=AugmentationConfig(),
        )

    batches = _ours(shards, DataConfig(global_batch_size=_BATCH))
    for step, batch in enumerate(batches):
        yield crop(batch["pixels"], batch["positions"], tf.constant(step, tf.int64))


def _plain(shards: str) -> tf.data.Dataset:
    """A pipeline as tutorials show it: shuffle buffer, one parallel map, batch, prefetch."""
    manifest = manifests.read(shards)
    paths = [storage.join(shards, shard.name) for shard in manifest.splits["train"].shards]

    def example(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = schema.parse(
            record, findings=len(manifest.findings), attributes=("image", "targets")
        )
        if manifest.encoding == "raw":
            flat = tf.io.decode_raw(parsed["image"], tf.uint8)
            pixels = tf.reshape(flat, [manifest.stored_size, manifest.stored_size, 1])
        else:
            pixels = tf.io.decode_png(parsed["image"], channels=1)
        cut = tf.image.random_crop(pixels, [_CROP, _CROP, 1])
        return tf.cast(tf.image.random_flip_left_right(cut), tf.float32) / 255, parsed["targets"]

    return (
        tf.data.TFRecordDataset(paths)
        .repeat()
        .shuffle(1024)
        .map(example, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(_BATCH, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _loader(python: str, folder: str, *, resize: int) -> contextlib.AbstractContextManager[Way]:
    numbers = [str(number) for number in (resize, _CROP, _BATCH, _WORKERS)]
    return answers(python, "torch_loader.py", [folder, *numbers])


@contextlib.contextmanager
def answers(python: str, script: str, words: list[str]) -> Iterator[Way]:
    """Runs a script of this folder by an interpreter with torch, and asks it for images/s."""
    path = str(pathlib.Path(__file__).with_name(script))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [python, path, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stdin and process.stdout
        stdin, stdout = process.stdin, process.stdout

        def take(count: int) -> float:
            stdin.write(f"{count}\n")
            stdin.flush()
            answer = stdout.readline()
            if not answer:
                raise SystemExit(f"{script}, run by {python}, ended with code {process.wait()}")
            return float(answer)

        yield take
        stdin.close()


def _rows(images: dict[str, float], torch_python: str) -> list[Ratio]:
    absent = "" if torch_python else "no torch: pass --torch-python or set CXR14_TORCH_PYTHON"
    loader = f"PyTorch DataLoader, {_WORKERS} workers, PIL, 256 px PNG files, crop to {_CROP}"
    originals = f"the DataLoader on the 1024 px originals, resized to 256, crop to {_CROP}"
    plain = "plain tf.data on the same records, crop to float32"
    rows = []
    for encoding, aim in (("png", ">= 1.2"), ("raw", ">= 4")):
        work = f"input pipeline alone, 256 px {encoding} records, uint8 to the device"
        cropped = f"the same, crop to {_CROP} and mirroring on the CPU"
        ours, augmented = images[encoding], images[f"{encoding} augmented"]
        unordered, cached = images[f"{encoding} unordered"], images[f"{encoding} cached"]
        others = images.get("loader"), images.get("originals"), images[f"{encoding} tf.data"]
        rows += [
            Ratio(work, ours, loader, others[0], aim, absent=absent),
            Ratio(cropped, augmented, loader, others[0], "stated", absent=absent),
            Ratio(work, ours, originals, others[1], ">= 10", absent=absent),
            Ratio(work, ours, plain, others[2], "stated"),
            Ratio(cropped, augmented, plain, others[2], "stated"),
            Ratio(work, ours, "data.deterministic=False", unordered, "stated"),
            Ratio(
                work, ours, "data.cache=memory (files are cached by the system)", cached, "stated"
            ),
        ]
    return rows
