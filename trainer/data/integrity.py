# SPDX-License-Identifier: MIT
"""Checks that a data set is whole and can be trained on, before hours are spent on it."""

import concurrent.futures
import contextlib
import functools
from collections.abc import Iterator

import tensorflow as tf

from preprocessing.contract.errors import DataError, UnavailableError
from preprocessing.contract.files import faults, storage
from preprocessing.contract.manifest import Manifest, Shard
from preprocessing.contract.process.progress import Progress
from trainer.data import local_copy, soundness


def check_shards(folder: str, manifest: Manifest) -> None:
    """Compares every shard's size with the manifest, before hours are spent.

    Raises:
        DataError: a shard that is absent or of another size.
    """
    paths = [storage.join(folder, shard.name) for shard in manifest.shards]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sizes = list(pool.map(lambda path: faults.insist(lambda: _size(path)), paths))
    soundness.check_sizes(folder, manifest, dict(zip(paths, sizes, strict=True)))


def check_contents(folder: str, manifest: Manifest, *, process: int, processes: int) -> None:
    """Compares the content of a process's share of the shards with the manifest.

    A shard of another preprocessing has intact checksums of its own and often the same size: raw
    pictures of equal names are equally long, whatever their labels.

    Args:
        folder: of the data set.
        manifest: of the data set.
        process: number of this process among those that share the work out.
        processes: how many those are.

    Raises:
        DataError: a shard whose bytes are not what the manifest says.
    """
    own = manifest.shards[process::processes]

    def check(shard: Shard) -> None:
        path = storage.join(folder, shard.name)
        if storage.sha256_of(path) != shard.sha256:
            raise _foreign(path)

    with (
        Progress("checking shards", len(own), unit="shards") as progress,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        checks = [functools.partial(check, shard) for shard in own]
        for done, work in enumerate([pool.submit(faults.insist, one) for one in checks], 1):
            work.result()
            progress.reach(done)


@contextlib.contextmanager
def naming_damage(folder: str, manifest: Manifest, copy: str = "") -> Iterator[None]:
    """Turns a checksum that fails while a shard is read into the shard's name.

    Args:
        folder: of the data set.
        manifest: of the data set.
        copy: the setting `data.cache`; a damaged copy there is removed.

    Raises:
        DataError: a shard whose bytes are not what preprocessing wrote.
        UnavailableError: a damaged copy was removed, or all is whole by now.
        UnavailableError: bytes that were not those of the shard went wrong on their way.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        for shard in manifest.shards:
            path = storage.join(folder, shard.name)
            if storage.sha256_of(path) != shard.sha256:
                raise _foreign(path) from error
        if removed := local_copy.drop_damaged(manifest, copy):
            raise UnavailableError(
                f"the copy {removed[0]} of a shard was damaged and is removed: run the same "
                "command again, which makes a new one"
            ) from error
        raise UnavailableError(
            f"a shard of {folder} could not be read whole, though all are whole now: run the same "
            "command again"
        ) from error


def _foreign(path: str) -> DataError:
    return DataError(
        f"shard {path} is damaged or belongs to another data set: copy the data set again, by "
        "content and not by size, or preprocess the data again"
    )


def _size(path: str) -> int | None:
    try:
        size: int = tf.io.gfile.stat(path).length
    except tf.errors.NotFoundError:
        return None
    return size
