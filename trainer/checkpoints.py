# SPDX-License-Identifier: MIT
"""Saves and restores everything a run needs to go on, and the best network so far beside it."""

import dataclasses
import re
import sys

import keras
import tensorflow as tf

from preprocessing.contract import storage
from preprocessing.contract.errors import ConfigError

FOLDER = "checkpoints"
BEST = "best"

_INDEX = re.compile(r"ckpt-(\d+)\.index")


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands, as variables that a checkpoint carries.

    Attributes:
        step: optimiser steps done, int64.
        best_auc: best validation mean AUC so far, float64; -1 before the first evaluation.
        best_step: the step that reached it, int64.
        stale_epochs: epochs since then, int64.
    """

    step: tf.Variable
    best_auc: tf.Variable
    best_step: tf.Variable
    stale_epochs: tf.Variable

    @staticmethod
    def start() -> "Progress":
        """Returns the state before the first step."""
        return Progress(
            step=tf.Variable(0, dtype=tf.int64),
            best_auc=tf.Variable(-1.0, dtype=tf.float64),
            best_step=tf.Variable(0, dtype=tf.int64),
            stale_epochs=tf.Variable(0, dtype=tf.int64),
        )


class Checkpoints:
    """The checkpoints of one run.

    Args:
        output: folder of the run.
        network: the network.
        optimizer: its optimiser, built.
        progress: where the run stands.
        keep: newest checkpoints kept.
        scratch: folder for the copies of workers that are not chief: every worker must take part in
            saving, only the chief's files are kept; empty on the chief.
    """

    def __init__(
        self,
        *,
        output: str,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        progress: Progress,
        keep: int,
        scratch: str = "",
    ) -> None:
        self._read_from = storage.join(output, FOLDER)
        folder = scratch or self._read_from
        everything = tf.train.Checkpoint(network=network, optimizer=optimizer, **vars(progress))
        self._newest = tf.train.CheckpointManager(everything, folder, max_to_keep=keep)
        self._everything = everything
        best = tf.train.Checkpoint(network=network, auc=progress.best_auc, step=progress.best_step)
        self._best = tf.train.CheckpointManager(best, storage.join(folder, BEST), max_to_keep=1)
        self._step = progress.step
        self._saved_step = -1

    def restore(self) -> str:
        """Restores the run.

        1. This run's newest checkpoint that is whole: training goes on; a damaged one is passed
           over with a warning.
        2. Otherwise what the model was built with: the weights file or ImageNet's weights,
        3. or random weights.

        Returns:
            The path restored from; empty for a fresh start.

        Raises:
            ConfigError: the newest whole checkpoint is of another model, or none is whole.
        """
        paths = newest_first(self._read_from)
        for path in paths:
            damage = damage_of(path)
            if not damage:
                _restore(self._everything, path)
                return path
            print(f"warning: checkpoint {path} is damaged ({damage}): passed over", file=sys.stderr)
        if paths:
            raise ConfigError(
                f"none of the {len(paths)} checkpoints in {self._read_from} is whole: delete that "
                "folder to begin anew, or bring it back from a copy"
            )
        return ""

    def save(self) -> None:
        """Saves everything; the new checkpoint counts only when it is whole.

        A step that is saved already is left alone: writing it again would put it at risk.
        """
        if self._saved_step == int(self._step.numpy()):
            return
        self._newest.save(checkpoint_number=self._step)
        self._saved_step = int(self._step.numpy())

    def save_best(self) -> None:
        """Saves the network as the best so far."""
        self._best.save(checkpoint_number=self._step)


def restore_best(output: str, network: keras.Model) -> tuple[int, float]:
    """Restores the best network of a run.

    Returns:
        Its step and its validation mean AUC.

    Raises:
        ConfigError: the run has no best checkpoint, or it is of another model.
    """
    paths = newest_first(storage.join(output, FOLDER, BEST))
    if not paths:
        raise ConfigError(
            f"{output} holds no best checkpoint: train first (--mode=train), to the "
            "end of an epoch at least"
        )
    path = paths[0]
    damage = damage_of(path)
    if damage:
        raise ConfigError(
            f"checkpoint {path} is damaged ({damage}): bring it back from a copy, or train on "
            "until a better network is found"
        )
    auc, step = tf.Variable(0.0, dtype=tf.float64), tf.Variable(0, dtype=tf.int64)
    _restore(tf.train.Checkpoint(network=network, auc=auc, step=step), path)
    return int(step.numpy()), float(auc.numpy())


def newest_first(folder: str) -> list[str]:
    """Returns the prefixes of the checkpoints in a folder, by what lies there, newest first.

    TensorFlow's own list, the file `checkpoint`, may itself be damaged or older than the files.
    """
    numbered = []
    for path in storage.list_files(folder):
        found = _INDEX.fullmatch(storage.basename(path))
        if found and path == storage.join(folder, storage.basename(path)):
            numbered.append((int(found.group(1)), path.removesuffix(".index")))
    return [path for _, path in sorted(numbered, reverse=True)]


def damage_of(path: str) -> str:
    """Reads a checkpoint whole, against its checksums; returns what is wrong with it, or ""."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        return " ".join(str(error).split())[:160] or type(error).__name__
    return ""


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    """Restores every variable or none: a partial match would be a silent fresh start."""
    try:
        status = checkpoint.restore(path)
        status.assert_existing_objects_matched()
        status.assert_consumed()
    except (ValueError, AssertionError, tf.errors.NotFoundError) as error:
        raise ConfigError(
            f"checkpoint {path} is of another model ({' '.join(str(error).split())[:160]}): "
            "restore the settings of that run, or choose another --output"
        ) from error
