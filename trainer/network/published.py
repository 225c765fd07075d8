# SPDX-License-Identifier: MIT
"""The file of ImageNet's weights that Keras publishes: its name, its MD5, copies of it."""

import contextlib
import hashlib
import os
import tempfile

import keras

from preprocessing.contract.errors import ConfigError
from preprocessing.contract.files import storage
from trainer.network import download

NAME = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
# Where Keras has it, and its MD5 in Keras's source; a SHA-256 is not published.
FOLDER = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
MD5 = "4d473c1dd8becc155b73f8504c6f6626"


def check(path: str, data: bytes) -> None:
    """Refuses a file that has the name of Keras's, but other content.

    Raises:
        ConfigError: it has another MD5.
    """
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if storage.basename(path) == NAME and found != MD5:
        raise ConfigError(
            f"{path} has the name of Keras's ImageNet weights and MD5 {found}, not {MD5}: fetch it "
            "into another folder (--mode=fetch_weights), or, if it is meant to be another file, "
            "give it another name"
        )


def cached() -> str:
    """Returns the path of Keras's file on this machine, which is downloaded once.

    It lies where Keras keeps it, in ~/.keras/models, or below /tmp where the home cannot be written
    to. Keras itself would look in KERAS_HOME, which `keras_home` leads nowhere.

    Raises:
        ConfigError, UnavailableError, JobError: see `download.insist`.
    """
    home = os.path.expanduser("~/.keras")
    with contextlib.suppress(OSError):
        os.makedirs(home, exist_ok=True)
    return _downloaded(home)


def _downloaded(folder: str) -> str:
    def get() -> str:
        url = f"{FOLDER}{NAME}"
        path = keras.utils.get_file(
            NAME, url, file_hash=MD5, cache_dir=folder, cache_subdir="models"
        )
        return str(path)

    return download.insist(get)


def fetch(folder: str) -> str:
    """Puts Keras's file into a folder, unless it is there.

    Args:
        folder: local or gs://.

    Returns:
        What was done, and how to train with it.

    Raises:
        ConfigError: another file of that name is there, or the server refuses.
        UnavailableError, JobError: see `download.insist`.
    """
    path = storage.join(folder, NAME)
    there = storage.exists(path)
    if there:
        data = storage.read_bytes(path)
        check(path, data)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            data = storage.read_bytes(_downloaded(scratch))
        storage.make_folder(folder)
        storage.write_bytes(path, data)
    digest = hashlib.sha256(data).hexdigest()
    return (
        f"ImageNet's weights {'are there already' if there else 'were written'}: {path}\n"
        f"train with --config.model.weights={path} --config.model.weights_sha256={digest}"
    )
