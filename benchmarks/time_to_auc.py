# SPDX-License-Identifier: MIT
"""Seconds until a validation AUC is reached on the phantom, against plain Keras `fit`.

    python -m benchmarks.time_to_auc SHARDS [--target=0.70]

SHARDS is a data set of 72 px, as `make demo` leaves it in demo/shards. Each way is a process of its
own, timed from its start. Keras trains the same network (ResNet-50, average pool, Dense 256,
Dropout, Dense with sigmoid) from random weights with binary cross-entropy and Adam at their
defaults, on the same records in the same batches, and is validated after every epoch by the same
exact AUC.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.ratio import HEADER, Ratio
from preprocessing.contract import manifest as manifests
from preprocessing.contract import schema
from preprocessing.contract.pictures import image_graph
from trainer.evaluation.auc import aurocs

_SIZE, _BATCH, _MOST_EPOCHS = 64, 32, 40
_FOUND = re.compile(r"validation mean AUC ([0-9.]+)")


def main() -> None:
    """Prints one row of the table of ratios."""
    parser = argparse.ArgumentParser(description="prints how fast a validation AUC is reached")
    parser.add_argument("shards", help="data set of 72 px")
    parser.add_argument("--target", type=float, default=0.70, help="validation mean AUC")
    parser.add_argument("--keras", action="store_true", help="train by Keras, for the other side")
    arguments = parser.parse_args()
    if arguments.keras:
        _fit(arguments.shards)
        return
    with tempfile.TemporaryDirectory(prefix="cxr14-time-") as folder:
        ours = ["-m", "trainer.task", "--mode=train", f"--data={arguments.shards}"]
        ours += [
            f"--output={folder}/run",
            "--config=preset:demo",
            f"--config.train.epochs={_MOST_EPOCHS}",
        ]
        theirs = ["-m", "benchmarks.time_to_auc", arguments.shards, "--keras"]
        taken, other = (_seconds(way, arguments.target) for way in (ours, theirs))
    if taken is None:
        raise SystemExit(
            f"this project did not reach {arguments.target:g} in {_MOST_EPOCHS} epochs"
        )
    name = f"validation AUC {arguments.target:g} from random weights, 64 px"
    absent = f"did not reach it in {_MOST_EPOCHS} epochs"
    row = Ratio(name, taken, "Keras fit at its defaults", other, ">= 1.0", "s", absent)
    print(f"{HEADER}\n{row.line()}")


def _seconds(arguments: list[str], target: float) -> float | None:
    """Returns when a command first said an AUC of the target or more; None if it never did."""
    began = time.monotonic()
    command = [sys.executable, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            found = _FOUND.search(line)
            if found:
                print(f"{time.monotonic() - began:7.1f} s {line.strip()}", file=sys.stderr)
            if found and float(found[1]) >= target:
                process.terminate()
                return round(time.monotonic() - began, 1)
    return None


def _fit(shards: str) -> None:
    import keras
    import tensorflow as tf

    manifest = manifests.read(shards)

    def example(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = schema.parse(record, findings=len(manifest.findings))
        stored = image_graph.stored(parsed["image"], manifest.stored_size, manifest.encoding)
        return stored, parsed["targets"]

    def fitted(pixels: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cut = image_graph.fit(pixels, image_size=_SIZE, crop_fraction=0.8889)
        grey = tf.cast(cut, tf.float32)[..., tf.newaxis]
        return keras.applications.resnet.preprocess_input(tf.repeat(grey, 3, -1)), targets

    def records(split: str) -> tf.data.Dataset:
        files = manifest.splits[split].paths(shards)
        return tf.data.TFRecordDataset(files).map(example, num_parallel_calls=tf.data.AUTOTUNE)

    train = records("train").shuffle(2048, seed=0).batch(_BATCH, drop_remainder=True).map(fitted)
    validation = records("validation").batch(_BATCH).map(fitted).cache()
    truth = np.concatenate([targets for _, targets in validation.as_numpy_iterator()])
    labels = np.where(truth >= 0, truth, np.nan)
    keras.utils.set_random_seed(0)
    backbone = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(_SIZE, _SIZE, 3), pooling="avg"
    )
    hidden = keras.layers.Dense(256, activation="relu")(backbone.output)
    scores = keras.layers.Dense(len(manifest.findings), activation="sigmoid")(
        keras.layers.Dropout(0.1)(hidden)
    )
    network = keras.Model(backbone.input, scores)
    network.compile("adam", "binary_crossentropy", jit_compile=False)

    def say(epoch: int, logs: object) -> None:
        mean = np.nanmean(aurocs(labels, network.predict(validation, verbose=0)))
        print(f"epoch {epoch + 1}: validation mean AUC {mean:.4f}", flush=True)

    network.fit(
        train.prefetch(tf.data.AUTOTUNE),
        epochs=_MOST_EPOCHS,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=say)],
    )


if __name__ == "__main__":
    main()
