# SPDX-License-Identifier: MIT
"""Keeps a copy of the shards that training reads in every epoch, in memory or on a local disk."""

import concurrent.futures
import functools
import os

import tensorflow as tf

from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import Manifest, Shard
from trainer.monitoring.clock import CLOCK

_SPLITS = ("train", "validation")


@CLOCK.phase("build")
def local_copy(folder: str, manifest: Manifest, where: str) -> str:
    """Copies the shards of train and validation, and returns the folder to read them from.

    Args:
        folder: of the data set.
        manifest: of the data set.
        where: "memory", or a local folder, which a later start finds filled; empty for no copy.
    """
    if not where:
        return folder
    copy, shards = _place(manifest, where), _shards(manifest)
    with faults.explained():
        tf.io.gfile.makedirs(copy)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        copying = [functools.partial(_copy, shard, folder, copy) for shard in shards]
        for done in [pool.submit(faults.insist, work) for work in copying]:
            done.result()
            CLOCK.moved()
    return copy


def drop_damaged(manifest: Manifest, where: str) -> list[str]:
    """Removes copies whose content is not that of their shard, so that the next start copies them.

    Args:
        manifest: of the data set.
        where: as for `local_copy`; nothing is removed but from a local folder.

    Returns:
        The paths of what was removed.
    """
    if where in ("", "memory"):
        return []
    removed = []
    for shard in _shards(manifest):
        path = storage.join(_place(manifest, where), shard.name)
        if os.path.exists(path) and storage.sha256_of(path) != shard.sha256:
            os.unlink(path)
            removed.append(path)
    return removed


def _place(manifest: Manifest, where: str) -> str:
    room = "ram://cxr14" if where == "memory" else where
    return storage.join(room, manifest.identity[:16])


def _shards(manifest: Manifest) -> list[Shard]:
    return [shard for name in _SPLITS for shard in manifest.splits[name].shards]


def _copy(shard: Shard, source: str, target: str) -> None:
    path = storage.join(target, shard.name)
    if tf.io.gfile.exists(path) and tf.io.gfile.stat(path).length == shard.bytes:
        return
    # Renamed into place: processes of one machine may share the folder.
    part = f"{path}.{os.getpid()}.tmp"
    tf.io.gfile.copy(storage.join(source, shard.name), part, overwrite=True)
    tf.io.gfile.rename(part, path, overwrite=True)
