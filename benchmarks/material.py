# SPDX-License-Identifier: MIT
"""Makes the pictures and shards that the benchmarks read; what is there already is kept."""

import io
import subprocess
import sys

import numpy as np
import tensorflow as tf
from PIL import Image

from preprocessing import phantom
from preprocessing.contract import manifest, schema
from preprocessing.contract.files import storage

SIZE = 256
_IMAGES = 1500


def tree(folder: str) -> str:
    """Returns the folder of a phantom of 1024 px pictures, which it makes if need be."""
    made = storage.join(folder, "phantom")
    phantom.write(made, images=_IMAGES, seed=0)
    return made


def shards(folder: str, encoding: str) -> str:
    """Returns the folder of the phantom's shards.

    Args:
        folder: where the phantom lies or is made.
        encoding: "png" or "raw".
    """
    made = storage.join(folder, f"shards-{encoding}")
    source = tree(folder)
    command = [
        *(sys.executable, "-m", "preprocessing.task", "--source=nih", f"--images={source}"),
        f"--labels={storage.join(source, 'Data_Entry_2017_v2020.csv')}",
        f"--train_val_list={storage.join(source, 'train_val_list.txt')}",
        f"--test_list={storage.join(source, 'test_list.txt')}",
        f"--output={made}",
        f"--config.encoding={encoding}",
        f"--config.stored_size={SIZE}",
        "--config.examples_per_shard=64",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return made


def png_files(folder: str) -> str:
    """Returns a folder with the train split's stored pictures as PNG files, as people keep them."""
    made, source = storage.join(folder, "png-files"), shards(folder, "raw")
    train = manifest.read(source).splits["train"]
    if storage.exists(made) and len(storage.list_files(made)) == train.examples:
        return made
    paths = [storage.join(source, shard.name) for shard in train.shards]
    for serialized in tf.data.TFRecordDataset(paths, buffer_size=1 << 20).as_numpy_iterator():
        record = schema.decode(serialized)
        pixels = np.frombuffer(record.image, np.uint8).reshape(SIZE, SIZE)
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "PNG")
        storage.write_bytes(storage.join(made, record.id), encoded.getvalue())
    return made
