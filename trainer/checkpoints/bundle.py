# SPDX-License-Identifier: MIT
"""The files of a checkpoint: a TensorFlow bundle of named arrays, whole or not at all.

`ckpt-STEP.data-00000-of-00001`, then `ckpt-STEP.index`, each renamed into place, with a checksum
for every array.
"""

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from absl import logging

from preprocessing.contract.errors import ConfigError, JobError, ResourceError, UsageError
from preprocessing.contract.files import faults, storage

Arrays = dict[str, npt.NDArray[np.generic]]

# The array with the checksums of the variables, in the order of their names.
_SUMS, _SEALED = "progress/checksums", re.compile(r"(network|average|optimizer)/")

_INDEX = re.compile(r"ckpt-(\d+)\.index")
DATA = ".data-00000-of-00001"
_SUFFIXES = (".index", DATA)

# TensorFlow's reader, unlike its writer, takes a path for a pattern, and finds no file by one that
# has these characters (tensorflow#34290). The others that patterns have match themselves.
_PATTERN = re.compile(r"[\[\]\\]")


def path_of(folder: str, step: int) -> str:
    """Returns the prefix of the files that hold a step."""
    return storage.join(folder, f"ckpt-{step}")


def step_of(path: str) -> int:
    """Returns the step that the files with a prefix hold."""
    return int(path.rpartition("-")[2])


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
    """Reads a checkpoint whole, against its checksums; returns what is wrong with it, or "".

    Raises:
        OSError, JobError: a file or a store that cannot be read now, which says nothing of the
            checkpoint.
        ResourceError: too little memory, likewise.
    """
    found = faults.insist(lambda: _fault_of(path))
    if not found:
        return ""
    # TensorFlow does not tell a store that fails from a file that is damaged, so the files are
    # read another way, and then once more by TensorFlow.
    for part in (f"{path}{suffix}" for suffix in _SUFFIXES):
        try:
            storage.sha256_of(part)
        except FileNotFoundError:
            return found
        except PermissionError as error:
            raise UsageError(f"{part} cannot be read: {error.strerror or error}") from error
        except OSError:
            if storage.scheme_of(part):
                raise
            return found
    return faults.insist(lambda: _fault_of(path))


def _fault_of(path: str) -> str:
    try:
        with _open(path) as reader:
            names = reader.get_variable_to_shape_map()
            arrays = {name: reader.get_tensor(name) for name in names}
            if _SUMS in names:
                sealed = [checksum(arrays[name]) for name in sorted(names) if _SEALED.match(name)]
                if sealed != arrays[_SUMS].tolist():
                    return "it is not what was trained"
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        if isinstance(faults.explain(error), ResourceError):
            raise
        return " ".join(str(error).split())[:160] or type(error).__name__
    return ""


def checksum(array: object) -> int:
    """Returns the sum of an array's bytes as int64, modulo 2**64: one flipped bit changes it.

    >>> checksum(np.array([1, 2], np.int32)) == 1 + (2 << 32)
    True
    """
    raw = np.asarray(array).tobytes()
    return int(np.frombuffer(raw + b"\0" * (-len(raw) % 8), np.int64).sum())


def seal(arrays: Arrays) -> None:
    """Adds checksums of variables, for `damage_of` to know if they changed before being written."""
    sealed = [name for name in sorted(arrays) if _SEALED.match(name)]
    arrays[_SUMS] = np.asarray([checksum(arrays[name]) for name in sealed], np.int64)


def write(
    folder: str,
    step: int,
    arrays: Arrays,
    keep: int,
    guard: Callable[[], None] = lambda: None,
) -> None:
    """Writes a bundle, and deletes all but the `keep` newest up to it.

    What lies there of later steps is damaged, or the run would have gone on from it; the run writes
    over it or comes past it.

    Args:
        folder: of the checkpoints.
        step: that the arrays are of.
        arrays: by name.
        keep: how many to keep.
        guard: called before files are written or deleted, and again if the write fails: a process
            that took the run over has deleted what was half written.

    Raises:
        JobError: the disk is full, or the store refuses or stays away.
    """
    guard()
    storage.make_folder(folder)
    names = sorted(arrays)

    def save() -> None:
        with tf.device("/CPU:0"):
            tf.raw_ops.SaveV2(
                prefix=path_of(folder, step),
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=[tf.constant(arrays[name]) for name in names],
            )

    try:
        faults.insist(save)
    finally:
        guard()
    for path in [path for path in newest_first(folder) if step_of(path) <= step][keep:]:
        # The index first: without it the rest is not a checkpoint.
        for suffix in _SUFFIXES:
            discard(f"{path}{suffix}")


def discard(path: str) -> None:
    """Deletes a file that is no longer needed; a store that refuses for now is only a warning."""
    try:
        storage.delete(path)
    except (OSError, JobError, tf.errors.OpError) as error:
        logging.warning(" ".join(str(error).split())[:300])


def read(path: str) -> Arrays:
    """Returns the arrays of a bundle by name."""

    def load() -> Arrays:
        with _open(path) as reader:
            names = reader.get_variable_to_shape_map()
            return {name: np.asarray(reader.get_tensor(name)) for name in names}

    return faults.insist(load)


def is_pattern(path: str) -> bool:
    """Tells whether TensorFlow cannot read a checkpoint or a SavedModel at a path.

    >>> is_pattern("/runs/a [1]"), is_pattern("/runs/a *?{b}")
    (True, False)
    """
    return bool(_PATTERN.search(path))


@contextlib.contextmanager
def _open(path: str) -> Iterator[Any]:
    """Opens a bundle whatever its path: one that TensorFlow cannot read, as a copy in memory."""
    if not is_pattern(path):
        yield tf.train.load_checkpoint(path)
        return
    copy = f"ram://cxr14-checkpoint/{uuid.uuid4().hex}/ckpt"
    try:
        for suffix in _SUFFIXES:
            tf.io.gfile.copy(f"{path}{suffix}", f"{copy}{suffix}")
        yield tf.compat.v1.train.NewCheckpointReader(copy)
    finally:
        for suffix in _SUFFIXES:
            with contextlib.suppress(tf.errors.NotFoundError):
                tf.io.gfile.remove(f"{copy}{suffix}")


def fill(path: str, variables: Mapping[str, keras.Variable], found: Arrays) -> None:
    """Gives every variable its value, or none of them: a partial match would be a fresh start.

    Raises:
        ConfigError: the arrays are of other variables.
    """
    arrays = {name: array for name, array in found.items() if not name.startswith("progress/")}
    if problem := mismatch(variables, arrays):
        raise ConfigError(
            f"checkpoint {path} is of another model ({problem}): restore the settings of that run, "
            "or train in a new --output"
        )
    assign(variables, arrays)


def mismatch(variables: Mapping[str, keras.Variable], arrays: Arrays) -> str:
    """Names the first variable that arrays do not fit, or array without a variable; "" for none."""
    for name, variable in variables.items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            return f"its {name} is not of shape {tuple(variable.shape)}"
    extra = sorted(arrays.keys() - variables.keys())
    return f"there is no {extra[0]} here" if extra else ""


def assign(variables: Mapping[str, keras.Variable], arrays: Arrays) -> None:
    """Gives every variable the array of its name."""
    for name, variable in variables.items():
        variable.assign(arrays[name])


def text_of(array: object) -> str:
    """Returns the text that an array of a bundle holds.

    Raises:
        ValueError: it is not UTF-8.
    """
    return str(np.asarray(array).astype(str))
