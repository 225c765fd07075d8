# SPDX-License-Identifier: MIT
"""Preprocessing images/s against bare OpenCV, a PIL script and a pipeline of TensorFlow ops."""

import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.ratio import Ratio
from benchmarks.rounds import rounds
from preprocessing import phantom
from preprocessing.contract import manifest, schema
from preprocessing.contract.files import storage
from preprocessing.contract.pictures import image_graph

_IMAGES, _FEW, _ROUNDS, _SIZE = 1500, 300, 3, 256


def measure(folder: str) -> list[Ratio]:
    """Makes a phantom of 1024 px pictures and times the four ways in turn.

    Args:
        folder: where the phantom lies or is made.

    Returns:
        The job's steady rate against the alternatives, and its whole time with start-up.
    """
    tree = storage.join(folder, "phantom")
    phantom.write(tree, images=_IMAGES, seed=0)
    paths = [path for path in storage.list_files(tree) if path.endswith(".png")]
    labels = storage.join(tree, "Data_Entry_2017_v2020.csv")
    few_labels = _fewer_labels(tree)
    bare, plain, graph, steady, whole = [], [], [], [], []
    for at in rounds("preprocessing", _ROUNDS):
        bare.append(_FEW / _seconds(_bare_cv2, paths[:_FEW]))
        plain.append(_FEW / _seconds(_plain_script, paths[:_FEW], folder))
        graph.append(_FEW / _seconds(_tensorflow_ops, paths[:_FEW], folder))
        few = _seconds(_job, tree, few_labels, storage.join(folder, f"few{at}"))
        many = _seconds(_job, tree, labels, storage.join(folder, f"many{at}"))
        steady.append((_IMAGES - _FEW) / (many - few))
        whole.append(_IMAGES / many)
    raw_folder = storage.join(folder, "raw")
    _job(tree, labels, raw_folder, "--config.encoding=raw")
    rates = {"png": [], "raw": []}  # type: dict[str, list[float]]
    for _ in rounds("reading records", _ROUNDS):
        rates["png"].append(_reading_rate(storage.join(folder, "many0"), "png"))
        rates["raw"].append(_reading_rate(raw_folder, "raw"))
    cores = os.cpu_count() or 1
    alternative = f"cv2 decode + area resize on one core x {cores} cores"
    script = "plain PIL + TFRecordWriter script"
    middle = statistics.median
    return [
        Ratio("preprocessing, steady", middle(steady), alternative, middle(bare) * cores, ">= 0.9"),
        Ratio("preprocessing, steady", middle(steady), script, middle(plain), ">= 1.8"),
        Ratio(
            "preprocessing, steady",
            middle(steady),
            "tf.data with decode_png + area resize on all cores, TFRecordWriter",
            middle(graph),
            "stated",
        ),
        Ratio(
            f"preprocessing of {_IMAGES} images with start-up",
            middle(whole),
            script,
            middle(plain),
            "stated",
        ),
        Ratio(
            f"reading raw records ({_bytes(raw_folder)} bytes a record)",
            middle(rates["raw"]),
            f"PNG records ({_bytes(storage.join(folder, 'many0'))} bytes)",
            middle(rates["png"]),
            "stated",
        ),
    ]


def _fewer_labels(tree: str) -> str:
    lines = storage.read_text(storage.join(tree, "Data_Entry_2017_v2020.csv")).splitlines()
    rows = lines[1:]
    # Every fifth row, so that all three splits keep patients.
    path = storage.join(tree, "few.csv")
    storage.write_text(path, "\n".join([lines[0], *rows[:: len(rows) // _FEW][:_FEW]]) + "\n")
    return path


def _bare_cv2(paths: list[str]) -> None:
    cv2.setNumThreads(1)
    for path in paths:
        pixels = cv2.imdecode(
            np.frombuffer(storage.read_bytes(path), np.uint8), cv2.IMREAD_GRAYSCALE
        )
        cv2.resize(pixels, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)


def _plain_script(paths: list[str], folder: str) -> None:
    """What a user writes in an afternoon: one process, PIL, TensorFlow's writer."""
    with tf.io.TFRecordWriter(storage.join(folder, "plain.tfrecord")) as writer:
        for path in paths:
            picture = Image.open(path).convert("L").resize((_SIZE, _SIZE), Image.Resampling.BOX)
            encoded = io.BytesIO()
            picture.save(encoded, "PNG")
            value = tf.train.BytesList(value=[encoded.getvalue()])
            features = tf.train.Features(feature={"image": tf.train.Feature(bytes_list=value)})
            writer.write(tf.train.Example(features=features).SerializeToString())


def _tensorflow_ops(paths: list[str], folder: str) -> None:
    """What a TFDS builder does with TensorFlow's own operations, on all cores."""

    def convert(path: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_png(tf.io.read_file(path), channels=1)
        small = tf.image.resize(pixels, [_SIZE, _SIZE], method="area")
        return tf.io.encode_png(tf.cast(tf.round(small), tf.uint8))

    pictures = tf.data.Dataset.from_tensor_slices(paths).map(convert, tf.data.AUTOTUNE).prefetch(16)
    with tf.io.TFRecordWriter(storage.join(folder, "graph.tfrecord")) as writer:
        for picture in pictures.as_numpy_iterator():
            value = tf.train.BytesList(value=[picture])
            features = tf.train.Features(feature={"image": tf.train.Feature(bytes_list=value)})
            writer.write(tf.train.Example(features=features).SerializeToString())


def _reading_rate(output: str, encoding: str) -> float:
    """Returns records/s that tf.data parses and decodes on all cores."""
    files = [path for path in storage.list_files(output) if path.endswith(".tfrecord")]

    def decode(record: tf.Tensor) -> tf.Tensor:
        parsed = schema.parse(record, findings=14, attributes=("image", "targets"))
        return image_graph.stored(parsed["image"], _SIZE, encoding)

    records = tf.data.TFRecordDataset(files).cache()
    for _ in records:
        pass
    repeats = 4
    decoded = records.repeat(repeats).map(decode, tf.data.AUTOTUNE).batch(64).prefetch(4)
    start = time.perf_counter()
    count = sum(int(batch.shape[0]) for batch in decoded)
    return count / (time.perf_counter() - start)


def _bytes(output: str) -> int:
    """Returns the mean size of a record."""
    made = manifest.read(output)
    shards = [shard for split in made.splits.values() for shard in split.shards]
    return sum(shard.bytes for shard in shards) // sum(shard.examples for shard in shards)


def _job(tree: str, labels: str, output: str, *more: str) -> None:
    command = [
        *(sys.executable, "-m", "preprocessing.task", "--source=nih", f"--images={tree}"),
        f"--labels={labels}",
        f"--train_val_list={storage.join(tree, 'train_val_list.txt')}",
        f"--test_list={storage.join(tree, 'test_list.txt')}",
        f"--output={output}",
        "--config.examples_per_shard=64",
        *more,
    ]
    for path in storage.list_files(output):
        storage.delete(path)
    subprocess.run(command, check=True, capture_output=True)


def _seconds(work: Callable[..., None], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start
